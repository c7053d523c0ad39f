//! A query as a question to Consul, and the instances in the answer.

use menshen_config::document::{ConsulChecks, ConsulQuery};

use super::json::{Check, Entries};
use crate::discovery::Instance;
use crate::discovery::client::encoded;

/// The path and query to ask, behind the base of the agent.
pub fn path(query: &ConsulQuery, datacenter: Option<&str>) -> String {
    let mut path = format!("v1/health/service/{}?", encoded(&query.service));
    path.push_str(match query.checks {
        ConsulChecks::Passing => "passing=true",
        ConsulChecks::Warning => "passing=false",
    });
    let tags = query.tags.iter().map(|tag| ("tag", Some(&**tag)));
    let others = [
        ("dc", query.datacenter.as_deref().or(datacenter)),
        ("near", query.near.as_deref()),
        ("ns", query.namespace.as_deref()),
        ("partition", query.partition.as_deref()),
    ];
    for (name, value) in tags.chain(others) {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    path
}

/// The instances that take requests. Checks are looked at once more, so that an agent that does not know an option does no
/// harm.
pub fn instances(query: &ConsulQuery, entries: &Entries, zone_key: &str) -> Vec<Instance> {
    let seen = entries.read(zone_key).filter_map(|entry| match (entry.worst, query.checks) {
        (Check::Passing, _) => Some(entry.instance),
        (Check::Warning, ConsulChecks::Warning) => {
            Some(Instance { weight: entry.warning_weight, ..entry.instance })
        }
        _ => None,
    });
    let mut all: Vec<Instance> = seen.collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all.dedup_by(|a, b| a.id == b.id);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_asked_as_consul_wants_it() {
        let asked = |text: &str| path(&text.parse().unwrap(), Some("west"));
        assert_eq!(asked("users"), "v1/health/service/users?passing=true&dc=west");
        assert_eq!(
            asked("users?tag=v2&tag=a+b&dc=east&near=_agent"),
            "v1/health/service/users?passing=true&tag=v2&tag=a%2Bb&dc=east&near=_agent"
        );
    }

    #[test]
    fn who_warns_is_left_out_unless_asked_for_with_a_weight_of_its_own() {
        let entry = |id: &str, status: &str| {
            format!(
                r#"{{"Node":{{"Node":"n","Address":"10.0.0.1"}},"Service":{{"ID":"{id}","Port":80,
                "Weights":{{"Passing":10,"Warning":2}}}},"Checks":[{{"Status":"{status}"}}]}}"#
            )
        };
        let all = [entry("a", "passing"), entry("b", "warning"), entry("c", "critical")].join(",");
        let entries: Entries = serde_json::from_str(&format!("[{all}]")).unwrap();
        let weights = |text: &str| {
            let found = instances(&text.parse().unwrap(), &entries, "zone");
            found.iter().map(|i| (i.id.to_string(), i.weight)).collect::<Vec<_>>()
        };
        assert_eq!(weights("users"), [("n/a".to_owned(), 10)]);
        assert_eq!(weights("users?checks=warning"), [("n/a".to_owned(), 10), ("n/b".to_owned(), 2)]);
    }
}
