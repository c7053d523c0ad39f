//! What a filter is to the data plane: one trait per phase.
//!
//! A filter sees one exchange and its own configuration. It is built once when the configuration is compiled,
//! shared by all workers, and must not block.

use std::future::Future;
use std::pin::Pin;

use crate::{Attempt, Exchange, Failure, Finished, Reply, ServiceId};

/// What a `pre` filter decided.
#[derive(Debug)]
pub enum Flow {
    /// Go on with the next filter.
    Continue,
    /// Answer now; no service is called. The `post` filters of the steps entered so far still run.
    Answer(Box<Reply>),
    /// Fail; the `error` filters see it first, then the `post` filters.
    Fail(Failure),
}

/// Runs before the service is called, in the order of the document.
pub trait PreFilter: Send + Sync {
    /// Looks at the request and may change it, answer it or refuse it.
    fn pre(&self, exchange: &mut Exchange) -> Flow;
}

/// The future of an asynchronous filter; it lives on one worker.
pub type FilterFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A `pre` filter that must wait for somebody. Costs an allocation per request.
pub trait PreFilterAsync: Send + Sync {
    /// As [`PreFilter::pre`].
    fn pre<'a>(&'a self, exchange: &'a mut Exchange) -> FilterFuture<'a, Flow>;
}

/// Runs before each attempt, when the endpoint is known.
pub trait RouteFilter: Send + Sync {
    /// Looks at the attempt and may change the request.
    ///
    /// # Errors
    /// A failure ends the attempt as if the service had failed that way.
    fn attempt(&self, exchange: &mut Exchange, attempt: &Attempt) -> Result<(), Failure>;
}

/// Runs on the reply, in reverse order of the document, also for replies made by the gateway.
pub trait PostFilter: Send + Sync {
    /// Looks at the reply and may change it.
    ///
    /// # Errors
    /// A failure replaces the reply through the `error` filters, once.
    fn post(&self, exchange: &mut Exchange, reply: &mut Reply) -> Result<(), Failure>;
}

/// What an `error` filter did about a failure.
#[derive(Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing, or it changed the reply it was given; the next error filter may look too.
    Continue,
    /// The reply is final; no other error filter runs.
    Handled,
    /// Ask this service instead, once.
    Service(ServiceId),
}

/// Runs when something failed, with the reply that would be sent.
pub trait ErrorFilter: Send + Sync {
    /// May change or replace the reply.
    fn error(&self, exchange: &mut Exchange, failure: Failure, reply: &mut Reply) -> Recovery;
}

/// Runs after the last byte has left or the client has gone.
pub trait DoneFilter: Send + Sync {
    /// Looks at the finished exchange.
    fn done(&self, exchange: &Exchange, finished: &Finished);
}
