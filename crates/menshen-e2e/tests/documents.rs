//! The documents that are shown to people start.

use menshen::{Gateway, Origin};

#[test]
fn the_document_of_the_demo_is_served() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../demo/menshen.yaml")).unwrap();
    let (bind, log) = ("bind: 127.0.0.1:8001", "access-log: stdout");
    assert!(text.contains(bind) && text.contains(log), "{text}");
    let text =
        text.replace(bind, "bind: 127.0.0.1:0").replace(log, "access-log: off\n  admin: off\n  workers: 1");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("menshen.yaml");
    std::fs::write(&file, text).unwrap();
    let gateway = Gateway::start(Origin::Path(file)).unwrap();
    let mut client = menshen_e2e::Client::connect(gateway.listeners()[0].1.tcp().unwrap());
    let preflight = ["Origin: http://localhost:3000", "Access-Control-Request-Method: GET"];
    let response = client.ask("OPTIONS /api/user/1", &preflight);
    assert_eq!(
        (response.status, response.fields.get("access-control-allow-origin")),
        (204, Some("http://localhost:3000"))
    );
    assert_eq!(client.get("/nothing").outcome(), "404 no-route");
}
