//! Short forms written out. What is not shaped as expected stays as it is: problems are not the formatter's business.

use crate::document::{Protocol, Url};
use crate::filter::{ANY, RESERVED};
use crate::matching::Short;
use crate::node::{Key, Node, Scalar, Style, Value};
use crate::span::Span;
use crate::text::FromText;

type ShortField<'a> = &'a dyn Fn(&str) -> Option<&'static str>;

/// Writes out all short forms of a document.
pub(super) fn document(tree: &mut Node, short: ShortField<'_>) {
    for (key, section) in entries(tree) {
        match &*key.name {
            "gateway" => gateway(section),
            "registries" => each(section, |registry| {
                within(registry, "routes", |routes| within(routes, "filters", |list| filters(list, short)));
            }),
            "listeners" => each(section, |listener| within(listener, "filters", |list| filters(list, short))),
            "services" => each(section, service),
            "schemes" => each(section, |scheme| filters(scheme, short)),
            "routes" => each(section, |route| self::route(route, short)),
            _ => {}
        }
    }
}

fn entries(node: &mut Node) -> &mut [(Key, Node)] {
    match &mut node.value {
        Value::Map(entries) => entries,
        _ => &mut [],
    }
}

fn items(node: &mut Node) -> &mut [Node] {
    match &mut node.value {
        Value::List(items) => items,
        _ => &mut [],
    }
}

fn each(section: &mut Node, mut change: impl FnMut(&mut Node)) {
    entries(section).iter_mut().for_each(|(_, value)| change(value));
}

fn within(node: &mut Node, name: &str, mut change: impl FnMut(&mut Node)) {
    entries(node).iter_mut().filter(|(key, _)| &*key.name == name).for_each(|(_, value)| change(value));
}

fn key(span: Span, name: &str) -> Key {
    Key { span, name: name.into() }
}

/// Text without quotes; only for text that is known to need none.
fn plain(span: Span, text: impl Into<Box<str>>) -> Node {
    Node { span, value: Value::Scalar(Scalar::new(text, Style::Plain)) }
}

fn map(span: Span, entries: impl IntoIterator<Item = (&'static str, Node)>) -> Node {
    Node {
        span,
        value: Value::Map(entries.into_iter().map(|(name, value)| (key(span, name), value)).collect()),
    }
}

/// `value` becomes `field: value`.
fn wrap(node: &mut Node, field: &str) {
    let span = node.span;
    let value = std::mem::replace(node, Node::empty_map(span));
    node.value = Value::Map(vec![(key(span, field), value)]);
}

fn wrap_scalar(node: &mut Node, field: &str) {
    if node.as_str().is_some() {
        wrap(node, field);
    }
}

fn gateway(node: &mut Node) {
    within(node, "access-log", |log| wrap_scalar(log, "to"));
    within(node, "acme", |acme| {
        within(acme, "challenge", |challenge| within(challenge, "dns-01", |dns| wrap_scalar(dns, "hook")));
    });
}

fn service(node: &mut Node) {
    let span = node.span;
    if let Some(Ok(Url { protocol, address, base })) = node.as_str().map(Url::from_text) {
        let address = map(span, [("address", Node::text(span, address.to_string()))]);
        let endpoints = Node { span, value: Value::List(vec![address]) };
        let mut long = vec![("endpoints", endpoints)];
        if protocol != Protocol::Http {
            long.push(("protocol", plain(span, protocol.scheme())));
        }
        if !base.is_empty() {
            long.push(("base", plain(span, base)));
        }
        *node = map(span, long);
    }
    within(node, "endpoints", |list| {
        items(list).iter_mut().for_each(|endpoint| wrap_scalar(endpoint, "address"))
    });
}

fn route(node: &mut Node, short: ShortField<'_>) {
    within(node, "match", matches);
    within(node, "to", |target| within(target, "redirect", |redirect| wrap_scalar(redirect, "to")));
    within(node, "mirror", |mirror| wrap_scalar(mirror, "to"));
    within(node, "filters", |list| filters(list, short));
    within(node, "tests", |list| items(list).iter_mut().for_each(test));
}

fn matches(node: &mut Node) {
    let span = node.span;
    let Some(Ok(Short { methods, path })) = node.as_str().map(Short::from_text) else { return };
    let mut long = Vec::new();
    match methods.as_slice() {
        [] => {}
        [method] => long.push(("method", plain(span, method.as_str()))),
        methods => {
            let methods = methods.iter().map(|method| plain(span, method.as_str())).collect();
            long.push(("method", Node { span, value: Value::List(methods) }));
        }
    }
    long.push(("path", plain(span, path.as_str())));
    *node = map(span, long);
}

/// `GET /users/1: 200` becomes `request: GET /users/1` and `expect: { status: 200 }`.
fn test(node: &mut Node) {
    if let Value::Map(entries) = &mut node.value {
        for index in (0..entries.len()).rev() {
            let Some((name, _)) = entries.get_mut(index) else { continue };
            if name.name.contains(' ') {
                let line = std::mem::replace(&mut name.name, "expect".into());
                let span = name.span;
                entries.insert(index, (key(span, "request"), Node::text(span, line)));
            }
        }
    }
    within(node, "expect", |expect| wrap_scalar(expect, "status"));
}

fn filters(list: &mut Node, short: ShortField<'_>) {
    items(list).iter_mut().for_each(|item| filter(item, short));
}

fn filter(item: &mut Node, short: ShortField<'_>) {
    let span = item.span;
    if let Some(name) = item.as_str() {
        let name = key(span, name);
        item.value = Value::Map(vec![(name, Node::empty_map(span))]);
        return;
    }
    for (name, config) in entries(item) {
        match &*name.name {
            "when" => matches(config),
            ANY => filters(config, short),
            name if RESERVED.contains(&name) => {}
            _ if config.is_null() => *config = Node::empty_map(config.span),
            name if config.as_map().is_none() => {
                if let Some(field) = short(name) {
                    wrap(config, field);
                }
            }
            _ => {}
        }
    }
}
