//! The instances that a service asks a Eureka registry for.

use menshen_config::document::{EurekaBy, EurekaPort, EurekaQuery, EurekaStatus};

use super::applications::Applications;
use super::instance::Info;
use crate::discovery::Instance;

/// The instances in the registry that this query means.
pub fn instances(query: &EurekaQuery, all: &Applications) -> Vec<Instance> {
    let port = match query.by {
        EurekaBy::SecureVip => EurekaPort::Secure,
        _ => query.port,
    };
    let states = if query.status.is_empty() { &[EurekaStatus::Up][..] } else { &query.status };
    let seen = |info: &Info| match states.contains(&info.effective()) {
        true => info.seen(query.address, port),
        false => None,
    };
    // A virtual address may be of several apps, whose instances may have the same names.
    let of_any_app =
        |info: &Info| seen(info).map(|i| Instance { id: format!("{}/{}", info.app, info.id).into(), ..i });
    match query.by {
        EurekaBy::App => all.app(&query.name).filter_map(seen).collect(),
        EurekaBy::Vip => {
            all.all().filter(|i| is_listed(&i.vip, &query.name)).filter_map(of_any_app).collect()
        }
        EurekaBy::SecureVip => {
            all.all().filter(|i| is_listed(&i.secure_vip, &query.name)).filter_map(of_any_app).collect()
        }
    }
}

/// Virtual addresses stand in one text, with commas between them.
fn is_listed(list: &str, name: &str) -> bool {
    list.split(',').any(|one| one.trim().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::eureka::json::Answer;

    const REGISTRY: &str = r#"{"applications":{"application":[
      {"name":"USERS","instance":[
        {"instanceId":"up","hostName":"a.internal","ipAddr":"10.0.0.1","status":"UP","port":{"$":8080,"@enabled":"true"},
         "vipAddress":"users, members","metadata":{"weight":"5","zone":"z1"}},
        {"instanceId":"down","hostName":"b.internal","ipAddr":"10.0.0.2","status":"DOWN","port":{"$":8080,"@enabled":"true"}},
        {"instanceId":"out","hostName":"c.internal","status":"UP","overriddenStatus":"OUT_OF_SERVICE","port":8080},
        {"instanceId":"both","hostName":"not a host","ipAddr":"10.0.0.3","status":"UP","port":8080,
         "securePort":{"$":8443,"@enabled":"true"},"secureVipAddress":"users"}]},
      {"name":"OTHERS","instance":{"instanceId":"up","hostName":"d.internal","status":"UP","port":80,"vipAddress":"MEMBERS"}}]}}"#;

    fn found(query: &str) -> Vec<String> {
        let answer: Answer = serde_json::from_str(REGISTRY).unwrap();
        let all = Applications::of(answer.applications);
        let found = instances(&query.parse().unwrap(), &all);
        let scheme = |i: &Instance| i.protocol.map_or("", |p| p.scheme());
        found.iter().map(|i| format!("{} {}://{}", i.id, scheme(i), i.address)).collect()
    }

    #[test]
    fn only_instances_that_are_up_and_not_taken_out_are_found() {
        assert_eq!(found("users"), ["both https://10.0.0.3:8443", "up ://a.internal:8080"]);
    }

    #[test]
    fn the_port_can_be_chosen() {
        assert_eq!(found("USERS?port=plain"), ["both ://10.0.0.3:8080", "up ://a.internal:8080"]);
        assert_eq!(found("USERS?port=secure"), ["both https://10.0.0.3:8443"]);
    }

    #[test]
    fn other_states_can_be_asked_for() {
        assert_eq!(found("USERS?status=DOWN&address=ip"), ["down ://10.0.0.2:8080"]);
        assert_eq!(found("USERS?status=OUT_OF_SERVICE"), ["out ://c.internal:8080"]);
    }

    #[test]
    fn virtual_addresses_are_found_over_all_apps() {
        assert_eq!(found("members?by=vip"), ["OTHERS/up ://d.internal:80", "USERS/up ://a.internal:8080"]);
        assert_eq!(found("USERS?by=secure-vip"), ["USERS/both https://10.0.0.3:8443"]);
        assert!(found("nobody?by=vip").is_empty());
    }

    #[test]
    fn weight_and_zone_are_those_of_the_metadata() {
        let answer: Answer = serde_json::from_str(REGISTRY).unwrap();
        let all = Applications::of(answer.applications);
        let found = instances(&"USERS".parse().unwrap(), &all);
        let up = found.iter().find(|i| &*i.id == "up").unwrap();
        assert_eq!((up.weight, up.zone.as_deref()), (5, Some("z1")));
        assert_eq!(up.metadata["zone"], "z1".into());
    }
}
