//! One instance as a Eureka server knows it, and as a service sees it.

use std::collections::BTreeMap;

use menshen_config::document::{
    Address, EurekaAddress as Called, EurekaPort as Port, EurekaStatus as Status, Place, Protocol,
};

use crate::discovery::Instance;

/// What a delta says of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is there, as it is said now.
    Added,
    /// It is gone.
    Deleted,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Its name, unique within its application.
    pub id: Box<str>,
    /// Its application, in upper case.
    pub app: Box<str>,
    /// Its host name; may be empty.
    pub host: Box<str>,
    /// Its IP address; may be empty.
    pub ip: Box<str>,
    /// Its state.
    pub status: Status,
    /// The state that people gave it, [`Status::Unknown`] for none.
    pub overridden: Status,
    /// Its port, where that is switched on.
    pub port: Option<u16>,
    /// Its port for TLS, where that is switched on.
    pub secure_port: Option<u16>,
    /// Its virtual addresses, with commas between them.
    pub vip: Box<str>,
    /// Its virtual addresses for TLS, with commas between them.
    pub secure_vip: Box<str>,
    /// Its zone: that of its metadata, else the one of its data center.
    pub zone: Option<Box<str>>,
    /// What else is said of it.
    pub metadata: BTreeMap<Box<str>, Box<str>>,
}

impl Info {
    /// The state that counts for requests. Who was taken out by people is out, also where the server has not said so in its
    /// status yet.
    pub fn effective(&self) -> Status {
        match (self.status, self.overridden) {
            (Status::Up, Status::OutOfService) => Status::OutOfService,
            (status, _) => status,
        }
    }

    /// As a service sees it. `None` where it has no address or port of this kind.
    pub fn seen(&self, called: Called, port: Port) -> Option<Instance> {
        let (number, protocol) = match (port, self.port, self.secure_port) {
            (Port::Any | Port::Secure, _, Some(secure)) => (secure, Some(Protocol::Https)),
            (Port::Any | Port::Plain, Some(plain), _) => (plain, None),
            _ => return None,
        };
        let address = self.address(called, number)?;
        let weight = self.metadata.get("weight").and_then(|w| w.trim().parse().ok()).unwrap_or(1);
        Some(Instance {
            id: self.id.clone(),
            address: Place::Net(address),
            host: None,
            protocol,
            weight,
            zone: self.zone.clone(),
            metadata: self.metadata.clone(),
        })
    }

    /// The wanted address, else the other one.
    fn address(&self, called: Called, port: u16) -> Option<Address> {
        let (first, second) = match called {
            Called::Host => (&self.host, &self.ip),
            Called::Ip => (&self.ip, &self.host),
        };
        [first, second].into_iter().find_map(|host| address(host, port))
    }
}

/// A host and a port, if the host is one.
pub fn address(host: &str, port: u16) -> Option<Address> {
    match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]:{port}").parse().ok(),
        false => format!("{host}:{port}").parse().ok(),
    }
}
