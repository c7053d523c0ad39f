//! What an authority wants to see, put where it looks.

use std::sync::Arc;

use menshen_proxy::challenges::{ACME_TLS, Challenges};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::sync::{mpsc, oneshot};

use super::Change;
use super::hook::{Hook, Verb};
use super::plan::Proof;
use crate::publish::Shared;

/// What an authority wants to see for one name.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) name: String,
    /// The token and, with a dot, the fingerprint of the key of the account.
    pub(super) text: String,
    pub(super) token: String,
    /// SHA-256 of the text.
    pub(super) digest: Vec<u8>,
    /// The same in Base64 for URLs.
    pub(super) record: String,
}

/// Where answers are put.
pub(super) struct Board {
    pub(super) changes: mpsc::Sender<Change>,
    pub(super) shared: Arc<Shared>,
}

impl Board {
    /// Puts them where the authority looks. When this returns they are there.
    ///
    /// # Errors
    /// Why one could not be put there.
    pub(super) async fn put_up(&self, proof: &Proof, answers: &[Answer]) -> Result<(), String> {
        let mut challenges = Challenges::default();
        match proof {
            Proof::Http01 => answers.iter().for_each(|a| challenges.answer_http(&a.token, a.text.clone())),
            Proof::TlsAlpn01 => {
                for answer in answers {
                    challenges.answer_tls(&answer.name, config(answer)?);
                }
            }
            Proof::Dns01(hook) => {
                for answer in answers {
                    hook.run(Verb::Present, &record(answer), &answer.record).await?;
                }
                tokio::time::sleep(hook.wait).await;
                return Ok(());
            }
        }
        self.publish(challenges).await
    }

    /// Takes them away again. What cannot be taken away is told in the log.
    pub(super) async fn take_down(&self, proof: &Proof, answers: &[Answer]) {
        match proof {
            Proof::Http01 | Proof::TlsAlpn01 => drop(self.publish(Challenges::default()).await),
            Proof::Dns01(hook) => clean_up(hook, answers).await,
        }
    }

    async fn publish(&self, challenges: Challenges) -> Result<(), String> {
        let stopping = || "the gateway is stopping".to_owned();
        let (tell, told) = oneshot::channel();
        self.changes.send(Change::Challenges(challenges, tell)).await.map_err(|_| stopping())?;
        let version = told.await.map_err(|_| stopping())?;
        match self.shared.settled(version).await {
            true => Ok(()),
            false => Err("the workers do not take the answer up".to_owned()),
        }
    }
}

async fn clean_up(hook: &Hook, answers: &[Answer]) {
    for answer in answers {
        if let Err(why) = hook.run(Verb::Cleanup, &record(answer), &answer.record).await {
            tracing::warn!("acme: a record for `{}` stays in DNS: {why}", answer.name);
        }
    }
}

/// The name of the record for a name (RFC 8555 §8.4); that of a wildcard stands at the domain.
fn record(answer: &Answer) -> String {
    format!("_acme-challenge.{}", answer.name.trim_start_matches("*."))
}

/// How TLS is spoken with an authority: with a certificate that has the answer in it (RFC 8737 §3).
fn config(answer: &Answer) -> Result<Arc<ServerConfig>, String> {
    let mut params = CertificateParams::new([answer.name.clone()]).map_err(|e| e.to_string())?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&answer.digest)];
    let key = KeyPair::generate().map_err(|e| e.to_string())?;
    let certificate = params.self_signed(&key).map_err(|e| e.to_string())?;
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    let provider = crate::compile::provider();
    let key = provider.key_provider.load_private_key(key).map_err(|e| e.to_string())?;
    // Whoever checks it finds an extension that is critical and unknown, which is the point of it.
    let certified = CertifiedKey::new(vec![certificate.der().clone()], key);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![ACME_TLS.to_vec()];
    Ok(Arc::new(config))
}
