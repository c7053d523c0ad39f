//! A call to a Eureka registry: one server after the other, until one answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::servers::Servers;
use crate::discovery::client::{Base, Client, Question, Reply};

/// Who asks, as servers count it; a replica would be somebody else.
const FIELDS: [(HeaderName, HeaderValue); 3] = [
    (HeaderName::from_static("x-eureka-accept"), HeaderValue::from_static("full")),
    (HeaderName::from_static("discoveryidentity-name"), HeaderValue::from_static("DefaultClient")),
    (HeaderName::from_static("discoveryidentity-version"), HeaderValue::from_static("1.4")),
];

/// The way to a registry.
#[derive(Clone, Debug)]
pub struct Caller {
    client: Client,
    servers: Arc<Mutex<Servers>>,
    within: Duration,
}

impl Caller {
    /// To these servers; a call to one may take this long.
    pub fn new(client: Client, servers: Servers, within: Duration) -> Self {
        Self { client, servers: Arc::new(Mutex::new(servers)), within }
    }

    /// Asks, until a server answers with 2xx or with one of these; it is named with its answer.
    ///
    /// # Errors
    /// Why none did, one reason for each that was asked.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        content: Option<Bytes>,
        also: &[StatusCode],
    ) -> Result<(Base, Reply), String> {
        let mut reasons = Vec::new();
        let candidates = self.servers().candidates();
        for at in candidates {
            let question = Question {
                method: method.clone(),
                at: &at,
                path,
                fields: &FIELDS,
                content: content.clone(),
                within: self.within,
            };
            match self.client.ask(question).await {
                Ok(reply) if reply.status.is_success() || also.contains(&reply.status) => {
                    return Ok((at, reply));
                }
                Ok(reply) => reasons.push(format!("{}{path}: {}", at.url(), reply.refusal())),
                Err(why) => reasons.push(why),
            }
            self.servers().failed(&at);
        }
        Err(reasons.join("; "))
    }

    /// What this server said is of no use: another one is asked next time.
    pub fn distrust(&self, server: &Base) {
        self.servers().failed(server);
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
