use super::*;
use crate::testing::Try;

const FILTER: &str = "cors: [ https://app.example.com, 'https://*.example.org' ]";
const ACA: [&str; 6] = [
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
];

fn page(origin: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: api.example\r\nOrigin: {origin}\r\n\r\n")
}

fn preflight(origin: &str, more: &str) -> String {
    format!(
        "OPTIONS /a HTTP/1.1\r\nHost: api.example\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: PUT\r\n{more}\r\n"
    )
}

/// The reply to a request of a page, with what the service says itself.
fn reply(filter: &str, request: &str, service: &[(&str, &str)]) -> Try {
    let mut t = Try::filter(filter).request(request).pass();
    let mut reply = Reply::new(200);
    for (name, value) in service {
        reply.head.fields.append_named(name.as_bytes(), value.as_bytes());
    }
    t.reply(reply);
    t
}

/// The answer to a preflight, as the client gets it.
fn answer(filter: &str, request: &str) -> Try {
    let mut t = Try::filter(filter).request(request);
    let Flow::Answer(reply) = t.pre() else { panic!("the preflight went through") };
    t.reply(*reply);
    t
}

#[test]
fn only_origins_that_are_named_are_allowed_whatever_they_look_like() {
    let long = format!("https://{}.example.org", "a".repeat(10_000));
    let two = "https://app.example.com\r\nOrigin: https://app.example.com";
    for (origin, is_allowed) in [
        ("https://app.example.com", true),
        ("https://b.example.org", true),
        ("https://a.b.example.org", true),
        ("https://app.example.com.evil.com", false),
        ("https://evilapp.example.com", false),
        ("https://appXexample.com", false),
        ("http://app.example.com", false),
        ("https://app.example.com:444", false),
        ("null", false),
        ("https://app.example.com%60.evil.com", false),
        ("https://app.example.com_.evil.com", false),
        ("https://example.org", false),
        ("https://.example.org", false),
        ("https://evilexample.org", false),
        ("https://evil.com/.example.org", false),
        ("https://evil.com%60.example.org", false),
        ("https://a@b.example.org", false),
        ("https://a.example.org:8443", false),
        ("HTTPS://APP.EXAMPLE.COM", false),
        ("https://app.example.com, https://app.example.com", false),
        (two, false),
        (&long, false),
    ] {
        let shown = origin.get(..60).unwrap_or(origin);
        let t = reply(FILTER, &page(origin), &[]);
        assert_eq!(
            t.field("access-control-allow-origin").as_deref(),
            is_allowed.then_some(origin),
            "{shown}"
        );
        assert_eq!(t.field("vary").as_deref(), Some("Origin"), "{shown}");
        let t = answer(FILTER, &preflight(origin, ""));
        assert_eq!(t.status(), 204);
        let said: Vec<_> = ACA.iter().filter_map(|name| t.field(name)).collect();
        assert_eq!(!said.is_empty(), is_allowed, "{shown}: {said:?}");
        assert!(t.field("vary").unwrap().starts_with("Origin"));
    }
}

#[test]
fn a_preflight_is_told_methods_headers_and_for_how_long() {
    let asks = preflight("https://app.example.com", "Access-Control-Request-Headers: authorization,x-a\r\n");
    let t = answer(FILTER, &asks);
    assert_eq!(t.field(ACA[2]).unwrap(), "GET, HEAD, POST, PUT, PATCH, DELETE");
    assert_eq!(t.field(ACA[3]).unwrap(), "authorization,x-a");
    assert_eq!(t.field(ACA[5]).unwrap(), "600");
    assert_eq!((t.field(ACA[1]), t.field(ACA[4])), (None, None));

    let strict = "cors: { origins: https://app.example.com, methods: GET, headers: [X-A, X-B], max-age: 1h, credentials: allowed }";
    let t = answer(strict, &asks);
    assert_eq!(t.field(ACA[2]).unwrap(), "GET", "the browser sees that PUT is not among them");
    assert_eq!(t.field(ACA[3]).unwrap(), "X-A, X-B");
    assert_eq!((t.field(ACA[1]).unwrap(), t.field(ACA[5]).unwrap()), ("true".into(), "3600".into()));
}

#[test]
fn headers_that_are_no_names_are_not_echoed() {
    let t = answer(FILTER, &preflight("https://app.example.com", "Access-Control-Request-Headers: <b>\r\n"));
    assert_eq!(t.field(ACA[3]), None);
}

#[test]
fn what_the_service_or_an_inner_filter_says_is_replaced_by_one_value_each() {
    let service = [
        ("Access-Control-Allow-Origin", "*"),
        ("access-control-allow-origin", "https://evil.com"),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Allow-Private-Network", "true"),
        ("Access-Control-Expose-Headers", "X-Secret"),
        ("Vary", "Accept, origin"),
    ];
    let filter = "cors: { origins: https://app.example.com, expose: [X-Total, Link] }";
    let t = reply(filter, &page("https://app.example.com"), &service);
    assert_eq!(t.field("access-control-allow-origin").unwrap(), "https://app.example.com");
    assert_eq!(t.field("access-control-expose-headers").unwrap(), "X-Total, Link");
    assert_eq!(t.field("access-control-allow-credentials"), None);
    assert_eq!(t.field("access-control-allow-private-network"), None);
    assert_eq!(t.field("vary").unwrap(), "Accept, origin");
    let t = reply(filter, &page("https://evil.com"), &service);
    assert!(ACA.iter().all(|name| t.field(name).is_none()));

    // A later filter that sets the field runs before this one on the way back.
    let both = format!(
        "- {FILTER}\n- headers: {{ response: {{ set: {{ access-control-allow-origin: 'https://evil.com' }} }} }}"
    );
    let t = reply(&both, &page("https://app.example.com"), &[]);
    assert_eq!(t.field("access-control-allow-origin").unwrap(), "https://app.example.com");
}

#[test]
fn requests_that_ask_no_leave_are_forwarded() {
    for request in [
        "OPTIONS /a HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example.com\r\n\r\n",
        "OPTIONS /a HTTP/1.1\r\nHost: a\r\nAccess-Control-Request-Method: PUT\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let t = reply(FILTER, request, &[]);
        assert_eq!(t.field("vary").unwrap(), "Origin");
        assert_eq!(t.field("access-control-allow-methods"), None);
    }
}

#[test]
fn failures_can_be_read_by_the_page_too() {
    let mut t = Try::filter(FILTER).request(&page("https://app.example.com"));
    t.fail(Failure::NoEndpoint);
    assert_eq!((t.status(), t.field(ACA[0]).unwrap()), (503, "https://app.example.com".into()));
    assert_eq!(t.field("vary").unwrap(), "Origin");
}

#[test]
fn everybody_is_a_star_and_never_an_echo() {
    let t = reply("cors: '*'", &page("https://evil.com"), &[]);
    assert_eq!(t.field("access-control-allow-origin").unwrap(), "*");
    assert_eq!(t.field("vary").unwrap(), "Origin");
}

#[test]
fn unsafe_or_useless_settings_are_refused() {
    for (yaml, message) in [
        ("cors", "missing `origins`"),
        ("cors: []", "no origin is named"),
        ("cors: { origins: '*', credentials: allowed }", "every page anywhere could act as the user"),
        ("cors: { origins: ['*', 'https://a.example'] }", "`*` is every origin"),
        (
            "cors: { origins: https://a.example, expose: '*', credentials: allowed }",
            "take `*` for the name of a field",
        ),
        ("cors: { origins: https://a.example, headers: 'X A' }", "`X A` is not the name of a header field"),
        ("cors: { origins: https://a.example, methods: get }", "did you mean `GET`?"),
        ("cors: { origins: https://a.example, max-age: 600 }", "a duration needs a unit"),
        ("cors: https://a.example/", "an origin has no path"),
        ("cors: { origin: https://a.example }", "unknown key `origin`; did you mean `origins`?"),
    ] {
        let problems = Try::problems(yaml);
        assert!(problems.contains(message), "{yaml}: {problems}");
    }
}
