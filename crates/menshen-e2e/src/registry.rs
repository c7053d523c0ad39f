//! A registry over HTTP that does what a test wants, good or bad.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Conversation, Origin, Request};

/// What a registry does with a request.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Says these bytes.
    Says(Arc<[u8]>),
    /// Takes the request and says nothing.
    Silent,
    /// Says these bytes, and then the second ones for ever.
    Endless(Arc<[u8]>, Arc<[u8]>),
    /// Closes.
    Closes,
}

impl Manner {
    /// Says this.
    pub fn says(bytes: impl AsRef<[u8]>) -> Self {
        Self::Says(bytes.as_ref().into())
    }
}

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    origin: Origin,
    manner: Arc<Mutex<Manner>>,
}

impl Registry {
    /// One that does this.
    pub fn new(manner: Manner) -> Self {
        let manner = Arc::new(Mutex::new(manner));
        let now = manner.clone();
        let origin = Origin::scripted(move |c| {
            while let Some(request) = c.request() {
                let manner = now.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if !act(c, manner) {
                    return;
                }
                drop(request);
            }
        });
        Self { origin, manner }
    }

    /// Does this from now on.
    pub fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.origin.address()
    }

    /// What it was asked.
    pub fn requests(&self) -> Vec<Request> {
        self.origin.requests()
    }
}

/// False when the connection ends.
fn act(c: &mut Conversation, manner: Manner) -> bool {
    match manner {
        Manner::Says(bytes) => c.send(bytes),
        Manner::Silent => {
            c.wait_for_close();
            false
        }
        Manner::Endless(head, rest) => {
            let mut is_open = c.send(head);
            while is_open {
                is_open = c.send(&rest);
            }
            false
        }
        Manner::Closes => false,
    }
}
