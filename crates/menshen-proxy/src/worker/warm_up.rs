//! Connections that are made before anybody needs them, to the endpoints of services that want it: at the start, and when
//! endpoints come.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Worker;
use crate::connect::open;
use crate::endpoint::{Endpoint, HttpVersion};
use crate::exchange::Client;
use crate::pool::Connection;
use crate::service::Service;
use crate::snapshot::Snapshot;

/// Connections that a worker makes at once.
const AT_ONCE: usize = 32;
/// How long one may take, and all of them.
const ONE_WITHIN: Duration = Duration::from_secs(2);
const ALL_WITHIN: Duration = Duration::from_secs(5);

/// A connection to be made.
type Wanted = (Arc<Service>, Arc<Endpoint>);

impl Worker {
    /// Makes what the services of a snapshot want to be there and is not.
    pub(super) fn warm_up(self: &Rc<Self>, snapshot: &Snapshot) {
        let services = snapshot.services.iter().filter(|service| service.warm_connections > 0);
        let wanted: Vec<Wanted> = services.flat_map(|service| self.missing(service)).collect();
        if wanted.is_empty() {
            return;
        }
        let stats = self.stats.clone();
        if let Some(cells) = stats.of(self.index) {
            cells.warming.add(1);
        }
        let worker = self.clone();
        tokio::task::spawn_local(async move {
            // Those that are not made in time will be made when they are needed.
            let _ = timeout(ALL_WITHIN, worker.make(wanted)).await;
            if let Some(cells) = stats.of(worker.index) {
                cells.warming.sub(1);
            }
        });
    }

    fn missing(&self, service: &Arc<Service>) -> Vec<Wanted> {
        let most = service.warm_connections.min(service.idle_connections);
        let missing = |endpoint: &Arc<Endpoint>| {
            let most = match (endpoint.version, endpoint.introduction) {
                // It is introduced to one client, who is not there yet.
                (_, Some(_)) => 0,
                (HttpVersion::Http1, None) => most,
                (HttpVersion::Http2, None) => 1,
            };
            let missing = most.saturating_sub(self.pools.count(endpoint));
            std::iter::repeat_n((service.clone(), endpoint.clone()), missing)
        };
        service.endpoints.iter().flat_map(missing).collect()
    }

    async fn make(self: &Rc<Self>, wanted: Vec<Wanted>) {
        let mut making = JoinSet::new();
        for (service, endpoint) in wanted {
            if making.len() >= AT_ONCE {
                making.join_next().await;
            }
            let worker = self.clone();
            making.spawn_local(async move { worker.make_one(&service, &endpoint).await });
        }
        while making.join_next().await.is_some() {}
    }

    /// Connects. Requests find out for themselves what is wrong with an endpoint.
    async fn make_one(self: &Rc<Self>, service: &Service, endpoint: &Arc<Endpoint>) {
        let nobody = Client::default().addresses();
        let Ok(Ok(stream)) = timeout(ONE_WITHIN, open(endpoint, nobody)).await else {
            let (service, endpoint) = (&service.name, &endpoint.authority);
            return tracing::debug!(%service, %endpoint, "no connection could be made in advance");
        };
        let born = Instant::now();
        match endpoint.version {
            HttpVersion::Http1 => {
                self.pools.give(service, endpoint, Connection { stream, born }, None, born);
            }
            HttpVersion::Http2 => drop(self.pools.multiplexed.open(self, service, endpoint, stream)),
        }
    }
}
