//! Addresses of host names: asked when a name is first seen and again from time to time; the last good answer stays.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use menshen_config::document::Address;

/// How often names are asked for again.
pub const REFRESH: Duration = Duration::from_secs(30);

/// Known names.
#[derive(Debug, Default)]
pub struct Names {
    known: Mutex<BTreeMap<(Box<str>, u16), Vec<SocketAddr>>>,
}

impl Names {
    /// The addresses of a host and port.
    ///
    /// # Errors
    /// What the resolver says, where there is no earlier answer.
    pub fn addresses(&self, address: &Address) -> Result<Vec<SocketAddr>, String> {
        if let Ok(ip) = address.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, address.port)]);
        }
        let key = (address.host.clone(), address.port);
        if let Some(known) = self.lock().get(&key) {
            return Ok(known.clone());
        }
        let found = ask(&key.0, key.1)?;
        self.lock().insert(key, found.clone());
        Ok(found)
    }

    /// The addresses of a host and port as far as they are known; nobody is asked.
    pub fn known(&self, address: &Address) -> Vec<SocketAddr> {
        if let Ok(ip) = address.host.parse::<IpAddr>() {
            return vec![SocketAddr::new(ip, address.port)];
        }
        self.lock().get(&(address.host.clone(), address.port)).cloned().unwrap_or_default()
    }

    /// These are the addresses of a host and port.
    pub fn learn(&self, address: &Address, found: Vec<SocketAddr>) {
        self.lock().insert((address.host.clone(), address.port), found);
    }

    /// Asks for all known names again. True when an answer changed.
    pub fn refresh(&self) -> bool {
        let keys: Vec<_> = self.lock().keys().cloned().collect();
        let mut changed = false;
        for key in keys {
            let Ok(found) = ask(&key.0, key.1) else { continue };
            let old = self.lock().insert(key, found.clone());
            changed |= old.as_ref() != Some(&found);
        }
        changed
    }

    /// True when no name has to be asked for.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(Box<str>, u16), Vec<SocketAddr>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ask(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let mut found: Vec<_> = (host, port).to_socket_addrs().map_err(|e| e.to_string())?.collect();
    found.sort();
    found.dedup();
    if found.is_empty() { Err("the name has no address".to_owned()) } else { Ok(found) }
}
