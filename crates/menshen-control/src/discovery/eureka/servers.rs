//! Which server of a registry is asked: one of the own zone first, each client in an order of its own, and not one that has
//! just failed.

use std::time::Duration;

use tokio::time::Instant;

use crate::discovery::client::Base;

/// How many servers are asked before a call has failed.
pub const TRIES: usize = 3;
/// How long a client stays with a server, half of it more or less, so that clients spread over servers that come back.
const STAY: Duration = Duration::from_secs(20 * 60);

/// One server of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// Where it is.
    pub at: Base,
    /// In which zone, where that is known.
    pub zone: Option<Box<str>>,
}

/// The servers of a registry, in the order in which this client asks them.
#[derive(Debug)]
pub struct Servers {
    all: Vec<Server>,
    /// The own zone.
    zone: Option<Box<str>>,
    /// Those that have failed.
    quarantine: Vec<Base>,
    /// Until when the order holds.
    until: Instant,
}

impl Servers {
    /// All of them, in a new order.
    pub fn new(all: Vec<Server>, zone: Option<Box<str>>) -> Self {
        let mut this = Self { all, zone, quarantine: Vec::new(), until: Instant::now() };
        this.shuffle();
        this
    }

    fn shuffle(&mut self) {
        fastrand::shuffle(&mut self.all);
        let zone = self.zone.take();
        self.all.sort_by_key(|server| zone.is_some() && server.zone != zone);
        self.zone = zone;
        self.quarantine.clear();
        self.until = Instant::now() + STAY.mul_f64(0.5 + fastrand::f64());
    }

    /// Whom to ask for one call: at most [`TRIES`], those in quarantine left out.
    pub fn candidates(&mut self) -> Vec<Base> {
        if self.until <= Instant::now() {
            self.shuffle();
        }
        // When two of three are in quarantine the fault is more likely on our side.
        if self.quarantine.len() * 3 >= self.all.len() * 2 {
            self.quarantine.clear();
        }
        let well = self.all.iter().map(|server| &server.at).filter(|at| !self.quarantine.contains(at));
        well.take(TRIES).cloned().collect()
    }

    /// This one has failed.
    pub fn failed(&mut self, server: &Base) {
        if !self.quarantine.contains(server) {
            self.quarantine.push(server.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(zones: &[&str], own: Option<&str>) -> Servers {
        let server = |(n, zone): (usize, &&str)| Server {
            at: Base::new(&format!("http://{zone}-{n}:8761/eureka/").parse().unwrap(), None).unwrap(),
            zone: Some((*zone).into()),
        };
        Servers::new(zones.iter().enumerate().map(server).collect(), own.map(Into::into))
    }

    #[test]
    fn the_own_zone_is_asked_first() {
        for _ in 0..20 {
            let first = servers(&["a", "b", "c", "b"], Some("b")).candidates();
            let in_b: Vec<bool> = first.iter().map(|at| at.url().starts_with("http://b")).collect();
            assert_eq!(in_b, [true, true, false]);
        }
    }

    #[test]
    fn who_failed_is_not_asked_again_until_most_have() {
        let mut servers = servers(&["a", "a", "a", "a"], None);
        let first = servers.candidates()[0].clone();
        servers.failed(&first);
        assert!(!servers.candidates().contains(&first));
        for server in servers.all.clone() {
            servers.failed(&server.at);
        }
        assert_eq!(servers.candidates().len(), TRIES);
    }

    #[test]
    fn the_only_server_is_always_asked() {
        let mut servers = servers(&["a"], None);
        let only = servers.candidates()[0].clone();
        servers.failed(&only);
        assert_eq!(servers.candidates().len(), 1);
    }

    #[test]
    fn clients_ask_in_orders_of_their_own() {
        let zones = ["a"; 6];
        let orders: Vec<String> =
            (0..20).map(|_| servers(&zones, None).candidates()[0].url().to_owned()).collect();
        assert!(orders.iter().any(|first| *first != orders[0]), "{orders:?}");
    }
}
