//! Routes that lead to no service: redirects, fixed replies, other routes. And whom a service takes itself for.

use menshen_e2e::{Client, Origin, TestGateway};

#[test]
fn a_redirect_fills_in_what_the_path_names_and_escapes_it() {
    let gateway = TestGateway::start(
        "
        routes:
          post: { match: '/blog/{id}', to: { redirect: { to: '/articles/{id}{?query}', status: 301 } } }
          rest: { match: '/d/{file:**}', to: { redirect: { to: 'https://cdn.test/{file}' } } }
          host: { match: /h/**, to: { redirect: { to: 'https://{host}{path}', status: 307 } } }
          short: { match: '/s/{id}', to: { redirect: 'https://new.test/{id}' } }
          value: { match: /q, to: { redirect: { to: '/s?term={query:t}', status: 302 } } }
        ",
        &[],
    );
    let mut client = Client::of(&gateway);
    for (target, status, location) in [
        ("/blog/7?page=2&x=%26", 301, "/articles/7?page=2&x=%26"),
        ("/blog/7", 301, "/articles/7"),
        ("/blog/a%20b%3f%23", 301, "/articles/a%20b%3F%23"),
        ("/d/a/b%20c.zip", 308, "https://cdn.test/a/b%20c.zip"),
        ("/d/%0a", 400, ""),
        ("/h/x/../y", 307, "https://gateway/h/y"),
        ("/s/7", 308, "https://new.test/7"),
        ("/q?t=a%26b", 302, "/s?term=a%26b"),
    ] {
        let response = client.get(target);
        let got = (response.status, response.fields.get("location").unwrap_or_default());
        assert_eq!(got, (status, location), "{target}");
        assert!(status == 400 || response.body.is_empty());
    }
}

#[test]
fn a_redirect_never_leads_to_a_host_that_the_path_names() {
    let gateway = TestGateway::start(
        "routes: { r: { match: '/go/{to:**}', encoded-slashes: allow, to: { redirect: { to: '/{to}' } } } }",
        &[],
    );
    for target in ["/go/%2Fevil.test", "/go//evil.test", "/go/%2F%2Fevil.test/", "/go/%5Cevil.test"] {
        let response = Client::of(&gateway).get(target);
        let location = response.fields.get("location").unwrap_or_default();
        assert!(!location.starts_with("//") && !location.contains('\\'), "{target}: {location}");
    }
}

#[test]
fn a_fixed_reply_is_sent_as_it_is_written() {
    let gateway = TestGateway::start(
        "
        routes:
          text: { match: /text, to: { respond: { body: 'héllo' } } }
          json: { match: /json, to: { respond: { status: 418, json: { a: [1, 'x', null] } } } }
          fields: { match: /fields, to: { respond: { status: 503, headers: { retry-after: '7', content-type: text/x }, body: b } } }
          empty: { match: /empty, to: { respond: { status: 204 } } }
        ",
        &[],
    );
    let mut client = Client::of(&gateway);
    let text = client.get("/text");
    assert_eq!((text.status, text.text().as_str()), (200, "héllo"));
    assert_eq!(text.fields.get("content-type"), Some("text/plain; charset=utf-8"));
    let json = client.get("/json");
    assert_eq!((json.status, json.text().as_str()), (418, "{\"a\":[1,\"x\",null]}\n"));
    assert_eq!(json.fields.get("content-type"), Some("application/json"));
    let fields = client.get("/fields");
    assert_eq!(
        (fields.fields.get("retry-after"), fields.fields.get("content-type")),
        (Some("7"), Some("text/x"))
    );
    let empty = client.get("/empty");
    assert_eq!((empty.status, empty.fields.has("content-length")), (204, false));
    let head = client.ask("HEAD /text", &[]);
    assert_eq!((head.status, head.fields.get("content-length")), (200, Some("6")));
    assert_eq!(client.post("/text", "ignored").text(), "héllo");
}

const FORWARDS: &str = "
    listeners:
      http:
        bind: 127.0.0.1:0
        filters: [ headers: { request: { add: { x-listener: pre } }, response: { add: { x-listener: post } } } ]
    routes:
      outer:
        match: '/old/{id}/{more}'
        to: 'forward:/new/{more}'
        filters: [ headers: { request: { add: { x-own: outer } }, response: { add: { x-own: 'outer {id}' } } } ]
      inner:
        match: '/new/{id}'
        strip: /new
        to: 'http://{origin}'
        filters: [ headers: { request: { add: { x-own: 'inner {id}' } }, response: { add: { x-own: 'inner {id}' } } } ]
      astray: { match: /astray, to: 'forward:/nowhere' }
      wrong: { match: POST /wrong, to: 'forward:/readable' }
      readable: { match: GET /readable, to: { respond: { body: r } } }
      loop: { match: '/loop/{n}', to: 'forward:/pool/{n}' }
      pool: { match: '/pool/{n}', to: 'forward:/loop/{n}' }
      chain-1: { match: /chain/1, to: 'forward:/chain/2' }
      chain-2: { match: /chain/2, to: 'forward:/chain/3' }
      chain-3: { match: /chain/3, to: 'forward:/chain/4' }
      chain-4: { match: /chain/4, to: { respond: { body: end } } }
      hop: { match: '/hop/{where}', to: 'forward:/old/7/{where}' }
";

#[test]
fn a_forward_runs_the_filters_of_both_routes_and_those_of_the_listener_once() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(FORWARDS, &[&origin]);
    let response = Client::of(&gateway).get("/old/7/new?q=1");
    assert_eq!(response.text(), "GET /new?q=1\n");
    assert_eq!(response.fields.all("x-own"), ["inner new", "outer 7"], "each route's variables are its own");
    assert_eq!(response.fields.all("x-listener"), ["post"]);
    let request = origin.only_request();
    assert_eq!(request.fields.all("x-own"), ["outer", "inner new"]);
    assert_eq!(request.fields.all("x-listener"), ["pre"]);

    let hop = Client::of(&gateway).get("/hop/x");
    assert_eq!((hop.text().as_str(), hop.fields.all("x-own")), ("GET /x\n", vec!["inner x", "outer 7"]));
}

#[test]
fn forwards_end() {
    let gateway = TestGateway::start(FORWARDS, &[&Origin::echo()]);
    let mut client = Client::of(&gateway);
    assert_eq!(client.get("/chain/1").text(), "end");
    let endless = client.get("/loop/1");
    assert_eq!(endless.outcome(), "500 forward-loop");
    assert_eq!(endless.fields.all("x-listener"), ["post"]);
    assert_eq!(client.get("/astray").outcome(), "404 no-route");
    let wrong = client.post("/wrong", "x");
    assert_eq!(
        (wrong.outcome().as_str(), wrong.fields.get("allow")),
        ("405 method-not-allowed", Some("GET, HEAD"))
    );
    assert_eq!(wrong.fields.all("x-listener"), ["post"]);
}

#[test]
fn a_service_sees_the_host_that_route_and_service_say() {
    let origin = Origin::echo();
    let gateway = TestGateway::start(
        "
        services:
          plain: { endpoints: ['{origin}'] }
          endpoint: { endpoints: ['{origin}'], host: endpoint }
          named: { endpoints: ['{origin}'], host: api.internal }
        routes:
          a: { match: /plain, to: plain }
          b: { match: /endpoint, to: endpoint }
          c: { match: /named, to: named }
          d: { match: /url, to: 'http://{origin}' }
          e: { match: /keep, to: named, host: keep }
          f: { match: /own, to: plain, host: 'own.test:81' }
          g: { match: /service, to: named, host: service }
        ",
        &[&origin],
    );
    let address = origin.address().to_string();
    let mut client = Client::of(&gateway);
    for (target, host) in [
        ("/plain", "asked.test:8080"),
        ("/endpoint", address.as_str()),
        ("/named", "api.internal"),
        ("/url", address.as_str()),
        ("/keep", "asked.test:8080"),
        ("/own", "own.test:81"),
        ("/service", "api.internal"),
    ] {
        client.ask(&format!("GET {target}"), &["Host: asked.test:8080"]);
        let request = origin.requests().pop().unwrap();
        assert_eq!(request.fields.get("host"), Some(host), "{target}");
        assert_eq!(request.fields.get("x-forwarded-host"), Some("asked.test:8080"), "{target}");
    }
}

#[test]
fn a_route_for_get_takes_head_unless_another_route_names_it() {
    let routes = "routes:\n  get: { match: GET /a, to: { respond: { body: get } } }\n";
    let head = "  head: { match: HEAD /a, to: { respond: { status: 204 } } }\n";
    for (routes, status) in [(routes.to_owned(), 200), (format!("{routes}{head}"), 204)] {
        let gateway = TestGateway::start(&routes, &[]);
        let mut client = Client::of(&gateway);
        client.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response_to_head().status, status);
        assert_eq!(client.get("/a").text(), "get");
    }
}
