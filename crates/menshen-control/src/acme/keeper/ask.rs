//! When the authority would like certificates to be renewed (ARI, RFC 9773).

use std::ops::RangeInclusive;
use std::sync::Arc;

use instant_acme::CertificateIdentifier;
use menshen_proxy::condition::UnixSeconds;

use super::Keeper;
use crate::acme::certificate::Certificate;
use crate::acme::plan::{Names, Plan};
use crate::acme::reason::{NoCertificate, explain};
use crate::acme::renewal::{self, Window};
use crate::expiry::now;
use crate::store::Store;

/// How often it is asked anew, at least and at most, in seconds; the authority says in between.
const AGAIN: RangeInclusive<u64> = 60..=24 * 3600;
/// And if it says nothing.
const OTHERWISE: u64 = 6 * 3600;

/// A moment that is to be waited for; one that is very far ahead was set by a clock that has been set back since.
fn is_ahead(at: UnixSeconds) -> bool {
    at > now() && renewal::still_meant(at, now())
}

impl Keeper {
    /// Asks the authority when it would like a renewal, if it is time for that. False if it does not say.
    pub(super) async fn ask_when(&mut self, plan: &Plan, store: &Arc<dyn Store>, names: &Names) -> bool {
        let Some(certificate) = self.acme().shelf.exact(&plan.directory, names) else { return true };
        if plan.renew.is_some() || self.windows.get(names).is_some_and(|(_, again)| is_ahead(*again)) {
            return true;
        }
        let before = self.windows.get(names).and_then(|(window, _)| *window);
        let answer = self.ask(plan, store, &certificate).await;
        let is_heard = answer.is_ok();
        let (window, again) = match answer {
            Ok((window, wait)) => (window, wait.clamp(*AGAIN.start(), *AGAIN.end())),
            Err(why) => {
                tracing::debug!("acme: {names}: the authority does not say when to renew: {why}");
                (before, OTHERWISE)
            }
        };
        let again = now() + UnixSeconds::try_from(again).unwrap_or(3600);
        self.windows.insert(names.clone(), (window, again));
        is_heard
    }

    async fn ask(
        &mut self,
        plan: &Plan,
        store: &Arc<dyn Store>,
        certificate: &Certificate,
    ) -> Result<(Option<Window>, u64), String> {
        let leaf = certificate.leaf().ok_or("no certificate")?;
        let id = CertificateIdentifier::try_from(leaf)?;
        let account = self.account(plan, store).await.map_err(NoCertificate::text)?;
        let (info, wait) = account.renewal_info(&id).await.map_err(|e| explain(&e))?;
        let window = info.suggested_window;
        let window = Window { start: window.start.unix_timestamp(), end: window.end.unix_timestamp() };
        Ok((Some(window), wait.as_secs()))
    }
}
