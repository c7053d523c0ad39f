//! Fetching the registry: whole at first, then what has changed, and whole again when both sides do not mean the same.

use std::sync::Arc;

use http::{Method, StatusCode};

use super::applications::Applications;
use super::call::Caller;
use super::json::Answer;
use crate::discovery::client::encoded;

/// What is known, and how more is asked for.
#[derive(Debug)]
pub struct Fetcher {
    caller: Caller,
    /// `?regions=a,b`, or nothing.
    query: String,
    /// Whether deltas are asked for.
    deltas: Deltas,
    known: Option<Arc<Applications>>,
}

/// Whether deltas are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Deltas {
    /// After the first whole answer.
    #[default]
    Used,
    /// Never: all is fetched each time.
    Unused,
}

impl Fetcher {
    /// Nothing is known yet. Instances of these regions are asked for beside those of the server's own.
    pub fn new(caller: Caller, regions: &[Box<str>], deltas: Deltas) -> Self {
        let regions: Vec<String> = regions.iter().map(|region| encoded(region)).collect();
        let query =
            if regions.is_empty() { String::new() } else { format!("?regions={}", regions.join(",")) };
        Self { caller, query, deltas, known: None }
    }

    /// Asks once. What is known after it is the result; after an error that is what was known before.
    ///
    /// # Errors
    /// Why there is nothing new, for people.
    pub async fn fetch(&mut self) -> Result<Arc<Applications>, String> {
        let next = match self.known.as_ref().filter(|known| !known.is_empty()) {
            Some(known) if self.deltas == Deltas::Used => match self.changed(known.clone()).await? {
                Some(changed) => changed,
                None => self.whole().await?,
            },
            _ => self.whole().await?,
        };
        Ok(self.known.insert(next).clone())
    }

    async fn whole(&self) -> Result<Arc<Applications>, String> {
        let path = format!("apps/{}", self.query);
        let (server, reply) = self.caller.call(Method::GET, &path, None, &[]).await?;
        let read = reply.read(|answer: Answer| Arc::new(Applications::of(answer.applications)));
        match read.await {
            Ok(all) => Ok(all),
            Err(why) => {
                self.caller.distrust(&server);
                Err(format!("{}{path}: {why}", server.url()))
            }
        }
    }

    /// What was known with the changes applied. `None` where that does not give what the server has.
    async fn changed(&self, known: Arc<Applications>) -> Result<Option<Arc<Applications>>, String> {
        let path = format!("apps/delta{}", self.query);
        // A server may have deltas switched off, or not be ready for readers.
        let also = [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];
        let (_, reply) = self.caller.call(Method::GET, &path, None, &also).await?;
        if !reply.status.is_success() {
            return Ok(None);
        }
        // What cannot be read is no reason to fail: the whole may still be good.
        Ok(reply.read(move |answer: Answer| known.with(answer.applications)).await.unwrap_or(None))
    }
}
