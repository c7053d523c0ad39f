//! `registries: { eureka: { register } }` → what is said of this gateway to others.

use std::sync::Arc;
use std::time::Duration;

use menshen_config::{Document, Path, Problems};
use menshen_proxy::Listener;

use super::Purpose;
use crate::Ground;
use crate::discovery::eureka::open;
use crate::discovery::eureka::registration::{Entry, Registration};

/// How often a lease is renewed; servers count on this.
const RENEWAL: Duration = Duration::from_secs(30);

/// What is said. `None` where nothing is, and after a problem.
pub(super) fn compile(
    document: &Document,
    listeners: &[Arc<Listener>],
    ground: &Ground,
    purpose: Purpose,
    problems: &mut Problems,
) -> Option<Registration> {
    let registry = &document.registries.eureka.as_ref()?.value;
    let written = registry.register.as_ref()?;
    let path = Path::root().key("registries").key("eureka").key("register");
    if written.app.is_empty() {
        problems
            .error(written.span, path.key("app"), "the app has no name")
            .hint("write for example `app: GATEWAY`");
        return None;
    }
    let port_of = |has_tls: bool| {
        let mut fitting = listeners.iter().filter(|l| l.tls.is_some() == has_tls);
        fitting.find_map(|l| l.sockets.address().tcp()).map(|address| address.port())
    };
    let named = written.port.is_some() || written.secure_port.is_some();
    let port = written.port.or_else(|| port_of(false).filter(|_| !named));
    let secure_port = written.secure_port.or_else(|| port_of(true).filter(|_| !named));
    if port.is_none() && secure_port.is_none() && purpose == Purpose::Serve {
        problems
            .error(written.span, path.key("port"), "no listener has a port that others could call")
            .hint("write `port: NUMBER`, or add a listener at an IP address");
        return None;
    }
    let mut metadata = written.metadata.clone();
    if let Some(zone) = &registry.zone {
        metadata.entry("zone".into()).or_insert_with(|| zone.clone());
    }
    let entry = Entry {
        app: written.app.to_uppercase().into(),
        id: written.id.clone(),
        host: written.host.clone(),
        port,
        secure_port,
        vip: written.vip.clone().unwrap_or_else(|| written.app.to_lowercase().into()),
        home_url: written.home_url.clone(),
        status_url: written.status_url.clone(),
        health_url: written.health_url.clone(),
        metadata,
        renewal: written.renew.map_or(RENEWAL, |d| d.0.max(Duration::from_secs(1))),
    };
    if purpose == Purpose::Check || problems.has_errors() {
        return None;
    }
    match open::registry(registry, None, ground) {
        Ok(registry) => Some(Registration { registry, entry }),
        Err(why) => {
            problems.error(written.span, path, why);
            None
        }
    }
}
