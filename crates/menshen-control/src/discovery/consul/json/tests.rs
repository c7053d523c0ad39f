//! Answers of Consul agents, as they come from real ones and as they might come.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Vec<Entry> {
    serde_json::from_str::<Entries>(text).expect("an answer").read("zone").collect()
}

/// As the documentation of the health API shows it.
const DOCUMENTED: &str = r#"[{"Node":{"ID":"40e4a748","Node":"foobar","Address":"10.1.10.12","Datacenter":"dc1",
  "TaggedAddresses":{"lan":"10.1.10.12","wan":"10.1.10.12"},"Meta":{"zone":"rack-1"}},
  "Service":{"ID":"redis","Service":"redis","Tags":["primary"],"Address":"10.1.10.13","Meta":{"redis_version":"4.0"},
  "Port":8000,"Weights":{"Passing":10,"Warning":2},"Namespace":"default"},
  "Checks":[{"Node":"foobar","CheckID":"service:redis","Status":"passing"},{"Node":"foobar","CheckID":"serfHealth","Status":"warning"}]}]"#;

#[test]
fn an_answer_as_documented_is_read() {
    let all = read(DOCUMENTED);
    let Entry { instance, warning_weight, worst } = &all[0];
    assert_eq!(instance.address.to_string(), "10.1.10.13:8000");
    assert_eq!((&*instance.id, instance.weight, *warning_weight), ("foobar/redis", 10, 2));
    assert_eq!((instance.zone.as_deref(), *worst), (Some("rack-1"), Check::Warning));
    let names: Vec<&str> = instance.metadata.keys().map(|n| &**n).collect();
    assert_eq!(names, ["redis_version", "tag:primary"]);
}

#[test]
fn a_service_without_an_address_is_where_its_node_is() {
    for address in ["", r#""Address":"","#] {
        let text = format!(
            r#"[{{"Node":{{"Node":"n","Address":"fd00::1"}},"Service":{{{address}"ID":"a","Port":"80"}}}}]"#
        );
        assert_eq!(read(&text)[0].instance.address.to_string(), "[fd00::1]:80");
    }
}

#[test]
fn without_weights_everybody_gets_the_same() {
    let all = read(r#"[{"Service":{"ID":"a","Address":"h","Port":80}}]"#);
    assert_eq!((all[0].instance.weight, all[0].warning_weight, all[0].worst), (1, 1, Check::Passing));
}

#[test]
fn what_cannot_be_understood_costs_only_itself() {
    let all = read(
        r#"[1,null,{},{"Service":7},{"Service":{"ID":"a"}},{"Service":{"ID":"a","Address":"h","Port":0}},
        {"Service":{"ID":"a","Address":"h h","Port":80}},{"Node":3,"Checks":{},"Service":{"ID":"good","Address":"h","Port":80,"Tags":"x"}}]"#,
    );
    assert_eq!(all.len(), 1);
    assert_eq!(&*all[0].instance.id, "/good");
}

#[test]
fn what_is_no_list_is_an_error() {
    for text in ["", "{}", "null", "ACL not found", "[{"] {
        assert!(serde_json::from_str::<Entries>(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_answer_breaks_anything(id in ".{0,8}", address in ".{0,12}", port in any::<i32>(), status in ".{0,8}") {
        let text = serde_json::json!([{ "Node": { "Address": address }, "Service": { "ID": id, "Port": port },
            "Checks": [{ "Status": status }] }]);
        for entry in read(&text.to_string()) {
            prop_assert!(!entry.instance.id.is_empty());
        }
    }
}
