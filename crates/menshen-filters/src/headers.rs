//! `headers`: adds, sets, removes and renames header fields of requests and replies.

mod dedupe;

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;
use menshen_config::{OneOrMany, Path, Spanned};
use menshen_proxy::chain::Step;
use menshen_proxy::http1::{FieldName, Fields};
use menshen_proxy::{Exchange, Failure, Flow, PostFilter, PreFilter, Reply};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::fields::{self, Message, Value};
use crate::{Filter, Setup, scratch};

/// Adds, sets, removes and renames header fields of requests and replies. Values are templates: `{id}` of the route's
/// path, `{client}`, `{request-id}`, `{header:accept}`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Changes of the request before the service gets it.
    request: Edit,
    /// Changes of the reply before the client gets it, also of replies that the gateway makes itself.
    response: Edit,
}

/// Changes of header fields, made in this order: `remove`, `rename`, `set`, `set-if-absent`, `add`, `dedupe`. A value
/// whose template comes out empty is no value.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Edit {
    /// Fields that are taken away.
    remove: OneOrMany<Spanned<String>>,
    /// Fields that go on under another name, with all their values, instead of those that the new name had.
    rename: IndexMap<String, Spanned<String>>,
    /// Fields that get this value instead of the ones they have.
    set: IndexMap<String, Spanned<String>>,
    /// Fields that get this value if they have none.
    set_if_absent: IndexMap<String, Spanned<String>>,
    /// Fields that get a further value, or several.
    add: IndexMap<String, OneOrMany<Spanned<String>>>,
    /// List fields, such as `vary`, of which each member is sent only once.
    dedupe: OneOrMany<Spanned<String>>,
}

/// The filter.
pub struct Headers {
    changes: Box<[Change]>,
}

type Name = Box<[u8]>;

enum Change {
    Remove(Name),
    Rename(Name, Name),
    Set(Name, Value),
    SetIfAbsent(Name, Value),
    Add(Name, Value),
    Dedupe(Name),
}

impl Filter for Headers {
    const NAME: &'static str = "headers";
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        let before = setup.problems.len();
        let request = compile(config.request, Message::Request, setup.path.key("request"), setup);
        let response = compile(config.response, Message::Reply, setup.path.key("response"), setup);
        if request.is_empty() && response.is_empty() && setup.problems.len() == before {
            setup.error("", "it changes nothing").hint("write for example `request: { set: { x-api: v2 } }`");
        }
        if !request.is_empty() {
            step.pre(Arc::new(Self { changes: request }));
        }
        if !response.is_empty() {
            step.post(Arc::new(Self { changes: response }));
        }
    }
}

fn compile(edit: Edit, message: Message, path: Path, setup: &mut Setup<'_>) -> Box<[Change]> {
    let Edit { remove, rename, set, set_if_absent, add, dedupe } = edit;
    let mut compiler = Compiler { message, path, setup, changes: Vec::new() };
    compiler.remove(&remove);
    compiler.rename(&rename);
    let single = |(name, value)| (name, OneOrMany(vec![value]));
    compiler.values("set", set.into_iter().map(single), Change::Set);
    compiler.values("set-if-absent", set_if_absent.into_iter().map(single), Change::SetIfAbsent);
    compiler.values("add", add, Change::Add);
    compiler.dedupe(&dedupe);
    compiler.changes.into()
}

struct Compiler<'a, 'b> {
    message: Message,
    path: Path,
    setup: &'a mut Setup<'b>,
    changes: Vec<Change>,
}

impl Compiler<'_, '_> {
    fn remove(&mut self, names: &[Spanned<String>]) {
        let at = self.path.key("remove");
        for name in names {
            self.changes
                .extend(fields::name(name, self.message, name.span, &at, self.setup).map(Change::Remove));
        }
    }

    fn rename(&mut self, names: &IndexMap<String, Spanned<String>>) {
        for (from, to) in names {
            let at = self.path.key("rename").key(from);
            let from = fields::name(from, self.message, to.span, &at, self.setup);
            let to = fields::name(to, self.message, to.span, &at, self.setup);
            self.changes.extend(from.zip(to).map(|(from, to)| Change::Rename(from, to)));
        }
    }

    fn values(
        &mut self,
        key: &str,
        entries: impl IntoIterator<Item = (String, OneOrMany<Spanned<String>>)>,
        change: fn(Name, Value) -> Change,
    ) {
        let mut seen = HashSet::new();
        for (name, values) in entries {
            let at = self.path.key(key).key(&name);
            for text in &values {
                let value = Value::read(text, text.span, &at, self.setup);
                let name = fields::name(&name, self.message, text.span, &at, self.setup);
                self.changes.extend(name.zip(value).map(|(name, value)| change(name, value)));
            }
            if !seen.insert(name.to_ascii_lowercase()) {
                let message = "the same field twice: upper and lower case do not differ";
                self.setup.problems.error(self.setup.at, &at, message);
            }
        }
    }

    fn dedupe(&mut self, names: &[Spanned<String>]) {
        let at = self.path.key("dedupe");
        for name in names {
            if FieldName::of(name.as_bytes()) == FieldName::SET_COOKIE {
                let message = "`set-cookie` is not a list: each of its lines is a cookie";
                self.setup.problems.error(name.span, &at, message);
                continue;
            }
            self.changes
                .extend(fields::name(name, self.message, name.span, &at, self.setup).map(Change::Dedupe));
        }
    }
}

impl PreFilter for Headers {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        scratch::with(|value| {
            for change in &self.changes {
                let value = change.value(exchange, value);
                change.apply(&mut exchange.request.fields, value);
            }
        });
        Flow::Continue
    }
}

impl PostFilter for Headers {
    fn post(&self, exchange: &mut Exchange, reply: &mut Reply) -> Result<(), Failure> {
        scratch::with(|value| {
            for change in &self.changes {
                let value = change.value(exchange, value);
                change.apply(&mut reply.head.fields, value);
            }
        });
        Ok(())
    }
}

impl Change {
    fn value<'a>(&'a self, exchange: &Exchange, scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        match self {
            Self::Set(_, value) | Self::SetIfAbsent(_, value) | Self::Add(_, value) => {
                value.of(exchange, scratch)
            }
            Self::Remove(_) | Self::Rename(..) | Self::Dedupe(_) => None,
        }
    }

    fn apply(&self, fields: &mut Fields, value: Option<&[u8]>) {
        match (self, value) {
            (Self::Set(name, _), Some(value)) => fields.set_named(name, value),
            (Self::Remove(name) | Self::Set(name, _), None) => {
                fields.remove_named(name);
            }
            (Self::SetIfAbsent(name, _), Some(value)) if fields.get_named(name).is_none() => {
                fields.append_named(name, value);
            }
            (Self::Add(name, _), Some(value)) => fields.append_named(name, value),
            (Self::Rename(from, to), _) => rename(fields, from, to),
            (Self::Dedupe(name), _) => dedupe::dedupe(fields, name),
            _ => {}
        }
    }
}

fn rename(fields: &mut Fields, from: &[u8], to: &[u8]) {
    if fields.get_named(from).is_none() {
        return;
    }
    scratch::with(|values| {
        // No value has a line feed in it.
        fields.retain(|f| {
            let is_old = f.name.eq_ignore_ascii_case(from);
            if is_old {
                values.extend_from_slice(f.value);
                values.push(b'\n');
            }
            !is_old
        });
        fields.remove_named(to);
        for value in values.strip_suffix(b"\n").unwrap_or_default().split(|b| *b == b'\n') {
            fields.append_named(to, value);
        }
    });
}

#[cfg(test)]
mod tests;
