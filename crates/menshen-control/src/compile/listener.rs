//! Listeners and the table of routes behind each.

use std::sync::Arc;

use menshen_config::document::{
    Listener as Written, Route as WrittenRoute, Underscores as WrittenUnderscores,
};
use menshen_config::{Document, Entry, Path, Problems};
use menshen_proxy::http1::{MAX_FIELDS, Underscores};
use menshen_proxy::routes::{Conflict, ConflictKind, RouteTable};
use menshen_proxy::stats::RouteStats;
use menshen_proxy::{EncodedSlashes, Listener, Route, RouteId};

use super::chain::{self, Builder, Built, Scope};
use super::service::Services;
use super::{Purpose, order, route, settings, sockets, tls};
use crate::Ground;

/// Requests that may be allowed at once on one HTTP/2 connection.
const MOST_STREAMS: u32 = 1_000;

/// What a listener is compiled with.
pub(super) struct Place<'a, 'b> {
    pub(super) document: &'a Document,
    pub(super) ground: &'a Ground,
    pub(super) purpose: Purpose,
    pub(super) services: &'b mut Services,
    pub(super) chains: &'b mut Builder<'a>,
}

pub(super) fn compile(
    name: &str,
    written: &Entry<Written>,
    place: &mut Place<'_, '_>,
    problems: &mut Problems,
) -> Option<Listener> {
    let path = Path::root().key("listeners").key(name);
    let gateway = &place.document.gateway;
    let limits = [&written.limits, &gateway.limits];
    let head = settings::head_limits(limits);
    if head.fields > MAX_FIELDS {
        let message = format!("at most {MAX_FIELDS} fields can be allowed");
        problems.error(written.at, path.key("limits").key("fields"), message);
    }
    if !(1..=MOST_STREAMS).contains(&settings::listener_limits(limits).streams) {
        let message = format!("1 to {MOST_STREAMS} requests at once can be allowed on a connection");
        problems.error(written.at, path.key("limits").key("streams"), message);
    }
    if !(1024..=128 * 1024).contains(&head.head) {
        problems.error(written.at, path.key("limits").key("head"), "a head must be allowed 1KiB to 128KiB");
    }
    let own = own_steps(name, written, place, problems);
    let tls = match &written.tls {
        None => None,
        Some(tls) => Some(tls::listener(tls, written, &path, place, problems)?),
    };
    let table = table(name, written, &own, place, problems)?;
    let (sockets, access) = sockets::open(&written.bind, &path, place, problems)?;
    let trusted =
        written.trusted_proxies.as_deref().or(gateway.trusted_proxies.as_deref()).unwrap_or_default();
    Some(Listener {
        name: name.into(),
        sockets,
        access,
        tls,
        head,
        underscores: match written.underscores {
            WrittenUnderscores::Refuse => Underscores::Refuse,
            WrittenUnderscores::Drop => Underscores::Drop,
            WrittenUnderscores::Allow => Underscores::Allow,
        },
        limits: settings::listener_limits(limits),
        timeouts: settings::client_timeouts([&written.timeouts, &gateway.timeouts]),
        introducers: settings::networks(&written.proxy_protocol_from),
        trusted_proxies: settings::networks(trusted),
        routes: table,
    })
}

/// The listener's own filters, shared by all its routes.
fn own_steps(
    name: &str,
    written: &Written,
    place: &mut Place<'_, '_>,
    problems: &mut Problems,
) -> Vec<Built> {
    let services = |service: &str| place.services.number(service);
    let scope = Scope { variables: None, services: &services, prefix: &format!("{name}.") };
    place.chains.steps(&written.filters, &scope, problems)
}

fn table(
    name: &str,
    written: &Entry<Written>,
    own: &[Built],
    place: &mut Place<'_, '_>,
    problems: &mut Problems,
) -> Option<RouteTable> {
    let path = Path::root().key("listeners").key(name);
    order::check(own, 0, problems);
    let shared = chain::chain(own, own.len(), &path, problems);
    let document = place.document;
    let is_here = |route: &WrittenRoute| route.on.is_empty() || route.on.iter().any(|l| l.value == name);
    let written_routes: Vec<_> = document.routes.iter().filter(|(_, route)| is_here(route)).collect();
    // Room for all of them from the start: growing would move them, more than once.
    let mut routes = Vec::with_capacity(written_routes.len());
    let mut entries = Vec::with_capacity(written_routes.len());
    let listener = route::Behind { listener: written, own, shared: &shared };
    for (route_name, entry) in &written_routes {
        let id = RouteId(u32::try_from(routes.len() + 1).unwrap_or(u32::MAX));
        if let Some((route, place_in_table)) =
            route::compile(route_name, entry, id, &listener, place, problems)
        {
            routes.push(route);
            entries.push(place_in_table);
        }
    }
    if problems.has_errors() {
        return None;
    }
    match RouteTable::new(fallback(name, written, &shared, place), routes, &entries) {
        Ok(table) => Some(table),
        Err(conflicts) => {
            for conflict in conflicts.iter().take(100) {
                tell(conflict, &written_routes, problems);
            }
            None
        }
    }
}

/// Says which two routes cannot be told apart. All of `routes` have been compiled, so that their numbers count them.
fn tell(conflict: &Conflict, routes: &[(&str, &Entry<WrittenRoute>)], problems: &mut Problems) {
    let route = |id: RouteId| routes.get((id.0 as usize).checked_sub(1)?);
    let (Some((first, _)), Some((second, written))) = (route(conflict.first), route(conflict.second)) else {
        return;
    };
    let at = written.matches.span;
    let path = Path::root().key("routes").key(second).key("match");
    match conflict.kind {
        ConflictKind::Tie => problems
            .error(at, path, format!("route `{second}` matches the same requests as route `{first}`"))
            .hint("make one of them more specific, or put both into one `weight` group"),
        ConflictKind::Shadowed => problems
            .error(
                at,
                path,
                format!("route `{second}` is never reached: route `{first}` takes all its requests"),
            )
            .hint("remove one of them"),
    };
}

/// The route for what no other route matches: it carries the listener's filters and leads nowhere.
fn fallback(
    name: &str,
    written: &Written,
    chain: &Arc<menshen_proxy::chain::Chain>,
    place: &Place<'_, '_>,
) -> Route {
    let name: Box<str> = format!("({name})").into();
    let stats = place.ground.routes.get(name.clone(), || RouteStats::new(place.ground.workers));
    Route {
        timeouts: settings::timeouts([None, None], [&written.timeouts, &place.document.gateway.timeouts]),
        body_limit: 0,
        encoded_slashes: EncodedSlashes::Allow,
        ..Route::to_nowhere(name, chain.clone(), stats)
    }
}
