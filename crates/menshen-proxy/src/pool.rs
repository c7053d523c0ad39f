//! Idle connections to endpoints, kept by each worker for itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use rustc_hash::FxBuildHasher;

use crate::endpoint::Endpoint;
use crate::h2::pool::Connections;
use crate::service::Service;
use crate::stream::Stream;

#[derive(Debug)]
struct Idle {
    connection: Connection,
    /// When it is to be closed.
    until: Instant,
}

/// A connection to an endpoint.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    pub(crate) born: Instant,
}

/// The pools of a worker, by the number of the endpoint.
#[derive(Default)]
pub(crate) struct Pools {
    /// Connections over HTTP/2, which are shared while they carry requests.
    pub(crate) multiplexed: Rc<Connections>,
    idle: RefCell<HashMap<u32, Vec<Idle>, FxBuildHasher>>,
}

impl Pools {
    /// Takes the connection that was used last, if one is still good.
    pub(crate) fn take(&self, endpoint: &Endpoint) -> Option<Connection> {
        let mut pools = self.idle.borrow_mut();
        let list = pools.get_mut(&endpoint.id)?;
        while let Some(mut idle) = list.pop() {
            if idle.connection.stream.is_quiet() {
                return Some(idle.connection);
            }
        }
        None
    }

    /// Keeps a connection for later, unless there are enough.
    pub(crate) fn give(&self, service: &Service, endpoint: &Endpoint, connection: Connection, now: Instant) {
        let mut pools = self.idle.borrow_mut();
        let list = pools.entry(endpoint.id).or_default();
        let until = (now + service.idle_timeout).min(connection.born + service.max_age);
        if list.len() < service.idle_connections && until > now {
            list.push(Idle { connection, until });
        }
    }

    /// Closes connections that idled too long or were closed by the endpoint.
    pub(crate) fn sweep(&self, now: Instant) {
        self.multiplexed.sweep(now);
        let mut pools = self.idle.borrow_mut();
        for list in pools.values_mut() {
            list.retain_mut(|i| now < i.until && i.connection.stream.is_quiet());
        }
        pools.retain(|_, list| !list.is_empty());
    }
}
