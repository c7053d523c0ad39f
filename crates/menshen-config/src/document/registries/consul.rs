use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::{FilePath, Url};
use crate::quantity::{Duration, Secret};
use crate::span::Spanned;
use crate::text::{FromText, Refusal, text_type};

/// Consul: where it is and how it is asked.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Consul {
    /// The agent, as in `http://127.0.0.1:8500`.
    pub address: Spanned<Url>,
    /// Where the ACL token is. Default: none.
    #[serde(default)]
    pub token: Option<Spanned<Secret>>,
    /// The datacenter that is asked where a service names none. Default: that of the agent.
    #[serde(default)]
    pub datacenter: Option<Box<str>>,
    /// The PEM file with the roots that the agent is believed by. Default: those of the system.
    #[serde(default)]
    pub ca: Option<Spanned<FilePath>>,
    /// How long a question may stay open until something changes. Default: `30s`.
    #[serde(default)]
    pub wait: Option<Duration>,
    /// How long an answer may take beyond that. Default: `5s`.
    #[serde(default)]
    pub timeout: Option<Duration>,
}

/// What Consul is asked for: `users?tag=v2&dc=east`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConsulQuery {
    /// The name of the service.
    pub service: Box<str>,
    /// The tags that instances must have, all of them.
    pub tags: Vec<Box<str>>,
    /// The datacenter, if not that of the registry.
    pub datacenter: Option<Box<str>>,
}

impl FromText for ConsulQuery {
    const WHAT: &'static str = "a service such as `users` or `users?tag=v2&dc=east`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let is_word = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"?&=/#%".contains(&b))
        };
        let refused = || {
            Refusal::new(format!("`{text}` is not the name of a service in Consul"))
                .hint("write for example `consul:users?tag=v2&dc=east`")
        };
        let (service, rest) = text.split_once('?').unwrap_or((text, ""));
        if !is_word(service) {
            return Err(refused());
        }
        let mut query = Self { service: service.into(), tags: Vec::new(), datacenter: None };
        for pair in rest.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').filter(|(_, value)| is_word(value)) {
                Some(("tag", tag)) => query.tags.push(tag.into()),
                Some(("dc", dc)) if query.datacenter.is_none() => query.datacenter = Some(dc.into()),
                _ => {
                    return Err(Refusal::new(format!("`{pair}` cannot be asked of Consul"))
                        .hint("it takes `tag=NAME`, also several times, and `dc=NAME`"));
                }
            }
        }
        Ok(query)
    }
}

impl fmt::Display for ConsulQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.service)?;
        let tags = self.tags.iter().map(|tag| ("tag", tag));
        let all = tags.chain(self.datacenter.iter().map(|dc| ("dc", dc)));
        for (i, (key, value)) in all.enumerate() {
            write!(f, "{}{key}={value}", if i == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

text_type!(ConsulQuery, "ConsulQuery", {
    "description": "a service in Consul, with the tags it must have and its datacenter",
    "examples": ["users", "users?tag=v2&dc=east"]
});
