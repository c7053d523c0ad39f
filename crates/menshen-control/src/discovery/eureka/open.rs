//! A registry as it is written in a document, made ready to be asked.

use std::sync::Arc;
use std::time::Duration;

use menshen_config::document::{Eureka as Written, RegistryUrl, Switch};
use menshen_config::{Path, Problems, Spanned};

use super::fetch::Deltas;
use super::registry::{Registry, Settings};
use super::servers::Server;
use crate::Ground;
use crate::discovery::client::{Base, Client};
use crate::discovery::trust::{self, Roots};

/// How often a registry is fetched, as its own clients do it.
const REFRESH: Duration = Duration::from_secs(30);
/// The least time between two fetches.
const LEAST: Duration = Duration::from_millis(100);
/// How long one server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Tells what is wrong with a registry before it is asked.
pub fn check(written: &Spanned<Written>, problems: &mut Problems) {
    let path = Path::root().key("registries").key("eureka");
    if written.value.servers.is_empty() && written.value.zones.values().all(|list| list.is_empty()) {
        problems
            .error(written.span, path.key("servers"), "there is no server to ask")
            .hint("add `servers: http://10.0.0.1:8761/eureka/`");
    }
    match (&written.value.user, &written.value.password) {
        (Some(_), None) => {
            problems
                .error(written.span, path.key("user"), "a user name without a password")
                .hint("add `password: env:EUREKA_PASSWORD`");
        }
        (None, Some(password)) => {
            problems
                .error(password.span, path.key("password"), "a password without a user name")
                .hint("add `user: NAME`");
        }
        _ => {}
    }
}

/// The registry, the same for all services that are found in it.
///
/// # Errors
/// Why it cannot be asked, for people.
pub fn registry(
    written: &Written,
    refresh: Option<Duration>,
    ground: &Ground,
) -> Result<Arc<Registry>, String> {
    let password = written.password.as_ref().map(|p| trust::secret(&p.value)).transpose();
    let password = password.map_err(|why| format!("the password for Eureka: {why}"))?;
    let credentials = written.user.as_deref().zip(password.as_deref());
    let roots = Roots::of(written.ca.as_ref().map(|ca| &ca.value), &ground.files)?;
    let server = |url: &RegistryUrl, zone: Option<&str>| {
        Base::new(url, credentials).map(|at| Server { at, zone: zone.map(Into::into) })
    };
    let zones =
        written.zones.iter().flat_map(|(zone, list)| list.iter().map(move |url| (url, Some(&**zone))));
    let all = written.servers.iter().map(|url| (url, None)).chain(zones);
    let servers: Vec<Server> = all.map(|(url, zone)| server(url, zone)).collect::<Result<_, _>>()?;
    if servers.is_empty() {
        return Err("there is no server to ask".to_owned());
    }
    let settings = Settings {
        servers,
        zone: written.zone.clone(),
        regions: written.regions.clone(),
        interval: refresh.or(written.refresh.map(|d| d.0)).unwrap_or(REFRESH).max(LEAST),
        within: written.timeout.map_or(TIMEOUT, |d| d.0),
        deltas: match written.deltas {
            Some(Switch::Off) => Deltas::Unused,
            _ => Deltas::Used,
        },
        trust: roots.fingerprint,
    };
    let make = || Client::new(roots.store).map(|client| Registry::new(settings.clone(), client));
    ground.eurekas.try_get(settings.clone(), |_| true, make)
}
