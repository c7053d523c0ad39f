//! Addresses of host names: asked when a name is first seen and again when the answer is over; the last good answer stays.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use menshen_config::document::Address;

use crate::Ground;
use crate::discovery::jittered;

/// An answer is good for at least and at most so long, whatever DNS says.
const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_secs(30);
/// How often is looked whether an answer is over.
const TICK: Duration = Duration::from_secs(1);

/// Known names.
#[derive(Debug, Default)]
pub struct Names {
    known: Mutex<BTreeMap<(Box<str>, u16), Answer>>,
}

#[derive(Debug)]
struct Answer {
    addresses: Vec<SocketAddr>,
    /// When it is over.
    until: Instant,
}

impl Names {
    /// The addresses of a host and port.
    ///
    /// # Errors
    /// What the resolver says, where there is no earlier answer.
    pub fn addresses(&self, address: &Address) -> Result<Vec<SocketAddr>, String> {
        let known = self.known(address);
        if !known.is_empty() {
            return Ok(known);
        }
        let found = ask(address)?;
        self.learn(address, found.clone(), Duration::ZERO);
        Ok(found)
    }

    /// The addresses of a host and port as far as they are known; nobody is asked.
    pub fn known(&self, address: &Address) -> Vec<SocketAddr> {
        if let Ok(ip) = address.host.parse::<IpAddr>() {
            return vec![SocketAddr::new(ip, address.port)];
        }
        let known = self.lock();
        known.get(&(address.host.clone(), address.port)).map(|a| a.addresses.clone()).unwrap_or_default()
    }

    /// These are the addresses of a host and port, for so long. True when they were others.
    pub fn learn(&self, address: &Address, mut addresses: Vec<SocketAddr>, ttl: Duration) -> bool {
        addresses.sort();
        addresses.dedup();
        let until = Instant::now() + jittered(ttl.clamp(MIN_TTL, MAX_TTL));
        let mut known = self.lock();
        let key = (address.host.clone(), address.port);
        let is_other = known.get(&key).is_none_or(|a| a.addresses != addresses);
        known.insert(key, Answer { addresses, until });
        is_other
    }

    /// The names whose answers are over.
    fn due(&self, now: Instant) -> Vec<Address> {
        let known = self.lock();
        let due = known.iter().filter(|(_, a)| a.until <= now);
        due.map(|((host, port), _)| Address { host: host.clone(), port: *port }).collect()
    }

    /// There was no answer: the last one stays for a while longer.
    fn keep(&self, address: &Address) {
        if let Some(answer) = self.lock().get_mut(&(address.host.clone(), address.port)) {
            answer.until = Instant::now() + jittered(MAX_TTL);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(Box<str>, u16), Answer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the system, which may know names that DNS does not, and waits for it.
fn ask(address: &Address) -> Result<Vec<SocketAddr>, String> {
    let found = (&*address.host, address.port).to_socket_addrs().map_err(|e| e.to_string())?;
    let found: Vec<_> = found.collect();
    if found.is_empty() { Err("the name has no address".to_owned()) } else { Ok(found) }
}

/// Asks for names again when their answers are over, until it is dropped. Services are compiled anew when there are others.
pub async fn run(ground: Arc<Ground>) {
    loop {
        tokio::time::sleep(TICK).await;
        let due = ground.names.due(Instant::now());
        if due.is_empty() {
            continue;
        }
        let resolver = ground.discovery.resolver();
        let looked_up = match resolver {
            Ok(resolver) => resolver.look_up(&ground.names, due).await,
            Err(why) => crate::discovery::LookedUp {
                has_changed: false,
                failed: due.into_iter().map(|a| (a, why.clone())).collect(),
            },
        };
        let names = ground.clone();
        let failed = looked_up.failed;
        let by_system = tokio::task::spawn_blocking(move || ask_system(&names.names, &failed));
        if by_system.await.unwrap_or(false) || looked_up.has_changed {
            ground.discovery.names_have_changed();
        }
    }
}

/// True when an answer is another than before.
fn ask_system(names: &Names, failed: &[(Address, String)]) -> bool {
    let mut has_changed = false;
    for (address, why) in failed {
        match ask(address) {
            Ok(found) => has_changed |= names.learn(address, found, MAX_TTL),
            Err(_) => {
                tracing::debug!(%address, "{why}; the last good addresses stay");
                names.keep(address);
            }
        }
    }
    has_changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_over_after_its_ttl_and_stays_until_there_is_another() {
        let names = Names::default();
        let address: Address = "users.test:80".parse().unwrap();
        let at = |text: &str| vec![text.parse::<SocketAddr>().unwrap()];
        assert!(names.learn(&address, at("10.0.0.1:80"), Duration::from_secs(5)));
        assert!(!names.learn(&address, at("10.0.0.1:80"), Duration::from_secs(5)));
        assert!(names.due(Instant::now() + Duration::from_secs(4)).is_empty());
        assert_eq!(names.due(Instant::now() + Duration::from_secs(6)), std::slice::from_ref(&address));
        assert_eq!(names.known(&address), at("10.0.0.1:80"));
        names.keep(&address);
        assert!(names.due(Instant::now() + Duration::from_secs(20)).is_empty());
        assert!(names.learn(&address, at("10.0.0.2:80"), Duration::MAX));
        assert_eq!(names.due(Instant::now() + Duration::from_secs(31)), [address]);
    }
}
