//! Consul as it is written in a document, made ready to be asked.

use std::time::Duration;

use http::header::HeaderValue;
use menshen_config::document::{Consul as Written, ConsulQuery};
use menshen_config::{Path, Problems, Spanned};

use super::catalog::Catalog;
use super::{Consul, Settings};
use crate::Ground;
use crate::discovery::client::{Base, Client};
use crate::discovery::trust::{self, Roots};

/// How long an agent may hold a question back.
const WAIT: Duration = Duration::from_secs(30);
/// The longest that an agent takes.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// How long an agent may take beyond that.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The name in metadata that tells the zone.
const ZONE: &str = "zone";

/// Tells what is wrong with a registry before it is asked.
pub fn check(written: &Spanned<Written>, problems: &mut Problems) {
    let path = Path::root().key("registries").key("consul");
    if written.value.address.is_empty() {
        problems
            .error(written.span, path.key("address"), "there is no agent to ask")
            .hint("add `address: http://127.0.0.1:8500`");
    }
    if written.value.wait.is_some_and(|wait| wait.0 > LONGEST_WAIT || wait.0 < Duration::from_secs(1)) {
        problems
            .error(written.span, path.key("wait"), "agents hold questions back for at most 10 minutes")
            .hint("write a time from `1s` to `10m`");
    }
}

/// A service in Consul. A question is held back for at most `refresh` where that is given.
///
/// # Errors
/// Why it cannot be asked, for people.
pub fn source(
    written: &Written,
    query: &ConsulQuery,
    refresh: Option<Duration>,
    ground: &Ground,
) -> Result<Consul, String> {
    let (settings, client) = ways(written, refresh, ground)?;
    Ok(Consul::new(settings, query.clone(), client))
}

/// The list of its services.
///
/// # Errors
/// Why it cannot be asked, for people.
pub fn catalog(written: &Written, ground: &Ground) -> Result<Catalog, String> {
    let (settings, client) = ways(written, None, ground)?;
    Ok(Catalog::new(settings, client))
}

fn ways(written: &Written, refresh: Option<Duration>, ground: &Ground) -> Result<(Settings, Client), String> {
    let agents: Vec<Base> =
        written.address.iter().map(|url| Base::new(url, None)).collect::<Result<_, _>>()?;
    if agents.is_empty() {
        return Err("there is no agent to ask".to_owned());
    }
    let roots = Roots::of(written.ca.as_ref().map(|ca| &ca.value), &ground.files)?;
    let settings = Settings {
        agents,
        token: written.token.as_ref().map(|token| header(&token.value)).transpose()?,
        datacenter: written.datacenter.clone(),
        wait: refresh
            .or(written.wait.map(|d| d.0))
            .unwrap_or(WAIT)
            .clamp(Duration::from_secs(1), LONGEST_WAIT),
        within: written.timeout.map_or(TIMEOUT, |d| d.0),
        zone_key: written.zone_key.clone().unwrap_or_else(|| ZONE.into()),
    };
    Ok((settings, Client::new(roots.store)?))
}

fn header(place: &menshen_config::quantity::Secret) -> Result<HeaderValue, String> {
    let text = trust::secret(place).map_err(|why| format!("the token for Consul: {why}"))?;
    let mut value =
        HeaderValue::from_str(text.trim()).map_err(|_| "the token for Consul cannot be sent".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}
