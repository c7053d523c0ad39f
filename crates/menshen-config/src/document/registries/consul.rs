use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{RegistryRoutes, RegistryUrl};
use crate::document::FilePath;
use crate::one_or_many::OneOrMany;
use crate::quantity::{Duration, Secret};
use crate::span::Spanned;
use crate::suggest;
use crate::text::{FromText, Refusal, text_type};

/// Consul: where it is and how it is asked.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Consul {
    /// The agent, as in `http://127.0.0.1:8500`, or several: the next one is asked where one fails.
    pub address: OneOrMany<Spanned<RegistryUrl>>,
    /// Where the ACL token is. Default: none.
    #[serde(default)]
    pub token: Option<Spanned<Secret>>,
    /// The datacenter that is asked where a service names none. Default: that of the agent.
    #[serde(default)]
    pub datacenter: Option<Box<str>>,
    /// The PEM file with the roots that the agent is believed by. Default: those of the system.
    #[serde(default)]
    pub ca: Option<Spanned<FilePath>>,
    /// How long a question may stay open until something changes, at most `10m`. Default: `30s`.
    #[serde(default)]
    pub wait: Option<Duration>,
    /// How long an answer may take beyond that. Default: `5s`.
    #[serde(default)]
    pub timeout: Option<Duration>,
    /// Which name in the metadata of services and nodes tells the zone. Default: `zone`.
    #[serde(default)]
    pub zone_key: Option<Box<str>>,
    /// Makes a route for each service, also for those that no service here names. Default: none.
    #[serde(default)]
    pub routes: Option<Spanned<RegistryRoutes>>,
}

/// What Consul is asked for: `users?tag=v2&dc=east`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConsulQuery {
    /// The name of the service.
    pub service: Box<str>,
    /// The tags that instances must have, all of them.
    pub tags: Vec<Box<str>>,
    /// The datacenter, if not that of the registry.
    pub datacenter: Option<Box<str>>,
    /// The node that the answer is sorted for, by distance.
    pub near: Option<Box<str>>,
    /// The namespace (Consul Enterprise).
    pub namespace: Option<Box<str>>,
    /// The partition (Consul Enterprise).
    pub partition: Option<Box<str>>,
    /// Which checks must pass.
    pub checks: ConsulChecks,
}

/// Which instances are wanted by their checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConsulChecks {
    /// Those whose checks all pass.
    #[default]
    Passing,
    /// Those with a warning too, with the weight that they have then.
    Warning,
}

const OPTIONS: [&str; 6] = ["tag", "dc", "near", "ns", "partition", "checks"];

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"?&=/#%".contains(&b))
}

impl ConsulQuery {
    fn set(&mut self, option: &str) -> Result<(), Refusal> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let place = match name {
            "tag" => None,
            "dc" => Some(&mut self.datacenter),
            "near" => Some(&mut self.near),
            "ns" => Some(&mut self.namespace),
            "partition" => Some(&mut self.partition),
            "checks" => {
                self.checks = match value {
                    "passing" => ConsulChecks::Passing,
                    "warning" => ConsulChecks::Warning,
                    _ => {
                        return Err(Refusal::new(format!("`checks` cannot be `{value}`"))
                            .hint("write `checks=passing` or `checks=warning`"));
                    }
                };
                return Ok(());
            }
            _ => {
                let hint = suggest::hint(name, OPTIONS).unwrap_or_else(|| {
                    "it takes `tag=NAME`, also several times, `dc`, `near`, `ns`, `partition` and `checks`".to_owned()
                });
                return Err(Refusal::new(format!("`{name}` cannot be asked of Consul")).hint(hint));
            }
        };
        if !is_word(value) {
            return Err(Refusal::new(format!("`{name}` has no value")).hint(format!("write `{name}=NAME`")));
        }
        match place {
            None => self.tags.push(value.into()),
            Some(place) if place.is_none() => *place = Some(value.into()),
            Some(_) => return Err(Refusal::new(format!("`{name}` stands there twice")).hint("keep one")),
        }
        Ok(())
    }
}

impl FromText for ConsulQuery {
    const WHAT: &'static str = "a service such as `users` or `users?tag=v2&dc=east`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let (service, options) = text.split_once('?').unwrap_or((text, ""));
        if !is_word(service) {
            return Err(Refusal::new(format!("`{service}` is not the name of a service in Consul"))
                .hint("write for example `consul:users?tag=v2&dc=east`"));
        }
        let mut query = Self { service: service.into(), ..Self::default() };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            query.set(option)?;
        }
        Ok(query)
    }
}

impl fmt::Display for ConsulQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, tags, datacenter, near, namespace, partition, checks } = self;
        f.write_str(service)?;
        let tags = tags.iter().map(|tag| ("tag", Some(&**tag)));
        let checks = (*checks == ConsulChecks::Warning).then_some("warning");
        let others = [
            ("dc", datacenter.as_deref()),
            ("near", near.as_deref()),
            ("ns", namespace.as_deref()),
            ("partition", partition.as_deref()),
            ("checks", checks),
        ];
        let all = tags.chain(others).filter_map(|(name, value)| Some((name, value?)));
        for (i, (name, value)) in all.enumerate() {
            write!(f, "{}{name}={value}", if i == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

text_type!(ConsulQuery, "ConsulQuery", {
    "description": "a service in Consul, with the tags it must have and its datacenter",
    "examples": ["users", "users?tag=v2&dc=east", "users?checks=warning"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_reads_as_it_is_written() {
        for text in ["users", "users?tag=v2&tag=blue&dc=east&near=_agent&ns=a&partition=b&checks=warning"] {
            assert_eq!(text.parse::<ConsulQuery>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_slip_is_told() {
        for (text, hint) in [
            ("users?tg=v2", "did you mean `tag`?"),
            ("users?tag=", "write `tag=NAME`"),
            ("users?dc=a&dc=b", "keep one"),
            ("users?checks=all", "write `checks=passing` or `checks=warning`"),
            ("a/b", "write for example `consul:users?tag=v2&dc=east`"),
        ] {
            assert_eq!(text.parse::<ConsulQuery>().unwrap_err().hint.as_deref(), Some(hint), "{text}");
        }
    }
}
