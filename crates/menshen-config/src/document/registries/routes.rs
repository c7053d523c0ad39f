use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::Switch;
use crate::filter::FilterItem;
use crate::one_or_many::OneOrMany;
use crate::quantity::Duration;
use crate::span::Spanned;
use crate::text::{FromText, Refusal, text_type};

/// A route for each service that a registry lists. They come and go with the list; those that are written win.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct RegistryRoutes {
    /// Only services with one of these names, in which `*` stands for anything; case does not matter. Default: all.
    pub only: OneOrMany<NamePattern>,
    /// No services with these names.
    pub ignore: OneOrMany<NamePattern>,
    /// A regular expression on the whole name, with named groups for `path`: `(?<name>.+)-(?<version>v\d+)`. Services whose
    /// name it does not match get the default path. Names of Eureka are in lower case here.
    pub name: Option<Spanned<String>>,
    /// The path, in which `${service}` is the name and `${group}` what a group of `name` matched. Default: `/${service}/**`.
    pub path: Option<Spanned<String>>,
    /// Whether the service gets the path without its fixed first part, as in `/users` of `/users/**`. Default: `on`.
    pub strip: Option<Switch>,
    /// The listeners they belong to. Default: all.
    pub on: OneOrMany<Spanned<String>>,
    /// Schemes that apply, one after the other, before `filters`.
    pub scheme: OneOrMany<Spanned<String>>,
    /// Filters, in this order.
    pub filters: Vec<FilterItem>,
    /// How long a service must be missing in good answers until its route goes. Default: `2m`.
    pub linger: Option<Duration>,
    /// The most routes. Default: 1000.
    pub at_most: Option<u32>,
}

/// A name in which `*` stands for any characters, also none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamePattern(pub Box<str>);

impl FromText for NamePattern {
    const WHAT: &'static str = "a name such as `users` or `internal-*`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'?') {
            true => Ok(Self(text.into())),
            false => Err(Refusal::new(format!("`{text}` is not the name of a service"))
                .hint("write for example `users` or `internal-*`")),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(NamePattern, "NamePattern", {
    "pattern": "^[!->@-~]+$",
    "description": "a name, in which * stands for anything",
    "examples": ["users", "internal-*"]
});
