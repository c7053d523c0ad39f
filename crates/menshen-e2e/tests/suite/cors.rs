//! Pages of other origins, as browsers see them.

use menshen_e2e::{Client, Origin, Response, TestGateway, reply_with};

const PAGE: &str = "Origin: https://app.test";
const PREFLIGHT: [&str; 3] =
    [PAGE, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: authorization, x-a"];

fn allowed(response: &Response) -> Option<&str> {
    response.fields.get("access-control-allow-origin")
}

/// A gateway in front of a service that has ideas of its own about CORS.
fn gateway(filters: &str) -> (TestGateway, Origin, Origin) {
    let origin = Origin::answering(|_| {
        let own = "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\nACCESS-CONTROL-EXPOSE-HEADERS: x-secret\r\nVary: Accept\r\n";
        reply_with("200 OK", own, "content")
    });
    let document = format!(
        "
        listeners:
          http:
            bind: 127.0.0.1:0
            filters:
              - cors: {{ origins: ['https://app.test', 'https://*.sub.test'], credentials: allowed, expose: x-shown }}
              {filters}
        routes:
          r: {{ match: /r, to: 'http://{{origin}}' }}
          get: {{ match: GET /get, to: 'http://{{origin}}' }}
          dead: {{ match: /dead, to: 'http://{{origin-2}}' }}
        "
    );
    let refusing = Origin::refusing();
    (TestGateway::start(&document, &[&origin, &refusing]), origin, refusing)
}

#[test]
fn the_gateway_has_the_last_word_on_what_pages_may_read() {
    let (gateway, origin, _refusing) = gateway("");
    let mut client = Client::of(&gateway);
    let response = client.ask("GET /r", &[PAGE]);
    assert_eq!((response.text().as_str(), allowed(&response)), ("content", Some("https://app.test")));
    assert_eq!(response.fields.get("access-control-allow-credentials"), Some("true"));
    assert_eq!(response.fields.get("access-control-expose-headers"), Some("x-shown"));
    assert!(response.fields.lists("vary", "origin") && response.fields.lists("vary", "accept"));
    assert_eq!(allowed(&client.ask("GET /r", &["Origin: https://a.sub.test"])), Some("https://a.sub.test"));
    for stranger in [
        "Origin: https://evil.test",
        "Origin: https://app.test.evil.test",
        "Origin: http://app.test",
        "Origin: null",
        "X-A: b",
    ] {
        let response = client.ask("GET /r", &[stranger]);
        assert_eq!((response.status, allowed(&response)), (200, None), "{stranger}");
        assert!(!response.fields.has("access-control-expose-headers"), "{stranger}");
        assert!(response.fields.lists("vary", "origin"), "{stranger}");
    }
    assert_eq!(origin.whole_requests(), 7);
}

#[test]
fn a_preflight_is_answered_before_anybody_else_is_asked() {
    let (gateway, origin, _refusing) = gateway("- ip-deny: 127.0.0.0/8");
    let mut client = Client::of(&gateway);
    for target in ["/r", "/get", "/nowhere"] {
        let response = client.ask(&format!("OPTIONS {target}"), &PREFLIGHT);
        assert_eq!((response.status, allowed(&response)), (204, Some("https://app.test")), "{target}");
        assert!(response.fields.lists("access-control-allow-methods", "PUT"), "{target}");
        assert_eq!(response.fields.get("access-control-allow-headers"), Some("authorization, x-a"));
        assert_eq!(response.fields.get("access-control-max-age"), Some("600"));
    }
    let stranger = client.ask("OPTIONS /r", &["Origin: https://evil.test", PREFLIGHT[1]]);
    assert_eq!((stranger.status, allowed(&stranger)), (204, None));
    assert!(!stranger.fields.has("access-control-allow-methods"));
    assert_eq!(client.ask("OPTIONS /r", &[PAGE]).status, 403, "that is no preflight");
    assert!(origin.requests().is_empty());
}

#[test]
fn pages_may_read_why_something_failed() {
    let (gateway, _origin, _refusing) = gateway(
        "- { ip-deny: 127.0.0.0/8, when: { headers: { x-deny: present } } }\n              - { rate-limit: 1/h, when: { headers: { x-limit: present } } }",
    );
    let failures: [(&str, &[&str], u16); 7] = [
        ("GET /nowhere", &[PAGE], 404),
        ("POST /get", &[PAGE], 405),
        ("GET /dead", &[PAGE], 502),
        ("GET /r", &[PAGE, "X-Deny: 1"], 403),
        ("GET /r", &[PAGE, "X-Limit: 1"], 200),
        ("GET /r", &[PAGE, "X-Limit: 1"], 429),
        ("GET /a%zz", &[PAGE], 400),
    ];
    for (line, fields, status) in failures {
        let response = Client::of(&gateway).ask(line, fields);
        assert_eq!((response.status, allowed(&response)), (status, Some("https://app.test")), "{line}");
    }
}
