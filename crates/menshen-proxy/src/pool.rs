//! Idle connections to endpoints, kept by each worker for itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
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

/// The idle connections to one endpoint.
struct Pool {
    endpoint: Arc<Endpoint>,
    idle: Vec<Idle>,
}

/// The pools of a worker, by the number of the endpoint.
#[derive(Default)]
pub(crate) struct Pools {
    /// Connections over HTTP/2, which are shared while they carry requests.
    pub(crate) multiplexed: Rc<Connections>,
    idle: RefCell<HashMap<u32, Pool, FxBuildHasher>>,
}

impl Pools {
    /// Takes the connection that was used last, if one is still good.
    pub(crate) fn take(&self, endpoint: &Endpoint) -> Option<Connection> {
        let mut pools = self.idle.borrow_mut();
        let pool = pools.get_mut(&endpoint.id)?;
        while let Some(mut idle) = pool.idle.pop() {
            if idle.connection.stream.is_quiet() {
                return Some(idle.connection);
            }
        }
        None
    }

    /// Keeps a connection for later, unless there are enough or the endpoint has left its service.
    pub(crate) fn give(
        &self,
        service: &Service,
        endpoint: &Arc<Endpoint>,
        connection: Connection,
        now: Instant,
    ) {
        if endpoint.presence.has_left() {
            return;
        }
        let mut pools = self.idle.borrow_mut();
        let pool = || Pool { endpoint: endpoint.clone(), idle: Vec::new() };
        let list = &mut pools.entry(endpoint.id).or_insert_with(pool).idle;
        let until = (now + service.idle_timeout).min(connection.born + service.max_age);
        if list.len() < service.idle_connections && until > now {
            list.push(Idle { connection, until });
        }
    }

    /// Closes connections that idled too long, were closed by the endpoint, or lead to one that has left its service.
    pub(crate) fn sweep(&self, now: Instant) {
        self.multiplexed.sweep(now);
        let mut pools = self.idle.borrow_mut();
        for pool in pools.values_mut() {
            let has_left = pool.endpoint.presence.has_left();
            pool.idle.retain_mut(|i| !has_left && now < i.until && i.connection.stream.is_quiet());
        }
        pools.retain(|_, pool| !pool.idle.is_empty());
    }
}
