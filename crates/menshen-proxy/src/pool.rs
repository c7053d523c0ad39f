//! Idle connections to endpoints, kept by each worker for itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;

use crate::endpoint::{Endpoint, HttpVersion};
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
    pub(crate) fn take(&self, endpoint: &Endpoint, now: Instant) -> Option<Connection> {
        let mut pools = self.idle.borrow_mut();
        let pool = pools.get_mut(&endpoint.id)?;
        while let Some(mut idle) = pool.idle.pop() {
            if now < idle.until && idle.connection.stream.is_quiet() {
                return Some(idle.connection);
            }
        }
        None
    }

    /// How many idle connections there are to an endpoint; any number, if one carries many requests.
    pub(crate) fn count(&self, endpoint: &Endpoint) -> usize {
        match endpoint.version {
            HttpVersion::Http1 => self.idle.borrow().get(&endpoint.id).map_or(0, |pool| pool.idle.len()),
            HttpVersion::Http2 if self.multiplexed.is_open(endpoint) => usize::MAX,
            HttpVersion::Http2 => 0,
        }
    }

    /// Keeps a connection for later, unless there are enough or the endpoint has left its service; not as long as the
    /// service says that it does.
    pub(crate) fn give(
        &self,
        service: &Service,
        endpoint: &Arc<Endpoint>,
        connection: Connection,
        kept_for: Option<Duration>,
        now: Instant,
    ) {
        if endpoint.presence.has_left() {
            return;
        }
        let mut pools = self.idle.borrow_mut();
        let pool = || Pool { endpoint: endpoint.clone(), idle: Vec::new() };
        let list = &mut pools.entry(endpoint.id).or_insert_with(pool).idle;
        let idle = kept_for.map_or(service.idle_timeout, |kept| before(kept).min(service.idle_timeout));
        let until = (now + idle).min(connection.born + service.max_age);
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

/// How long a service says that it keeps an idle connection: `timeout` of a Keep-Alive field (RFC 2068 §19.7.1.1).
pub(crate) fn announced(field: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(field).ok()?;
    let parameters = text.split(',').filter_map(|parameter| parameter.trim().split_once('='));
    let timeout = parameters.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))?.1;
    timeout.trim().trim_matches('"').parse().ok().map(Duration::from_secs)
}

/// A time that is over before this one, so that a request does not cross the close: a second, or half of it.
fn before(kept: Duration) -> Duration {
    kept.saturating_sub(Duration::from_secs(1)).max(kept / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_announced_is_read_or_left(field in prop::collection::vec(any::<u8>(), 0..64), n: u64) {
            let _ = announced(&field);
            let text = format!("max=1, timeout={n}");
            prop_assert_eq!(announced(text.as_bytes()), Some(Duration::from_secs(n)));
            prop_assert!(before(Duration::from_secs(n)) <= Duration::from_secs(n));
        }
    }

    #[test]
    fn what_a_service_announces_is_read_and_kept_to() {
        for (field, seconds) in [
            ("timeout=5, max=100", Some(5)),
            ("max=100,Timeout = 7", Some(7)),
            ("max=100, Timeout=\"7\"", Some(7)),
            ("timeout=soon", None),
            ("", None),
        ] {
            assert_eq!(announced(field.as_bytes()), seconds.map(Duration::from_secs), "{field}");
        }
        let millis = |seconds| before(Duration::from_secs(seconds)).as_millis();
        assert_eq!((millis(5), millis(1), millis(0)), (4_000, 500, 0));
    }
}
