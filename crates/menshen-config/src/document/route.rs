use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::service::host_name;
use super::{
    CallTimeouts, Forwarded, Mirror, Prefix, Retry, RouteLimits, RoutePriority, RouteTest, Split, Target,
};
use crate::filter::FilterItem;
use crate::matching::Match;
use crate::one_or_many::OneOrMany;
use crate::span::Spanned;
use crate::text::{FromText, Refusal, text_type};

// There may be very many: what few of them say is boxed.
/// A match and where it leads.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Route {
    /// What it is, for people.
    #[serde(default)]
    pub about: Option<Box<str>>,
    /// Which requests take it. The most specific route wins, whatever the order in the document.
    #[serde(rename = "match")]
    pub matches: Spanned<Match>,
    /// The listeners it belongs to. Default: all.
    #[serde(default)]
    pub on: OneOrMany<Spanned<String>>,
    /// What is taken away from the start of the path, before `rewrite` and `prefix`.
    #[serde(default)]
    pub strip: Option<Box<Spanned<Prefix>>>,
    /// What is put in front of the path, after `strip` and `rewrite`.
    #[serde(default)]
    pub prefix: Option<Box<Spanned<Prefix>>>,
    /// A regular expression on the path and what replaces it, after `strip` and before `prefix`.
    #[serde(default)]
    pub rewrite: Option<Box<Rewrite>>,
    /// The `Host` that the service gets to see. Default: what the service says.
    #[serde(default)]
    pub host: Option<Box<Spanned<RouteHost>>>,
    /// Changes of the query.
    #[serde(default)]
    pub query: Option<Box<QueryEdit>>,
    /// Which header fields tell the service about the client. Default: what the gateway says.
    #[serde(default)]
    pub forwarded: Forwarded,
    /// Where it leads.
    pub to: Spanned<Target>,
    /// Groups of requests that go elsewhere, or that the service is to tell apart.
    #[serde(default)]
    pub split: Option<Box<Split>>,
    /// Schemes that apply, one after the other, before `filters`.
    #[serde(default)]
    pub scheme: OneOrMany<Spanned<String>>,
    /// Filters, in this order.
    #[serde(default)]
    pub filters: Vec<FilterItem>,
    /// What happens to an escaped slash (`%2F`) in the path. Default: `refuse`.
    #[serde(default)]
    pub encoded_slashes: EncodedSlashes,
    /// Names of trailer fields of the reply that are passed on; all others are dropped.
    #[serde(default)]
    pub trailers: OneOrMany<Spanned<String>>,
    /// How long is waited. Default: what the service says.
    #[serde(default)]
    pub timeouts: Option<Box<CallTimeouts>>,
    /// When a request is sent again. Default: what the service says.
    #[serde(default)]
    pub retry: Option<Box<Retry>>,
    /// Another service that gets copies of its requests. Their answers are read and thrown away.
    #[serde(default)]
    pub mirror: Option<Box<Spanned<Mirror>>>,
    /// Who goes first when its service cannot serve all: `low`, `normal`, `high`. Default: `normal`.
    #[serde(default)]
    pub priority: Option<Box<RoutePriority>>,
    /// The most that is accepted. Default: what the listener says.
    #[serde(default)]
    pub limits: RouteLimits,
    /// Requests and what should happen to them, each as if it were the first; run by `menshen test`.
    #[serde(default)]
    pub tests: Vec<RouteTest>,
}

impl Route {
    /// A route of which nothing is said but what it matches and where it leads.
    pub fn new(matches: Spanned<Match>, to: Spanned<Target>) -> Self {
        Self {
            about: None,
            matches,
            on: OneOrMany::default(),
            strip: None,
            prefix: None,
            rewrite: None,
            host: None,
            query: None,
            forwarded: Forwarded::default(),
            to,
            scheme: OneOrMany::default(),
            filters: Vec::new(),
            encoded_slashes: EncodedSlashes::default(),
            trailers: OneOrMany::default(),
            timeouts: None,
            retry: None,
            split: None,
            mirror: None,
            priority: None,
            limits: RouteLimits::default(),
            tests: Vec::new(),
        }
    }
}

/// What happens to an escaped slash in a path: to some services it is a slash, to others a part of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EncodedSlashes {
    /// The request is refused with 400.
    #[default]
    Refuse,
    /// It is passed on; matching takes it for a part of its segment.
    Allow,
}

/// A regular expression and what replaces its match.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rewrite {
    /// The regular expression.
    pub pattern: Spanned<String>,
    /// What replaces it; `$1` or `${name}` is what a group matched.
    pub to: Spanned<String>,
}

/// Changes of the query, in this order: `remove`, `set`, `add`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct QueryEdit {
    /// Parameters that get this value instead of the ones they have.
    pub set: IndexMap<String, String>,
    /// Parameters that get a further value.
    pub add: IndexMap<String, String>,
    /// Parameters that are taken away.
    pub remove: OneOrMany<String>,
}

impl QueryEdit {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }
}

/// The `Host` that a service gets to see on a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RouteHost {
    /// What the client sent.
    Keep,
    /// What the service says.
    Service,
    /// This name, with or without port.
    Name(Box<str>),
}

impl FromText for RouteHost {
    const WHAT: &'static str = "`keep`, `service` or a host name";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text {
            "keep" => Ok(Self::Keep),
            "service" => Ok(Self::Service),
            _ => host_name(text).map(Self::Name),
        }
    }
}

impl fmt::Display for RouteHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RouteHost::Keep => "keep",
            RouteHost::Service => "service",
            RouteHost::Name(name) => name,
        })
    }
}

text_type!(RouteHost, "RouteHost", {
    "description": "the Host that the service gets to see: keep, service, or a name",
    "examples": ["keep", "service", "api.internal"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_small_because_there_may_be_very_many() {
        assert!(size_of::<Route>() <= 480, "{} bytes: box what few routes say", size_of::<Route>());
    }
}
