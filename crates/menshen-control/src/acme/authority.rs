//! The authority: how it is spoken to, and the account there.

use std::sync::Arc;

use instant_acme::{Account, AccountBuilder, AccountCredentials, Error, ExternalAccountKey, NewAccount};
use serde::{Deserialize, Serialize};

use super::https::{Https, Refusal};
use super::plan::Plan;
use super::reason::{NoCertificate, explain};
use crate::store::Store;

/// The account as it is kept.
#[derive(Serialize, Deserialize)]
struct Row {
    email: Option<Box<str>>,
    /// [`AccountCredentials`], the key among them.
    credentials: serde_json::Value,
}

/// The account of a plan: the one in the store, else a new one, which is then kept there.
///
/// # Errors
/// What the authority or the store says.
pub(super) async fn account(plan: &Plan, store: &Arc<dyn Store>) -> Result<Account, NoCertificate> {
    let place = key(plan);
    let kept = on_store(store, move |s| s.read(&place)).await?;
    let Some(kept) = kept else { return new_account(plan, store).await };
    match read(&kept) {
        Some((row, credentials)) => known_account(plan, store, row, credentials).await,
        None => {
            tracing::warn!("acme: the account in the store cannot be read; making a new one");
            new_account(plan, store).await
        }
    }
}

/// Forgets the account, which the authority does not know any more.
pub(super) async fn forget_account(plan: &Plan, store: &Arc<dyn Store>) -> Result<(), String> {
    let place = key(plan);
    on_store(store, move |s| s.write(&place, None)).await
}

/// Reads or writes on a thread where waiting does not matter.
pub(super) async fn on_store<T: Send + 'static>(
    store: &Arc<dyn Store>,
    work: impl FnOnce(&dyn Store) -> Result<T, crate::store::StoreError> + Send + 'static,
) -> Result<T, String> {
    let store = store.clone();
    let done = tokio::task::spawn_blocking(move || work(&*store)).await;
    done.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
}

/// One account for each authority, and for each account that was made there before.
fn key(plan: &Plan) -> String {
    let external = plan.account.as_ref().map_or("", |a| &a.id);
    format!("acme/account/{}/{external}", plan.directory)
}

fn read(kept: &[u8]) -> Option<(Row, AccountCredentials)> {
    let row: Row = serde_json::from_slice(kept).ok()?;
    let credentials = serde_json::from_value(row.credentials.clone()).ok()?;
    Some((row, credentials))
}

async fn known_account(
    plan: &Plan,
    store: &Arc<dyn Store>,
    row: Row,
    credentials: AccountCredentials,
) -> Result<Account, NoCertificate> {
    let account = builder(plan)?.from_credentials(credentials).await.map_err(|e| unreached(plan, e))?;
    if row.email != plan.email {
        match tell_email(&account, plan).await {
            Ok(()) => keep(plan, store, row.credentials).await?,
            Err(NoCertificate::Because(why)) => {
                // Certificates can be had all the same. It is told again after the next start.
                let email = plan.email.as_deref().unwrap_or("none");
                tracing::warn!("acme: the authority does not take the mail address `{email}`: {why}");
            }
            Err(other) => return Err(other),
        }
    }
    Ok(account)
}

async fn tell_email(account: &Account, plan: &Plan) -> Result<(), NoCertificate> {
    let contact = contact(plan);
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    Ok(account.update_contacts(&contact).await?)
}

async fn keep(plan: &Plan, store: &Arc<dyn Store>, credentials: serde_json::Value) -> Result<(), String> {
    let row = Row { email: plan.email.clone(), credentials };
    let bytes = serde_json::to_vec(&row).map_err(|e| e.to_string())?;
    let place = key(plan);
    on_store(store, move |s| s.write(&place, Some(&bytes))).await
}

async fn new_account(plan: &Plan, store: &Arc<dyn Store>) -> Result<Account, NoCertificate> {
    let contact = contact(plan);
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let external = plan.account.as_ref().map(|a| ExternalAccountKey::new(a.id.to_string(), &a.key));
    let created = builder(plan)?.create(&new, plan.directory.to_string(), external.as_ref()).await;
    let (account, credentials) = created.map_err(|e| unreached(plan, e))?;
    keep(plan, store, serde_json::to_value(&credentials).map_err(|e| e.to_string())?).await?;
    tracing::info!(directory = %plan.directory, "acme: a new account was made");
    Ok(account)
}

fn contact(plan: &Plan) -> Option<String> {
    plan.email.as_ref().map(|email| format!("mailto:{email}"))
}

fn builder(plan: &Plan) -> Result<AccountBuilder, String> {
    Ok(Account::builder_with_http(Box::new(Https::new(&plan.roots)?)))
}

fn unreached(plan: &Plan, error: Error) -> NoCertificate {
    let is_none = match &error {
        Error::Json(_) => true,
        Error::Other(other) => other.downcast_ref::<Refusal>().is_some_and(Refusal::is_about_the_url),
        _ => false,
    };
    match is_none {
        true => {
            let why = explain(&error);
            format!("{} is no ACME directory, or cannot be read as one: {why}", plan.directory).into()
        }
        false => error.into(),
    }
}
