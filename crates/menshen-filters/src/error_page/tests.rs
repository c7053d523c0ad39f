use menshen_proxy::Body;

use super::*;
use crate::testing::Try;

fn failed(filter: &str, failure: Failure) -> Try {
    let mut t = Try::filter(filter).get("/a%3Cb%3E'?x=1");
    t.fail(failure);
    t
}

fn text(mut t: Try) -> String {
    String::from_utf8(t.body()).unwrap()
}

#[test]
fn the_most_precise_page_is_taken_and_the_status_stays() {
    let filter =
        "error-page: { pages: { 5xx: { body: class }, 503: { body: status }, overloaded: { body: code } } }";
    for (failure, page) in
        [(Failure::Overloaded, "code"), (Failure::NoEndpoint, "status"), (Failure::ConnectFailed, "class")]
    {
        let t = failed(filter, failure);
        assert_eq!(t.status(), failure.status());
        assert_eq!(t.field("content-type").unwrap(), "text/plain; charset=utf-8");
        assert_eq!(text(t), page);
    }
    let t = failed(filter, Failure::NoRoute);
    assert_eq!(t.field("content-type").unwrap(), "application/problem+json");
}

#[test]
fn when_to_try_again_is_still_told() {
    let t = failed(
        "error-page: { pages: { rate-limited: { body: slow down } } }",
        Failure::RateLimited { retry_after: 7 },
    );
    assert_eq!((t.status(), t.field("retry-after").unwrap()), (429, "7".into()));
}

#[test]
fn what_the_client_sent_cannot_break_out_of_the_page() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-A: <b>\"x\\'&\r\n\r\n";
    for (page, sent) in [
        ("html: '<p>{header:x-a}</p>'", "<p>&lt;b&gt;&quot;x\\&#39;&amp;</p>"),
        ("json: { a: 'x {header:x-a}' }", "{\"a\":\"x <b>\\\"x\\\\'&\"}\n"),
        ("body: '{header:x-a}'", "<b>\"x\\'&"),
        (
            "{ body: '<a>{header:x-a}</a>', headers: { content-type: text/xml } }",
            "<a>&lt;b&gt;&quot;x\\&#39;&amp;</a>",
        ),
    ] {
        let page = if page.starts_with('{') { page.to_owned() } else { format!("{{ {page} }}") };
        let mut t = Try::filter(&format!("error-page: {{ pages: {{ 404: {page} }} }}")).request(request);
        t.fail(Failure::NoRoute);
        assert_eq!(text(t), sent, "{page}");
    }
}

#[test]
fn pages_say_what_happened_and_leave_styles_alone() {
    let filter = "error-page:\n  pages:\n    404:\n      html: '<style>p{color:red} b { x }</style>{status} {title} {code} {path} {request-id}'\n      headers: { x-request: '{request-id}', x-what: '{method}' }";
    let mut t = Try::filter(filter).request("GET /p HTTP/1.1\r\nHost: a\r\nX-Request-Id: 1-2\r\n\r\n");
    t.fail(Failure::NoRoute);
    assert_eq!((t.field("x-request").unwrap(), t.field("x-what").unwrap()), ("1-2".into(), "GET".into()));
    assert_eq!(text(t), "<style>p{color:red} b { x }</style>404 Not Found no-route /p 1-2");
    let t = failed(
        "error-page: { pages: { 404: { json: { status: '{status}', is: 'a {status}' } } } }",
        Failure::NoRoute,
    );
    assert_eq!(text(t), "{\"status\":404,\"is\":\"a 404\"}\n");
}

#[test]
fn people_get_a_page_and_programs_get_data() {
    let filter = "error-page: { pages: { 404: { html: page, json: [data], body: text } } }";
    for (accept, sent) in [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "page"),
        ("*/*", "[\"data\"]\n"),
        ("application/json", "[\"data\"]\n"),
        ("application/problem+json", "[\"data\"]\n"),
        ("text/plain", "text"),
        ("text/*", "page"),
        ("image/png", "[\"data\"]\n"),
        ("application/json;q=0.1, text/html;q=0.2", "page"),
    ] {
        let mut t =
            Try::filter(filter).request(&format!("GET / HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n"));
        t.fail(Failure::NoRoute);
        assert_eq!(t.field("vary").unwrap(), "Accept");
        assert_eq!(text(t), sent, "{accept}");
    }
}

#[test]
fn errors_of_the_service_are_replaced_only_on_demand() {
    let page = "pages: { 5xx: { body: 'sorry, {code}' } }";
    let service = |status| {
        let mut reply = Reply::with_body(status, "text/html", "stack trace");
        reply.maker = Maker::Service;
        for (name, value) in
            [("content-encoding", "gzip"), ("etag", "\"1\""), ("retry-after", "9"), ("set-cookie", "a=b")]
        {
            reply.head.fields.set_named(name.as_bytes(), value.as_bytes());
        }
        reply
    };
    let mut t = Try::filter(&format!("error-page: {{ {page}, service-errors: replace }}")).get("/").pass();
    t.reply(service(500));
    assert_eq!((t.status(), t.field("content-encoding"), t.field("etag")), (500, None, None));
    assert_eq!((t.field("retry-after").unwrap(), t.field("set-cookie").unwrap()), ("9".into(), "a=b".into()));
    assert_eq!(t.body(), b"sorry, service-error");
    t.reply(service(404));
    assert_eq!(t.body(), b"stack trace");
    let mut own = service(503);
    (own.maker, own.body) = (Maker::Gateway, Body::Full("a filter's own".into()));
    t.reply(own);
    assert_eq!(t.body(), b"a filter's own");
    let mut t = Try::filter(&format!("error-page: {{ {page} }}")).get("/").pass();
    t.reply(service(500));
    assert_eq!(t.body(), b"stack trace");
}

#[test]
fn callers_of_grpc_get_a_status_and_no_page() {
    let head = "POST /a.B/C HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\n\r\n";
    let mut t = Try::filter("error-page: { pages: { 5xx: { body: sorry } } }").request(head).pass();
    t.fail(Failure::ConnectFailed);
    assert_eq!((t.status(), t.field("grpc-status").unwrap(), t.body()), (200, "14".into(), vec![]));
}

#[test]
fn wrong_pages_are_refused() {
    for (page, message) in [
        ("{}", "there is no page"),
        ("{ 200: { body: a } }", "200 is not the status of a failure"),
        ("{ 3xx: { body: a } }", "`3xx` is not a class of failures"),
        ("{ no-rout: { body: a } }", "did you mean `no-route`?"),
        ("{ 404: {} }", "a page says nothing"),
        ("{ 404: { text: a } }", "unknown key `text`"),
        ("{ 404: { body: '{cod}' } }", "`{cod}` is sent as it stands; was `{code}` meant?"),
        ("{ 404: { html: a, json: b, headers: { content-type: a/b } } }", "given for several contents"),
        ("{ 404: { body: a, headers: { content-length: 3 } } }", "it follows from the content"),
        ("{ 404: { body: a, headers: { x-a: '{nope' } } }", "a `{` has no `}`"),
    ] {
        let problems = Try::problems(&format!("error-page: {{ pages: {page} }}"));
        assert!(problems.contains(message), "{page}: {problems}");
    }
    assert!(Try::problems("error-page").contains("missing `pages`"));
}
