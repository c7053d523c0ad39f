//! The authority: how it is spoken to, and the account there.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Limited;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{
    Account, AccountBuilder, AccountCredentials, BodyWrapper, BytesResponse, Error, ExternalAccountKey,
    HttpClient, NewAccount,
};
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::reason::NoCertificate;
use crate::causes::causes;
use crate::store::Store;

/// How long one request may take, and a connection.
const REQUEST: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
/// The most that is read of a reply: a chain of certificates is the longest.
const LONGEST: usize = 1 << 20;

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
    match kept.as_deref().map(serde_json::from_slice::<Row>) {
        Some(Ok(row)) => known_account(plan, store, row).await,
        Some(Err(_)) => {
            tracing::warn!("acme: the account in the store cannot be read; making a new one");
            new_account(plan, store).await
        }
        None => new_account(plan, store).await,
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

async fn known_account(plan: &Plan, store: &Arc<dyn Store>, row: Row) -> Result<Account, NoCertificate> {
    let credentials: AccountCredentials =
        serde_json::from_value(row.credentials.clone()).map_err(|e| e.to_string())?;
    let account = builder(plan)?.from_credentials(credentials).await.map_err(|e| unreached(plan, e))?;
    if row.email != plan.email {
        let contact = contact(plan);
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        account.update_contacts(&contact).await?;
        keep(plan, store, row.credentials).await?;
    }
    Ok(account)
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
    let config = ClientConfig::builder_with_provider(crate::compile::provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(plan.roots.clone())
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1().wrap_connector(tcp);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    Ok(Account::builder_with_http(Box::new(Https(client))))
}

/// HTTPS with an end to everything.
struct Https(Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>);

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let url = request.uri().to_string();
        let reply = self.0.request(request);
        Box::pin(async move {
            match tokio::time::timeout(REQUEST, reply).await {
                Ok(Ok(reply)) => Ok(BytesResponse::from(reply.map(|body| Limited::new(body, LONGEST)))),
                Ok(Err(error)) => Err(Error::Other(format!("{url}: {}", causes(&error)).into())),
                Err(_) => Err(Error::Other(format!("{url}: no answer within {}s", REQUEST.as_secs()).into())),
            }
        })
    }
}

fn unreached(plan: &Plan, error: Error) -> NoCertificate {
    match error {
        Error::Json(_) => format!("{} is no ACME directory, or cannot be read as one", plan.directory).into(),
        other => other.into(),
    }
}
