//! Settings that only a restart changes: a reload tells of them and applies all else.

use menshen_e2e::{Admin, Client, TestGateway};
use serde_json::{Value, json};

fn document(settings: &str, route: &str) -> String {
    format!(
        "gateway:\n  admin: 127.0.0.1:0\n{settings}routes: {{ {route}: {{ match: /{route}, to: {{ respond: {{}} }} }} }}"
    )
}

#[test]
fn a_setting_that_needs_a_restart_is_told_and_all_else_is_applied() {
    let gateway = TestGateway::start(&document("  workers: 2\n", "old"), &[]);
    let admin = Admin::of(&gateway);
    gateway.reload(&document("  workers: 4\n  drain: 1m\n  log: debug\n", "new")).unwrap();
    assert_eq!(["/old", "/new"].map(|t| Client::of(&gateway).get(t).status), [404, 200]);
    let warnings = json!([
        "gateway.workers changed from 2 to 4: takes effect after a restart",
        "gateway.drain changed from 5s to 1m: takes effect after a restart",
        "gateway.log changed from info to debug: takes effect after a restart",
    ]);
    let told = |text: String| serde_json::from_str::<Value>(&text).unwrap()["warnings"].clone();
    assert_eq!(told(admin.post("/reload").text()), warnings, "as long as it waits");
    assert_eq!(told(admin.get("/status").text()), warnings);
    gateway.reload(&document("  workers: 2\n", "new")).unwrap();
    assert_eq!(told(admin.get("/status").text()), json!([]), "that is what runs");
}

#[test]
fn a_reload_that_is_refused_changes_nothing_of_what_waits() {
    let gateway = TestGateway::start(&document("", "a"), &[]);
    let admin = Admin::of(&gateway);
    gateway.reload(&document("  workers: 4\n  drain: nonsense\n", "a")).unwrap_err();
    let status: Value = serde_json::from_str(&admin.get("/status").text()).unwrap();
    assert_eq!(status["warnings"], json!([]));
}
