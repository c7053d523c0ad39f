//! `query`: sets, adds, removes and renames query parameters.

use std::sync::Arc;

use indexmap::IndexMap;
use menshen_config::{OneOrMany, Path, Spanned};
use menshen_proxy::chain::Step;
use menshen_proxy::template::{Template, push_escaped};
use menshen_proxy::{Exchange, Flow, PreFilter};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Filter, Setup, scratch};

/// Changes the query before the service gets it, in this order: `remove`, `rename`, `set`, `add`. Parameters that are
/// not named stay as they came, byte for byte. Names and values are written plainly and are escaped as they need it;
/// values are templates, and one that comes out empty is no value.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Parameters that are taken away.
    remove: OneOrMany<Spanned<String>>,
    /// Parameters that go on under another name, instead of those that the new name had.
    rename: IndexMap<String, Spanned<String>>,
    /// Parameters that get this value instead of the ones they have.
    set: IndexMap<String, Spanned<String>>,
    /// Parameters that get a further value, or several.
    add: IndexMap<String, OneOrMany<Spanned<String>>>,
}

/// The filter.
pub struct Query {
    /// Names whose parameters go.
    removed: Names,
    renamed: Box<[Renamed]>,
    /// Names whose old values go.
    set: Names,
    /// What is put at the end.
    appended: Box<[Appended]>,
}

/// Names as they are when unescaped.
type Names = Box<[Box<[u8]>]>;

struct Renamed {
    from: Box<[u8]>,
    to: Box<[u8]>,
    to_escaped: Box<[u8]>,
}

struct Appended {
    /// `name=`, escaped.
    start: Box<[u8]>,
    value: Value,
}

enum Value {
    /// Escaped.
    Fixed(Box<[u8]>),
    Made(Template),
}

impl Filter for Query {
    const NAME: &'static str = "query";
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        let Config { remove, rename, set, add } = config;
        if remove.is_empty() && rename.is_empty() && set.is_empty() && add.is_empty() {
            setup.error("", "it changes nothing").hint("write for example `set: { page: 1 }`");
            return;
        }
        let path = setup.path.clone();
        let mut appended = Vec::new();
        for name in &remove {
            check_name(name, name, &path.key("remove"), setup);
        }
        for (from, to) in &rename {
            let at = path.key("rename").key(from);
            check_name(from, to, &at, setup);
            check_name(to, to, &at, setup);
        }
        for (name, value) in &set {
            appended.extend(Appended::read(name, value, &path.key("set").key(name), setup));
        }
        for (name, values) in &add {
            let at = path.key("add").key(name);
            appended.extend(values.iter().filter_map(|value| Appended::read(name, value, &at, setup)));
        }
        step.pre(Arc::new(Self {
            removed: remove.iter().map(|name| name.as_bytes().into()).collect(),
            renamed: rename.iter().map(|(from, to)| Renamed::new(from.as_bytes(), to.as_bytes())).collect(),
            set: set.keys().map(|name| name.as_bytes().into()).collect(),
            appended: appended.into(),
        }));
    }
}

fn check_name(name: &str, near: &Spanned<String>, at: &Path, setup: &mut Setup<'_>) {
    if name.is_empty() {
        setup.problems.error(near.span, at, "a query parameter needs a name");
    }
}

fn escaped(text: &[u8]) -> Box<[u8]> {
    let mut out = Vec::new();
    push_escaped(&mut out, text);
    out.into()
}

impl Renamed {
    fn new(from: &[u8], to: &[u8]) -> Self {
        Self { from: from.into(), to: to.into(), to_escaped: escaped(to) }
    }
}

impl Appended {
    fn read(name: &str, text: &Spanned<String>, at: &Path, setup: &mut Setup<'_>) -> Option<Self> {
        check_name(name, text, at, setup);
        let template = match Template::parse(text, setup.variables) {
            Ok(template) => template,
            Err(e) => {
                setup.problems.error(text.span, at, e.to_string());
                return None;
            }
        };
        let mut start = escaped(name.as_bytes()).into_vec();
        start.push(b'=');
        let value = match template.as_text() {
            Some(text) => Value::Fixed(escaped(text.as_bytes())),
            None => Value::Made(template),
        };
        Some(Self { start: start.into(), value })
    }

    fn push(&self, exchange: &Exchange, out: &mut Vec<u8>) {
        let before = out.len();
        if before > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(&self.start);
        match &self.value {
            Value::Fixed(value) => out.extend_from_slice(value),
            Value::Made(template) => {
                let empty = out.len();
                template.fill_parameter(exchange, out);
                if out.len() == empty {
                    out.truncate(before);
                }
            }
        }
    }
}

impl PreFilter for Query {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        scratch::with(|out| {
            let old = exchange.target.query();
            self.edit(old.unwrap_or_default(), out);
            for appended in &self.appended {
                appended.push(exchange, out);
            }
            if old.unwrap_or_default() != &**out {
                exchange.target.set_query(Some(out.as_slice()).filter(|q| !q.is_empty()));
            }
        });
        Flow::Continue
    }
}

impl Query {
    /// Copies what stays of a query.
    fn edit(&self, query: &[u8], out: &mut Vec<u8>) {
        let mut is_first = true;
        for pair in query.split(|b| *b == b'&') {
            let name = name_of(pair);
            let renamed = self.renamed.iter().find(|r| spells(name, &r.from));
            let goes = is_one_of(&self.removed, name)
                || match renamed {
                    Some(renamed) => self.set.contains(&renamed.to),
                    None => is_one_of(&self.set, name) || self.is_displaced(name, query),
                };
            if goes {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                out.push(b'&');
            }
            match renamed {
                Some(renamed) => {
                    out.extend_from_slice(&renamed.to_escaped);
                    out.extend_from_slice(pair.get(name.len()..).unwrap_or_default());
                }
                None => out.extend_from_slice(pair),
            }
        }
    }

    /// True when a parameter that gets this name is there.
    fn is_displaced(&self, name: &[u8], query: &[u8]) -> bool {
        let is_there = |r: &Renamed| {
            query.split(|b| *b == b'&').any(|pair| spells(name_of(pair), &r.from))
                && !self.removed.contains(&r.from)
        };
        self.renamed.iter().any(|r| spells(name, &r.to) && is_there(r))
    }
}

fn name_of(pair: &[u8]) -> &[u8] {
    pair.split(|b| *b == b'=').next().unwrap_or_default()
}

fn is_one_of(names: &[Box<[u8]>], raw: &[u8]) -> bool {
    names.iter().any(|name| spells(raw, name))
}

/// True when `raw` is `name`, however it is escaped: a service sees `%61dmin` as `admin`.
fn spells(raw: &[u8], name: &[u8]) -> bool {
    let mut rest = raw;
    let unescaped = std::iter::from_fn(|| {
        let (&first, after) = rest.split_first()?;
        rest = after;
        match (first, after) {
            (b'+', _) => Some(b' '),
            (b'%', [high, low, behind @ ..]) => {
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                let Some((high, low)) = digit(*high).zip(digit(*low)) else { return Some(b'%') };
                rest = behind;
                Some(high << 4 | low)
            }
            _ => Some(first),
        }
    });
    unescaped.eq(name.iter().copied())
}

#[cfg(test)]
mod tests;
