//! Connections that are there before the first request.

use menshen_e2e::{Admin, Client, Origin, TestGateway, eventually, reply};

const WARM: &str = "
    gateway:
      admin: 127.0.0.1:0
    services: { s: { endpoints: ['{origin-1}'], pool: { warm: 2 per worker } } }
    routes: { all: { match: /**, to: s } }
";

#[test]
fn the_first_request_finds_a_connection() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(WARM, &[&origin]);
    eventually("it is ready", || Admin::of(&gateway).get("/readyz").status == 200);
    eventually("two connections are made", || origin.connections() == 2);
    assert!(origin.requests().is_empty(), "nobody asked for anything");
    assert_eq!(Client::of(&gateway).get("/a").text(), "GET /a\n");
    assert_eq!(Admin::of(&gateway).metric("menshen_service_reuses_total{service=\"s\"}"), 1);
    assert_eq!(origin.connections(), 2);
}

#[test]
fn an_endpoint_that_comes_gets_its_connections_and_one_that_has_them_no_more() {
    let origins = [Origin::echo(), Origin::answering(|_| reply("second"))];
    let gateway = TestGateway::start(WARM, &origins.each_ref());
    eventually("the first has two", || origins[0].connections() == 2);
    let both = WARM.replace("'{origin-1}'", "'{origin-1}', '{origin-2}'");
    gateway.reload(&both).unwrap();
    eventually("the second has two", || origins[1].connections() == 2);
    assert_eq!(origins[0].connections(), 2);
}

#[test]
fn an_endpoint_where_nobody_listens_keeps_nobody_from_being_ready() {
    let origin = Origin::echo();
    let gone = Origin::echo().address();
    let document = WARM.replace("'{origin-1}'", &format!("'{{origin-1}}', '{gone}'"));
    let gateway = TestGateway::start(&document, &[&origin]);
    eventually("it is ready", || Admin::of(&gateway).get("/readyz").status == 200);
    eventually("the other has its connections", || origin.connections() == 2);
}
