//! What an authority wants to see, put where it looks.

use std::sync::{Arc, Mutex, PoisonError};

use menshen_proxy::challenges::{ACME_TLS, Challenges};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::sync::{Semaphore, mpsc, oneshot};

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
    /// What the workers answer now, for all orders that are under way.
    up: Mutex<Vec<Posted>>,
    /// Scripts that change a zone are not made to run beside each other.
    hooks: Semaphore,
}

/// What the workers answer to one question.
struct Posted {
    token: String,
    what: What,
}

enum What {
    Http(String),
    Tls(String, Arc<ServerConfig>),
}

impl Board {
    /// An empty one.
    pub(super) fn new(changes: mpsc::Sender<Change>, shared: Arc<Shared>) -> Self {
        Self { changes, shared, up: Mutex::default(), hooks: Semaphore::new(1) }
    }

    /// Puts them where the authority looks. When this returns they are there.
    ///
    /// # Errors
    /// Why one could not be put there.
    pub(super) async fn put_up(&self, proof: &Proof, answers: &[Answer]) -> Result<(), String> {
        let mut posted = Vec::with_capacity(answers.len());
        for answer in answers {
            let token = answer.token.clone();
            match proof {
                Proof::Http01 => posted.push(Posted { token, what: What::Http(answer.text.clone()) }),
                Proof::TlsAlpn01 => {
                    posted.push(Posted { token, what: What::Tls(answer.name.clone(), config(answer)?) });
                }
                Proof::Dns01(hook) => {
                    let _alone = self.hooks.acquire().await;
                    hook.run(Verb::Present, &record(answer), &answer.record).await?;
                }
            }
        }
        if let Proof::Dns01(hook) = proof {
            tokio::time::sleep(hook.wait).await;
            return Ok(());
        }
        self.publish(move |up| up.extend(posted)).await
    }

    /// Takes them away again. What cannot be taken away is told in the log.
    pub(super) async fn take_down(&self, proof: &Proof, answers: &[Answer]) {
        match proof {
            Proof::Http01 | Proof::TlsAlpn01 => {
                let is_over = |p: &Posted| answers.iter().any(|a| a.token == p.token);
                drop(self.publish(|up| up.retain(|p| !is_over(p))).await);
            }
            Proof::Dns01(hook) => {
                let _alone = self.hooks.acquire().await;
                clean_up(hook, answers).await;
            }
        }
    }

    async fn publish(&self, change: impl FnOnce(&mut Vec<Posted>)) -> Result<(), String> {
        let stopping = || "the gateway is stopping".to_owned();
        let (tell, told) = oneshot::channel();
        let place = self.changes.reserve().await.map_err(|_| stopping())?;
        {
            // Kept until it is sent: who changes it later is also heard later.
            let mut up = self.up.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut up);
            place.send(Change::Challenges(all(&up), tell));
        }
        let version = told.await.map_err(|_| stopping())?;
        match self.shared.settled(version).await {
            true => Ok(()),
            false => Err("the workers do not take the answer up".to_owned()),
        }
    }
}

fn all(up: &[Posted]) -> Challenges {
    let mut challenges = Challenges::default();
    for Posted { token, what } in up {
        match what {
            What::Http(text) => challenges.answer_http(token, text.clone()),
            What::Tls(name, config) => challenges.answer_tls(name, config.clone()),
        }
    }
    challenges
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
