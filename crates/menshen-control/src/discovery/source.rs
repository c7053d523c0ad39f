//! A source: somebody who knows where the instances of a service are.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use menshen_config::document::{Place, Protocol};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// One instance as a source knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name at the source; unique within the set.
    pub id: Box<str>,
    /// Where it is.
    pub address: Place,
    /// The host that it goes by in `Host` and in TLS, where that is not the one in its address: DNS knows `users.internal` at
    /// `10.0.0.5`.
    pub host: Option<Box<str>>,
    /// How it is spoken to, where the source knows; else as the service says.
    pub protocol: Option<Protocol>,
    /// Its part of the requests in proportion to the others'; 0 gets none.
    pub weight: u32,
    /// Where it runs, as far as nearness matters.
    pub zone: Option<Box<str>>,
    /// What else is said of it.
    pub metadata: BTreeMap<Box<str>, Box<str>>,
}

impl Instance {
    /// An instance of which only the place is known.
    pub fn at(address: Place) -> Self {
        let id = address.to_string().into();
        Self { id, address, host: None, protocol: None, weight: 1, zone: None, metadata: BTreeMap::new() }
    }
}

/// What a source knows now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The whole set. An empty one says that there are no instances.
    Set(Vec<Instance>),
    /// There was no answer, or none that can be understood: why, for people.
    Failed(String),
}

/// An answer, and when the source will ask again.
#[derive(Debug)]
pub struct Finding {
    /// What it knows.
    pub answer: Answer,
    /// In how long it asks again, where it knows.
    pub again_in: Option<Duration>,
}

/// Where a source says what it knows.
#[derive(Clone, Debug)]
pub struct Findings(mpsc::Sender<Finding>);

impl Findings {
    /// Both ends. Few findings wait: a source that is faster than its reader waits for it.
    pub fn channel() -> (Self, mpsc::Receiver<Finding>) {
        let (tell, told) = mpsc::channel(2);
        (Self(tell), told)
    }

    /// Says what is known now. To be called after every answer and every failure, also when the set is what it was: agreement
    /// counts.
    pub async fn tell(&self, answer: Answer, again_in: Option<Duration>) {
        // Nobody listens any more when the source is about to be dropped.
        let _ = self.0.send(Finding { answer, again_in }).await;
    }
}

/// What a source does until it is dropped.
pub type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Asks a registry.
pub trait Source: Send + fmt::Debug {
    /// Runs as a task of the control runtime until it is dropped. It must never block; it waits longer after each failure and
    /// bounds what it reads and for how long.
    fn run(self: Box<Self>, to: Findings) -> Run;

    /// What is asked for and where, for people: `eureka USER-SERVICE at http://10.0.0.1:8761/eureka/`.
    fn about(&self) -> String;
}
