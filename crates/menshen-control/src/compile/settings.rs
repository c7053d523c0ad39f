//! Limits, timeouts and what holds for the whole gateway: what a narrower place does not say, the wider one says.

use std::sync::Arc;

use ipnet::IpNet;
use menshen_config::document::{CallTimeouts, Forwarded, Limits, LogTo, Timeouts as Written};
use menshen_config::quantity::{Bounded, Cidr};
use menshen_config::{Document, Problems};
use menshen_proxy::access_log::{Format, MEMBERS};
use menshen_proxy::http1::HeadLimits;
use menshen_proxy::template::Template;
use menshen_proxy::{ClientTimeouts, Forwarding, Gateway, ListenerLimits, Timeouts};

use crate::Ground;

pub(super) fn gateway(document: &Document, ground: &Ground, problems: &mut Problems) -> Gateway {
    let g = &document.gateway;
    Gateway {
        pseudonym: g.via.as_ref().map_or_else(|| ground.pseudonym.clone(), |v| v.0.clone()),
        server_timing: networks(g.server_timing.as_deref().unwrap_or_default()),
        access_log: access_log(document, problems).map(Arc::new),
    }
}

fn access_log(document: &Document, problems: &mut Problems) -> Option<Format> {
    let written = document.gateway.access_log.clone().unwrap_or_default();
    if written.to == LogTo::Off {
        return None;
    }
    let mut fields = Vec::new();
    for (name, template) in &written.fields {
        match Template::parse(template, None) {
            Ok(template) => fields.push((name.as_str().into(), template)),
            Err(e) => {
                let path = format!("gateway.access-log.fields.{name}");
                problems.error(template.span, path, e.to_string());
            }
        }
    }
    for name in written.omit.iter().filter(|n| !MEMBERS.contains(&n.value.as_str())) {
        let hint = menshen_config::hint(name, MEMBERS);
        let message = format!("a line has no member `{}`", name.value);
        problems.error(name.span, "gateway.access-log.omit", message).maybe_hint(hint);
    }
    Some(Format {
        fields: fields.into(),
        omit: written.omit.iter().map(|n| n.value.as_str().into()).collect(),
    })
}

pub(super) fn networks(list: &[Cidr]) -> Box<[IpNet]> {
    list.iter().map(|c| c.0).collect()
}

/// The first that says something.
fn first<T: Copy>(places: impl IntoIterator<Item = Option<T>>) -> Option<T> {
    places.into_iter().flatten().next()
}

pub(super) fn head_limits(places: [&Limits; 2]) -> HeadLimits {
    let default = HeadLimits::default();
    let size =
        |s: Option<u64>, default: usize| s.map_or(default, |s| usize::try_from(s).unwrap_or(usize::MAX));
    HeadLimits {
        head: size(first(places.map(|l| l.head.map(|s| s.0))), default.head),
        fields: first(places.map(|l| l.fields)).map_or(default.fields, |n| n as usize),
        target: size(first(places.map(|l| l.target.map(|s| s.0))), default.target),
    }
}

pub(super) fn listener_limits(places: [&Limits; 2]) -> ListenerLimits {
    let default = ListenerLimits::default();
    let count = |b: Bounded<u32>| b.bound().unwrap_or(u32::MAX);
    ListenerLimits {
        connections: first(places.map(|l| l.connections)).map_or(default.connections, |b| count(b) as usize),
        connections_per_client: first(places.map(|l| l.connections_per_client))
            .map_or(default.connections_per_client, count),
        pipelined: first(places.map(|l| l.pipelined)).unwrap_or(default.pipelined),
        streams: first(places.map(|l| l.streams)).unwrap_or(default.streams),
    }
}

pub(super) fn body_limit(
    route: Option<Bounded<menshen_config::quantity::Size>>,
    places: [&Limits; 2],
) -> u64 {
    const DEFAULT: u64 = 10 * 1024 * 1024;
    let written = route.or_else(|| first(places.map(|l| l.body)));
    written.map_or(DEFAULT, |b| b.bound().map_or(u64::MAX, |s| s.0))
}

pub(super) fn client_timeouts(places: [&Written; 2]) -> ClientTimeouts {
    let default = ClientTimeouts::default();
    ClientTimeouts {
        handshake: first(places.map(|t| t.handshake)).map_or(default.handshake, |d| d.0),
        header: first(places.map(|t| t.header)).map_or(default.header, |d| d.0),
        idle: first(places.map(|t| t.idle)).map_or(default.idle, |d| d.0),
    }
}

/// What a route does not say, its service says, then its listener, then the gateway.
pub(super) fn timeouts(narrow: [Option<&CallTimeouts>; 2], wide: [&Written; 2]) -> Timeouts {
    let nothing = CallTimeouts::default();
    let default = Timeouts::default();
    let plain =
        |n: [Option<menshen_config::quantity::Duration>; 4], default| first(n).map_or(default, |d| d.0);
    let bounded = |n: [Option<Bounded<menshen_config::quantity::Duration>>; 4], default| {
        first(n).map_or(default, |b| b.bound().map_or(Timeouts::NEVER, |d| d.0))
    };
    let [a, b] = narrow.map(|n| n.unwrap_or(&nothing));
    let [c, d] = wide;
    let total = first([a.total, b.total, c.total, d.total]);
    Timeouts {
        body: bounded([a.body, b.body, c.body, d.body], default.body),
        write: plain([a.write, b.write, c.write, d.write], default.write),
        connect: plain([a.connect, b.connect, c.connect, d.connect], default.connect),
        first_byte: bounded([a.first_byte, b.first_byte, c.first_byte, d.first_byte], default.first_byte),
        between_bytes: bounded(
            [a.between_bytes, b.between_bytes, c.between_bytes, d.between_bytes],
            default.between_bytes,
        ),
        tunnel: bounded([a.tunnel, b.tunnel, c.tunnel, d.tunnel], default.tunnel),
        total: total.and_then(Bounded::bound).map(|t| t.0),
    }
}

pub(super) fn forwarding(places: [&Forwarded; 2]) -> Forwarding {
    use menshen_config::document::Switch;
    let default = Forwarding::default();
    let on = |switches: [Option<Switch>; 2], default: bool| first(switches).map_or(default, Switch::is_on);
    Forwarding {
        x_forwarded: on(places.map(|f| f.x_forwarded), default.x_forwarded),
        x_forwarded_prefix: on(places.map(|f| f.x_forwarded_prefix), default.x_forwarded_prefix),
        x_real_ip: on(places.map(|f| f.x_real_ip), default.x_real_ip),
        forwarded: on(places.map(|f| f.forwarded), default.forwarded),
    }
}
