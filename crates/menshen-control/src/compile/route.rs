//! Routes.

use std::sync::Arc;

use menshen_config::document::{
    EncodedSlashes as WrittenSlashes, Listener as WrittenListener, QueryEdit, Redirect, Respond,
    Route as Written, RouteHost, Target,
};
use menshen_config::node::{Key, Value};
use menshen_config::{Document, Entry, FilterItem, Node, Path, Problems, Span, Spanned};
use menshen_proxy::chain::Chain;
use menshen_proxy::http1::{valid_name, valid_value};
use menshen_proxy::mirror::Mirror;
use menshen_proxy::retry::RetryPolicy;
use menshen_proxy::routes::{Entry as TableEntry, Share};
use menshen_proxy::stats::RouteStats;
use menshen_proxy::template::Template;
use menshen_proxy::{
    Action, EncodedSlashes, FixedReply, GrpcStatus, HostPolicy, Rewrite, Route, RouteId, ServiceId,
};

use super::chain::{self, Built, Scope};
use super::listener::Place;
use super::{matching, mirror, overload, settings, split};

/// The listener a route is behind.
pub(super) struct Behind<'a> {
    pub(super) listener: &'a Entry<WrittenListener>,
    pub(super) own: &'a [Built],
    pub(super) shared: &'a Arc<Chain>,
}

pub(super) fn compile(
    name: &str,
    written: &Entry<Written>,
    id: RouteId,
    behind: &Behind<'_>,
    place: &mut Place<'_, '_>,
    problems: &mut Problems,
) -> Option<(Route, TableEntry)> {
    let path = path_of(name);
    let gateway = &place.document.gateway;
    let matcher = matching::route_match(&written.matches, &path, problems);
    let context = Context { path: &path, variables: &matcher.variables };
    let (action, service) = action(written, &context, place, problems)?;
    let action = match written.split.as_deref() {
        None => action,
        Some(split) => split::compile(split, name, written, action, place, problems)?,
    };
    let timeouts = settings::timeouts(
        [written.timeouts.as_deref(), service.and_then(|s| place.services.timeouts(s))],
        [&behind.listener.timeouts, &gateway.timeouts],
    );
    let retry = match &written.retry {
        Some(retry) => overload::retry(retry, written.matches.span, &path.key("retry"), problems),
        None => service.map_or_else(RetryPolicy::shared, |s| place.services.retry(s, problems)),
    };
    let priority = written.priority.as_deref().map(|p| overload::priority(p, &path, problems));
    let mirror = mirror(written, said_host(written), service.is_some(), &path, place, problems);
    let host = service
        .map(|service| host(written, service, place))
        .unwrap_or_else(|| said_host(written).unwrap_or_default());
    let route = Route {
        chain: route_chain(name, written, &matcher.variables, behind, place, problems),
        name: name.into(),
        variables: matcher.variables.clone(),
        condition: matcher.condition,
        action,
        rewrite: rewrite(written, &matcher.paths, &path, problems),
        host,
        forwarding: settings::forwarding([&written.forwarded, &gateway.forwarded]),
        timeouts,
        retry,
        priority: priority.unwrap_or_default(),
        body_limit: settings::body_limit(written.limits.body, [&behind.listener.limits, &gateway.limits]),
        encoded_slashes: match written.encoded_slashes {
            WrittenSlashes::Refuse => EncodedSlashes::Refuse,
            WrittenSlashes::Allow => EncodedSlashes::Allow,
        },
        trailers: trailers(written, &path, problems),
        mirror,
        stats: place.ground.routes.get(name.into(), || RouteStats::new(place.ground.workers)),
    };
    let share =
        written.matches.weight.as_ref().map(|w| Share { group: w.group.as_str().into(), share: w.share });
    Some((route, TableEntry { hosts: matcher.hosts, paths: matcher.paths, share, route: id }))
}

fn path_of(route: &str) -> Path {
    Path::root().key("routes").key(route)
}

fn mirror(
    written: &Written,
    host: Option<HostPolicy>,
    leads_to_service: bool,
    path: &Path,
    place: &mut Place<'_, '_>,
    problems: &mut Problems,
) -> Option<Box<Mirror>> {
    let mirror = written.mirror.as_deref()?;
    let path = path.key("mirror");
    if !leads_to_service {
        problems
            .error(mirror.span, path.clone(), "the route leads to no service, so there is nothing to copy")
            .hint("put `mirror` on a route whose `to` is a service or a URL");
    }
    mirror::compile(mirror, host, &path, place, problems)
}

fn trailers(written: &Written, path: &Path, problems: &mut Problems) -> Box<[Box<str>]> {
    for name in written.trailers.iter().filter(|t| !valid_name(t.value.as_bytes())) {
        problems.error(
            name.span,
            path.key("trailers"),
            format!("`{}` is not the name of a field", name.value),
        );
    }
    written.trailers.iter().map(|t| t.value.as_str().into()).collect()
}

/// The Host that the route itself gives to its service.
fn said_host(written: &Written) -> Option<HostPolicy> {
    match &written.host.as_ref()?.value {
        RouteHost::Keep => Some(HostPolicy::Keep),
        RouteHost::Name(name) => Some(HostPolicy::Name(name.clone())),
        RouteHost::Service => None,
    }
}

/// The Host that a service sees on this route.
pub(super) fn host(written: &Written, service: ServiceId, place: &Place<'_, '_>) -> HostPolicy {
    said_host(written).unwrap_or_else(|| place.services.host(service))
}

/// The service that a target names, and what is put in front of the path there. Nothing for other targets.
pub(super) fn service(
    target: &Spanned<Target>,
    path: &Path,
    place: &mut Place<'_, '_>,
    problems: &mut Problems,
) -> Option<(ServiceId, Box<str>)> {
    match &target.value {
        Target::Service(name) => {
            let Some(service) = place.services.number(name) else {
                // A service that was written, but not well, has its own problem.
                if !place.document.services.declares(name) {
                    let hint = menshen_config::hint(name, place.document.services.names());
                    problems.error(target.span, path, format!("no service named `{name}`")).maybe_hint(hint);
                }
                return None;
            };
            Some((service, place.services.base(service).into()))
        }
        Target::Url(url) => Some((place.services.at_url(url, target.span), url.base.clone())),
        Target::Forward(_) | Target::Redirect(_) | Target::Respond(_) => None,
    }
}

struct Context<'a> {
    path: &'a Path,
    variables: &'a [Box<str>],
}

fn action(
    written: &Written,
    context: &Context<'_>,
    place: &mut Place<'_, '_>,
    problems: &mut Problems,
) -> Option<(Action, Option<ServiceId>)> {
    let to = || context.path.key("to");
    let at = written.to.span;
    let mut template = |text: &str| match Template::parse(text, Some(context.variables)) {
        Ok(template) => Some(template),
        Err(e) => {
            problems.error(at, to(), e.to_string());
            None
        }
    };
    Some(match &written.to.value {
        Target::Service(_) | Target::Url(_) => {
            let (service, base) = service(&written.to, &to(), place, problems)?;
            (Action::Service { service, base }, Some(service))
        }
        Target::Forward(path) => (Action::Forward { to: template(path)? }, None),
        Target::Redirect(Redirect { to, status }) => {
            (Action::Redirect { status: status.unwrap_or(308), to: template(to)? }, None)
        }
        Target::Respond(respond) => (Action::Respond(Arc::new(fixed(respond, at, &to(), problems))), None),
    })
}

fn fixed(respond: &Respond, at: Span, path: &Path, problems: &mut Problems) -> FixedReply {
    let mut fields: Vec<(Box<str>, Box<str>)> = Vec::new();
    for (name, value) in &respond.headers {
        if !valid_name(name.as_bytes()) || !valid_value(value.as_bytes()) {
            problems.error(at, path, format!("`{name}: {value}` is not a valid header field"));
        }
        fields.push((name.as_str().into(), value.as_str().into()));
    }
    let has_type = fields.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-type"));
    let (body, content_type) = match (&respond.body, &respond.json) {
        (Some(_), Some(_)) => {
            problems.error(at, path, "`body` and `json` cannot be given together");
            (String::new(), None)
        }
        (Some(body), None) => (body.clone(), Some("text/plain; charset=utf-8")),
        (None, Some(json)) => (format!("{}\n", json.to_json()), Some("application/json")),
        (None, None) => (String::new(), None),
    };
    if let Some(content_type) = content_type.filter(|_| !has_type) {
        fields.push(("content-type".into(), content_type.into()));
    }
    let grpc_status = respond.grpc_status.and_then(|status| GrpcStatus::numbered(status.number()));
    FixedReply {
        status: respond.status.unwrap_or(200),
        fields: fields.into(),
        body: body.into(),
        grpc_status,
    }
}

fn rewrite(
    written: &Written,
    paths: &[menshen_proxy::pattern::Pattern],
    path: &Path,
    problems: &mut Problems,
) -> Rewrite {
    let mut strip = 0;
    if let Some(prefix) = &written.strip {
        let parts: Vec<&str> = prefix.0.split('/').filter(|s| !s.is_empty()).collect();
        strip = parts.len();
        let starts = |p: &menshen_proxy::pattern::Pattern| {
            parts.iter().zip(p.segments.iter()).all(|(part, segment)| match segment {
                menshen_proxy::pattern::Segment::Literal(text) => &**text == part.as_bytes(),
                _ => false,
            }) && p.segments.len() >= parts.len()
        };
        if !paths.iter().all(starts) {
            problems
                .error(
                    prefix.span,
                    path.key("strip"),
                    format!("the match does not start with `{}`", prefix.value.0),
                )
                .hint("strip what every matched path starts with");
        }
    }
    let pattern = written.rewrite.as_ref().and_then(|r| match regex(&r.pattern.value) {
        Ok(regex) => Some((regex, r.to.value.as_str().into())),
        Err(e) => {
            problems.error(r.pattern.span, path.key("rewrite").key("pattern"), e);
            None
        }
    });
    Rewrite { strip, pattern, prefix: written.prefix.as_ref().map(|p| p.0.clone()).unwrap_or_default() }
}

/// A linear-time pattern of bounded size.
pub(super) fn regex(text: &str) -> Result<regex::bytes::Regex, String> {
    const LARGEST: usize = 1 << 20;
    regex::bytes::RegexBuilder::new(text).size_limit(LARGEST).dfa_size_limit(LARGEST).build().map_err(|e| {
        match e {
            regex::Error::CompiledTooBig(_) => format!("the pattern `{text}` is too large; make it simpler"),
            e => format!(
                "`{text}` is not a regular expression: {}",
                e.to_string().lines().last().unwrap_or_default()
            ),
        }
    })
}

fn route_chain(
    name: &str,
    written: &Written,
    variables: &[Box<str>],
    behind: &Behind<'_>,
    place: &mut Place<'_, '_>,
    problems: &mut Problems,
) -> Arc<Chain> {
    let query = written.query.as_deref().filter(|query| !query.is_empty());
    if written.filters.is_empty() && written.scheme.is_empty() && query.is_none() {
        return behind.shared.clone();
    }
    let path = path_of(name);
    let services = &*place.services;
    let services = |service: &str| services.number(service);
    let scope = Scope { variables: Some(variables), services: &services, prefix: &format!("{name}.") };
    let mut steps = behind.own.to_vec();
    for scheme in &written.scheme {
        if !place.document.schemes.declares(&scheme.value) {
            let hint = menshen_config::hint(&scheme.value, place.document.schemes.names());
            let message = format!("no scheme named `{}`", scheme.value);
            problems.error(scheme.span, path.key("scheme"), message).maybe_hint(hint);
            continue;
        }
        steps.extend(place.chains.scheme(&scheme.value, &scope, problems));
    }
    steps.extend(place.chains.steps(&written.filters, &scope, problems));
    if let Some(query) = query {
        let item = query_item(query, written.matches.span, &path);
        steps.extend(place.chains.steps(std::slice::from_ref(&item), &scope, problems));
    }
    chain::chain(&steps, behind.own.len(), &path, problems)
}

/// `query:` of a route is sugar for a `query` filter behind all others.
fn query_item(edit: &QueryEdit, at: Span, path: &Path) -> FilterItem {
    let key = |name: &str| Key { span: at, name: name.into() };
    let text = |value: &str| Node::text(at, value);
    let map = |map: &indexmap::IndexMap<String, String>| Node {
        span: at,
        value: Value::Map(map.iter().map(|(n, v)| (key(n), text(v))).collect()),
    };
    let list =
        |list: &[String]| Node { span: at, value: Value::List(list.iter().map(|n| text(n)).collect()) };
    let parts = [("set", map(&edit.set)), ("add", map(&edit.add)), ("remove", list(&edit.remove))];
    let config = Node { span: at, value: Value::Map(parts.into_iter().map(|(n, v)| (key(n), v)).collect()) };
    FilterItem {
        at,
        path: path.clone(),
        name: "query".to_owned(),
        name_at: at,
        config,
        when: None,
        on_error: Default::default(),
        mode: Default::default(),
        id: None,
        any: None,
    }
}

/// References that no listener's table would notice.
pub(super) fn check_references(document: &Document, problems: &mut Problems) {
    for (name, route) in document.routes.iter() {
        for listener in route.on.iter().filter(|l| !document.listeners.declares(&l.value)) {
            let hint = menshen_config::hint(&listener.value, document.listeners.names());
            let message = format!("no listener named `{}`", listener.value);
            problems.error(listener.span, path_of(name).key("on"), message).maybe_hint(hint);
        }
    }
}
