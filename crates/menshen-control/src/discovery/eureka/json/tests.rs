//! Answers of Eureka servers, as they come from real ones and as they might come.

use proptest::prelude::*;

use super::*;
use crate::discovery::eureka::applications::Applications as Known;

fn read(text: &str) -> Applications {
    serde_json::from_str::<Answer>(text).expect("an answer").applications
}

fn only(text: &str) -> Info {
    let mut instances = read(text).instances;
    assert_eq!(instances.len(), 1, "{instances:?}");
    instances.remove(0).1
}

fn instance(members: &str) -> Info {
    only(&format!(r#"{{"applications":{{"application":[{{"name":"USERS","instance":[{{{members}}}]}}]}}}}"#))
}

/// As Spring Cloud's server writes it.
const SPRING: &str = r#"{"applications":{"versions__delta":"1","apps__hashcode":"UP_1_","application":[{"name":"USERS",
  "instance":[{"instanceId":"10.0.0.5:users:8080","hostName":"10.0.0.5","app":"USERS","ipAddr":"10.0.0.5","status":"UP",
  "overriddenStatus":"UNKNOWN","port":{"$":8080,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"},"countryId":1,
  "dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"},
  "leaseInfo":{"renewalIntervalInSecs":30,"durationInSecs":90,"registrationTimestamp":1700000000000,"lastRenewalTimestamp":1,
  "evictionTimestamp":0,"serviceUpTimestamp":1},"metadata":{"zone":"z1","weight":"3","@class":"x"},
  "homePageUrl":"http://10.0.0.5:8080/","vipAddress":"users","secureVipAddress":"users",
  "isCoordinatingDiscoveryServer":"false","lastUpdatedTimestamp":"1700000000000","actionType":"ADDED"}]}]}}"#;

#[test]
fn an_answer_of_spring_cloud_is_read() {
    let all = read(SPRING);
    assert_eq!((all.version.as_deref(), all.hash.as_deref()), (Some("1"), Some("UP_1_")));
    let (action, info) = &all.instances[0];
    assert_eq!((*action, &*info.id, &*info.app), (Action::Added, "10.0.0.5:users:8080", "USERS"));
    assert_eq!((info.port, info.secure_port, info.status), (Some(8080), None, Status::Up));
    assert_eq!(info.zone.as_deref(), Some("z1"));
    assert!(!info.metadata.contains_key("@class"), "the type of the map is no metadata");
}

#[test]
fn a_list_of_one_may_stand_without_brackets() {
    let info = only(
        r#"{"applications":{"application":{"name":"users","instance":{"instanceId":"a","hostName":"h","status":"UP","port":80}}}}"#,
    );
    assert_eq!((&*info.id, &*info.app, info.port), ("a", "USERS", Some(80)));
}

#[test]
fn ports_may_be_texts_and_are_there_only_if_switched_on() {
    let port = |text: &str| instance(&format!(r#""instanceId":"a","port":{text}"#)).port;
    assert_eq!(port(r#"{"$":"8080","@enabled":"true"}"#), Some(8080));
    assert_eq!(port(r#"{"$":8080,"@enabled":true}"#), Some(8080));
    assert_eq!(port(r#"{"$":8080}"#), Some(8080));
    assert_eq!(port(r#"{"$":8080,"@enabled":"false"}"#), None);
    for nonsense in ["null", "0", "-1", "70000", r#""http""#, "[80]", "{}"] {
        assert_eq!(port(nonsense), None, "{nonsense}");
    }
}

#[test]
fn the_zone_of_an_amazon_data_center_counts_where_the_metadata_has_none() {
    let amazon = r#""dataCenterInfo":{"@class":"com.netflix.appinfo.AmazonInfo","name":"Amazon",
        "metadata":{"availability-zone":"us-east-1c","instance-id":"i-1"}},"metadata":{"@class":"java.util.Collections$EmptyMap"}"#;
    let info = instance(&format!(r#""instanceId":"a",{amazon}"#));
    assert_eq!(info.zone.as_deref(), Some("us-east-1c"));
    assert!(info.metadata.is_empty());
    let old = instance(&format!(r#""hostName":"h",{amazon}"#));
    assert_eq!(&*old.id, "i-1", "before instances had names they had that of the machine");
}

#[test]
fn an_override_takes_an_instance_out() {
    for name in ["overriddenStatus", "overriddenstatus"] {
        let info = instance(&format!(r#""instanceId":"a","status":"UP","{name}":"OUT_OF_SERVICE""#));
        assert_eq!(info.effective(), Status::OutOfService);
    }
    let down = instance(r#""instanceId":"a","status":"DOWN","overriddenStatus":"UP""#);
    assert_eq!(down.effective(), Status::Down, "an instance that says that it is down is believed");
}

#[test]
fn what_cannot_be_understood_costs_only_itself() {
    let all = read(
        r#"{"applications":{"application":[7,null,{"name":"USERS","instance":["x",{"status":"UP"},
        {"instanceId":"good","metadata":[1],"port":{"$":{}},"status":3,"hostName":["h"]}]}]}}"#
            .replace("7,null,", "")
            .as_str(),
    );
    let names: Vec<&str> = all.instances.iter().map(|(_, i)| &*i.id).collect();
    assert_eq!(names, ["good"]);
}

#[test]
fn no_applications_are_no_instances() {
    for text in ["{}", r#"{"application":null}"#, r#"{"application":[]}"#, r#"{"application":{"name":"A"}}"#]
    {
        assert!(read(&format!(r#"{{"applications":{text}}}"#)).instances.is_empty(), "{text}");
    }
}

#[test]
fn what_is_no_registry_is_an_error() {
    for text in ["", "<applications/>", "[]", "{}", "null", r#"{"applications":[1]}"#, r#"{"applications":"#]
    {
        assert!(serde_json::from_str::<Answer>(text).is_err(), "{text}");
    }
}

/// One instance in a list of changes.
fn change(id: &str, status: &str, action: &str) -> String {
    format!(
        r#"{{"instanceId":"{id}","app":"USERS","hostName":"h","status":"{status}","actionType":"{action}"}}"#
    )
}

fn delta(changes: &[String]) -> Applications {
    read(&format!(
        r#"{{"applications":{{"application":[{{"name":"USERS","instance":[{}]}}]}}}}"#,
        changes.join(",")
    ))
}

#[test]
fn a_delta_adds_changes_and_deletes() {
    let mut known = Known::of(delta(&[
        change("a", "UP", "ADDED"),
        change("b", "UP", "ADDED"),
        change("c", "DOWN", "ADDED"),
    ]));
    assert_eq!(known.hash(), "DOWN_1_UP_2_");
    known.apply(delta(&[
        change("a", "DOWN", "MODIFIED"),
        change("b", "UP", "DELETED"),
        change("d", "STARTING", "ADDED"),
    ]));
    assert_eq!(known.hash(), "DOWN_2_STARTING_1_");
    known.apply(delta(&["a", "c", "d"].map(|id| change(id, "UP", "DELETED"))));
    assert!(known.is_empty(), "an application without instances is gone");
}

#[test]
fn states_are_counted_in_the_order_of_their_names() {
    let states = ["UP", "UNKNOWN", "STARTING", "OUT_OF_SERVICE", "DOWN", "UP"];
    let changes: Vec<String> =
        states.iter().enumerate().map(|(i, s)| change(&i.to_string(), s, "ADDED")).collect();
    assert_eq!(Known::of(delta(&changes)).hash(), "DOWN_1_OUT_OF_SERVICE_1_STARTING_1_UNKNOWN_1_UP_2_");
}

fn json() -> impl Strategy<Value = Value> {
    let words = ["UP", "true", "8080", "DELETED", "a", "", "[::1]", "z1", "70000"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let names = [
            "applications",
            "application",
            "instance",
            "instanceId",
            "hostName",
            "ipAddr",
            "port",
            "$",
            "@enabled",
            "securePort",
            "status",
            "overriddenStatus",
            "metadata",
            "dataCenterInfo",
            "actionType",
            "apps__hashcode",
            "versions__delta",
            "name",
            "weight",
            "zone",
        ];
        let name = prop::sample::select(names.to_vec()).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..8)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_answer_breaks_anything(inner in json()) {
        let text = serde_json::json!({ "applications": inner }).to_string();
        if let Ok(answer) = serde_json::from_str::<Answer>(&text) {
            let mut known = Known::of(answer.applications);
            for info in known.all() {
                prop_assert!(!info.id.is_empty());
                info.seen(Default::default(), Default::default());
            }
            let again = serde_json::from_str::<Answer>(&text).unwrap().applications;
            known.apply(again);
            known.hash();
        }
    }

    #[test]
    fn deltas_lead_to_the_same_set_as_the_whole(steps in prop::collection::vec((0..6u8, 0..3u8), 1..30)) {
        let states = ["UP", "DOWN", "STARTING"];
        let (mut known, mut truth) = (Known::default(), std::collections::BTreeMap::new());
        for (id, what) in steps {
            let (id, status) = (id.to_string(), states[usize::from(what)]);
            let is_gone = what == 2 && truth.remove(&id).is_some();
            if !is_gone {
                truth.insert(id.clone(), status);
            }
            known.apply(delta(&[change(&id, status, if is_gone { "DELETED" } else { "MODIFIED" })]));
            let whole: Vec<String> = truth.iter().map(|(id, status)| change(id, status, "ADDED")).collect();
            let whole = Known::of(delta(&whole));
            prop_assert_eq!(&known, &whole);
            prop_assert_eq!(known.hash(), whole.hash());
        }
    }
}
