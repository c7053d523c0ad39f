//! Filters as they stand in a list: a name, its config, and the settings every filter has.

mod item;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::decode::decode;
use crate::matching::Match;
use crate::node::{Key, Node, Value};
use crate::path::Path;
use crate::problem::Problems;
use crate::span::Span;

/// Keys beside the filter's own name that mean the same for every filter.
pub const RESERVED: [&str; 4] = ["when", "on-error", "mode", "id"];

/// The name of a group of which the first filter that passes is enough.
pub const ANY: &str = "any";

/// One step: a filter by name with its config, or a group. Equality ignores places.
#[derive(Clone, Debug)]
pub struct FilterItem {
    /// Where it was written.
    pub at: Span,
    /// Where it stands in the document, such as `routes.users.filters[0]`.
    pub path: Path,
    /// The name of the filter; `any` for a group.
    pub name: String,
    /// Where the name was written.
    pub name_at: Span,
    /// The filter's own config as it was written, to be decoded by [`decode_filter`]; null for a bare name.
    pub config: Node,
    /// Only requests that match are filtered.
    pub when: Option<Match>,
    /// What happens when the filter itself fails.
    pub on_error: OnError,
    /// Whether it acts.
    pub mode: Mode,
    /// A name for this step in logs and metrics.
    pub id: Option<String>,
    /// The members, if it is a group.
    pub any: Option<Vec<FilterItem>>,
}

impl PartialEq for FilterItem {
    fn eq(&self, other: &Self) -> bool {
        let Self { at: _, path: _, name, name_at: _, config, when, on_error, mode, id, any } = self;
        *name == other.name
            && *config == other.config
            && *when == other.when
            && *on_error == other.on_error
            && *mode == other.mode
            && *id == other.id
            && *any == other.any
    }
}

/// What happens when a filter itself fails, for example because a server it asks is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// The exchange fails.
    #[default]
    Fail,
    /// The exchange goes on as if the filter were not there.
    Continue,
}

/// Whether a filter acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It acts.
    #[default]
    Enforce,
    /// It only notes what it would have done.
    Shadow,
    /// It is left out.
    Off,
}

/// Decodes a filter's own config. A scalar or list is what belongs into the field `short`; nothing written is an empty
/// map. Everything wrong goes to `problems`.
pub fn decode_filter<T: DeserializeOwned>(
    item: &FilterItem,
    short: Option<&'static str>,
    problems: &mut Problems,
) -> Option<T> {
    let path = item.path.key(&item.name);
    let config = &item.config;
    match (&config.value, short) {
        (Value::Map(_), _) => decode(config, &path, problems),
        _ if config.is_null() => decode(&Node::empty_map(item.name_at), &path, problems),
        (_, Some(field)) => {
            let key = Key { span: config.span, name: field.into() };
            // What is wrong with the value is wrong with the filter: the reader has never seen the field's name.
            let mut inner = Problems::new();
            let decoded = decode(&Node::entry(key, config.clone()), &path, &mut inner);
            let long = path.key(field);
            for mut problem in inner {
                if problem.path == long.as_str() {
                    problem.path = path.to_string();
                }
                problems.retell(problem);
            }
            decoded
        }
        (_, None) => {
            let found = config.described();
            problems.error(config.span, path, format!("expected a map, found {found}"));
            None
        }
    }
}

#[cfg(test)]
mod tests;
