//! What a service asks Consul for: `users`, `users?tag=v2&tag=blue`, `users?dc=east`, `users?warning`.

use std::fmt;

use menshen_config::document::Place;

use super::json::{Check, Entries};
use crate::discovery::Instance;
use crate::discovery::client::encoded;

/// Which instances are wanted by their checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Wanted {
    /// Those whose checks all pass.
    #[default]
    Passing,
    /// Those with a warning too, with the weight that they have then.
    Warning,
}

/// Which instances are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    name: Box<str>,
    /// All of them must be there.
    tags: Vec<Box<str>>,
    datacenter: Option<Box<str>>,
    near: Option<Box<str>>,
    namespace: Option<Box<str>>,
    partition: Option<Box<str>>,
    filter: Option<Box<str>>,
    wanted: Wanted,
}

impl Query {
    /// As it stands behind `consul:` in a document.
    ///
    /// # Errors
    /// What is wrong with it, and what could be written instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, options) = text.split_once('?').unwrap_or((text, ""));
        if name.is_empty() || name.contains(['/', ' ']) {
            return Err(format!("`{name}` is not the name of a service; write for example `consul:users`"));
        }
        let mut query = Self {
            name: name.into(),
            tags: Vec::new(),
            datacenter: None,
            near: None,
            namespace: None,
            partition: None,
            filter: None,
            wanted: Wanted::Passing,
        };
        for option in options.split('&').filter(|o| !o.is_empty()) {
            query.set(option)?;
        }
        Ok(query)
    }

    fn set(&mut self, option: &str) -> Result<(), String> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let text: Box<str> = value.into();
        match name {
            "warning" => self.wanted = Wanted::Warning,
            "tag" | "dc" | "near" | "ns" | "partition" | "filter" if value.is_empty() => {
                return Err(format!("`{name}` has no value; write `{name}=…`"));
            }
            "tag" => self.tags.push(text),
            "dc" => self.datacenter = Some(text),
            "near" => self.near = Some(text),
            "ns" => self.namespace = Some(text),
            "partition" => self.partition = Some(text),
            "filter" => self.filter = Some(text),
            other => {
                return Err(format!(
                    "`{other}` is no option of consul; there are tag, dc, near, ns, partition, filter and warning"
                ));
            }
        }
        Ok(())
    }

    /// The path and query to ask, behind the base of the agent.
    pub fn path(&self, datacenter: Option<&str>) -> String {
        let mut path = format!("v1/health/service/{}?", encoded(&self.name));
        path.push_str(match self.wanted {
            Wanted::Passing => "passing=1",
            Wanted::Warning => "passing=0",
        });
        let tags = self.tags.iter().map(|tag| ("tag", Some(&**tag)));
        let others = [
            ("dc", self.datacenter.as_deref().or(datacenter)),
            ("near", self.near.as_deref()),
            ("ns", self.namespace.as_deref()),
            ("partition", self.partition.as_deref()),
            ("filter", self.filter.as_deref()),
        ];
        for (name, value) in tags.chain(others) {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", encoded(value)));
            }
        }
        path
    }

    /// The instances that it means. What was not asked for is left out once more, so that a server that does not know an
    /// option does no harm.
    pub fn instances(&self, entries: &Entries, zone_key: &str) -> Vec<Instance> {
        let mut all = Vec::new();
        for entry in entries.read(zone_key) {
            match (entry.worst, self.wanted) {
                (Check::Passing, _) => all.push(entry.instance),
                (Check::Warning, Wanted::Warning) => {
                    all.push(Instance { weight: entry.warning_weight, ..entry.instance });
                }
                _ => {}
            }
        }
        // The same place may be registered twice: by an old and a new agent.
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.dedup_by(|a, b| matches!((&a.address, &b.address), (Place::Net(x), Place::Net(y)) if x == y));
        all
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for tag in &self.tags {
            write!(f, " tag {tag}")?;
        }
        Ok(())
    }
}
