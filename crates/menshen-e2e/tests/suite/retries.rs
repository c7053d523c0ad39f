//! Sending again (dangers 24, figure U1): only what can do no harm, and never twice by accident.

use menshen_e2e::{Client, Origin, TestGateway, eventually, reply};

/// Answers the first request of each connection, then resets when the second has come.
fn resetting_reused_connections() -> Origin {
    Origin::scripted(|c| {
        c.request();
        c.send(reply("first"));
        c.request();
        c.reset_at_end();
    })
}

#[test]
fn a_get_is_sent_again_when_a_reused_connection_turns_out_dead() {
    let origin = resetting_reused_connections();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    for _ in 0..10 {
        assert_eq!(client.get("/").text(), "first");
    }
}

#[test]
fn a_post_is_never_sent_again() {
    for body in ["", "hello"] {
        let origin = resetting_reused_connections();
        let gateway = TestGateway::in_front_of(&origin);
        let mut client = Client::of(&gateway);
        assert_eq!(client.get("/").text(), "first");
        assert_eq!(client.post("/once", body).outcome(), "502 service-reset");
        let posts = origin.requests().iter().filter(|r| r.target == "/once").count();
        assert_eq!(posts, 1);
    }
}

#[test]
fn a_post_is_not_sent_again_whatever_the_service_had_seen_of_it() {
    for behaviour in ["close at once", "close behind the head", "close behind the body", "half a head back"] {
        let origin = Origin::scripted(move |c| {
            let head = if behaviour == "close at once" { None } else { c.head() };
            if let Some(head) = head.filter(|_| behaviour != "close behind the head") {
                c.content(head);
            }
            if behaviour == "half a head back" {
                c.send("HTTP/1.1 200 OK\r\nContent-Le");
            }
        });
        let gateway = TestGateway::in_front_of(&origin);
        let response = Client::of(&gateway).post("/once", "hello");
        assert_eq!(response.outcome(), "502 service-reset", "{behaviour}");
        assert_eq!(origin.connections(), 1, "{behaviour}");
    }
}

#[test]
fn a_get_is_sent_at_most_twice() {
    let origin = Origin::scripted(|c| {
        c.request();
        c.reset_at_end();
    });
    let gateway = TestGateway::in_front_of(&origin);
    assert_eq!(Client::of(&gateway).get("/").outcome(), "502 service-reset");
    assert!(origin.requests().len() <= 2, "{}", origin.requests().len());
}

#[test]
fn an_idempotent_request_is_not_sent_again_once_its_body_was_taken() {
    let origin = resetting_reused_connections();
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    assert_eq!(client.get("/").text(), "first");
    let put = "PUT /once HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(client.send(put).response().outcome(), "502 service-reset");
    assert_eq!(origin.requests().iter().filter(|r| r.target == "/once").count(), 1);
}

#[test]
fn a_connection_that_the_service_closed_while_idle_is_not_used() {
    let origin = Origin::scripted(|c| {
        c.request();
        c.send(reply("only one"));
    });
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    for round in 1..=5 {
        let response = client.post("/", "hello");
        // The close may cross the next request; then it is the reset of a reused connection.
        assert!(
            matches!(response.outcome().as_str(), "200 " | "502 service-reset"),
            "{}",
            response.outcome()
        );
        eventually("the origin has closed", || origin.open_connections() == 0);
        assert_eq!(origin.requests().len(), round);
    }
}

#[test]
fn an_endpoint_that_refuses_connections_costs_no_request() {
    let (good, refusing, other) = (Origin::echo(), Origin::refusing(), Origin::echo());
    let gateway = TestGateway::start(
        "
        services: { s: { endpoints: ['{origin-1}', '{origin-2}', '{origin-3}'] } }
        routes: { all: { match: /**, to: s } }
        ",
        &[&good, &refusing, &other],
    );
    let mut client = Client::of(&gateway);
    for i in 0..30 {
        assert_eq!(client.post(&format!("/{i}"), "hello").text(), format!("POST /{i}\nhello"));
        assert_eq!(client.get(&format!("/{i}")).text(), format!("GET /{i}\n"));
    }
    assert_eq!(good.requests().len() + other.requests().len(), 60);
    assert!(good.requests().len() >= 15 && other.requests().len() >= 15);
}

#[test]
fn no_endpoint_at_all_is_a_clear_answer() {
    let refusing = Origin::refusing();
    let gateway = TestGateway::in_front_of(&refusing);
    let mut client = Client::of(&gateway);
    assert_eq!(client.get("/").outcome(), "502 connect-failed");
    assert_eq!(client.post("/", "hello").outcome(), "502 connect-failed");
    assert_eq!(client.get("/").outcome(), "502 connect-failed");
}
