//! Pages of other origins in a real browser: whether Chromium lets them through is what counts of `cors`.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use menshen_e2e::{Browser, Origin, Request, TestGateway, reply, reply_with};
use serde_json::{Value, json};

/// A browser takes seconds to start where other tests keep the machine busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// What every page starts with: where the gateway is, and what came of a call.
const START: &str = r#"
    const gateway = location.hash.slice(1);
    async function call(path, options) {
        try {
            const response = await fetch(gateway + path, options);
            return await response.text();
        } catch (error) {
            return error.name;
        }
    }
"#;

/// A server of one page, whose script returns what the page saw.
struct Page {
    server: Origin,
    seen: Receiver<String>,
}

impl Page {
    fn with(script: &str) -> Self {
        let html = format!(
            "<!doctype html><script>{START} (async () => {script})().catch(error => error.name).then(seen => \
             fetch('/seen', {{ method: 'POST', body: JSON.stringify(seen) }}))</script>"
        );
        let (tell, seen) = channel();
        let server = Origin::answering(move |request| match request.target.as_str() {
            "/" => reply_with("200 OK", "Content-Type: text/html\r\n", &html),
            "/seen" => {
                let _ = tell.send(request.text());
                reply("")
            }
            _ => reply_with("404 Not Found", "", ""),
        });
        Self { server, seen }
    }

    /// Opens it in a browser and returns what it saw; `None` where there is no browser.
    fn open(&self, gateway: &TestGateway) -> Option<Value> {
        let url = format!("http://{}/#http://{}", self.server.address(), gateway.address());
        let browser = Browser::open(&url)?;
        let seen = self.seen.recv_timeout(PATIENCE);
        let seen = seen.unwrap_or_else(|_| panic!("the page told nothing; the browser:\n{}", browser.log()));
        browser.close();
        Some(serde_json::from_str(&seen).expect("JSON"))
    }
}

/// A service with bad ideas of its own about CORS: a browser would not let a page with cookies read this.
fn service() -> Origin {
    Origin::answering(|r| {
        let own = "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Origin: https://evil.test\r\n\
                   Access-Control-Expose-Headers: x-secret\r\nX-Secret: s\r\nX-Shown: t\r\n\
                   Set-Cookie: user=7; Path=/\r\n";
        reply_with("200 OK", own, &format!("{} {}", r.method, r.text()))
    })
}

/// A gateway that lets pages of this origin in.
fn gateway(service: &Origin, page: &Page) -> TestGateway {
    TestGateway::start(
        "
        routes:
          plain: { match: /plain, to: 'http://{origin-1}', filters: [ cors: { origins: 'http://{origin-2}', expose: x-shown } ] }
          known: { match: /known, to: 'http://{origin-1}', filters: [ cors: { origins: 'http://{origin-2}', credentials: allowed } ] }
          without: { match: /without, to: 'http://{origin-1}' }
        ",
        &[service, &page.server],
    )
}

fn methods(service: &Origin) -> Vec<String> {
    service.requests().into_iter().map(|r| r.method).collect()
}

#[test]
fn a_page_that_may_reads_the_reply_and_the_fields_that_the_gateway_shows() {
    let page = Page::with(
        "{
            const response = await fetch(gateway + '/plain');
            const field = name => response.headers.get(name);
            return [await response.text(), field('x-shown'), field('x-secret')];
        }",
    );
    let service = service();
    let gateway = gateway(&service, &page);
    let Some(seen) = page.open(&gateway) else { return };
    assert_eq!(seen, json!(["GET ", "t", null]));
    assert_eq!(methods(&service), ["GET"], "no preflight is needed");
    service.expect_canonical();
}

#[test]
fn after_a_preflight_the_service_sees_the_request_once_and_no_options() {
    let page = Page::with(
        "{
            const put = { method: 'PUT', headers: { 'X-Custom': 'a' }, body: 'content' };
            return [await call('/plain', put), await call('/without', put)];
        }",
    );
    let service = service();
    let gateway = gateway(&service, &page);
    let Some(seen) = page.open(&gateway) else { return };
    assert_eq!(seen[0], "PUT content");
    assert_eq!(seen[1], "TypeError", "a route without the filter: its service refuses the preflight");
    let puts: Vec<Request> = service.requests().into_iter().filter(|r| r.method == "PUT").collect();
    assert_eq!(puts.len(), 1, "{puts:#?}");
    assert_eq!(puts[0].fields.get("x-custom"), Some("a"));
    let preflights = service.requests().into_iter().filter(|r| r.method == "OPTIONS");
    assert!(preflights.into_iter().all(|r| r.target == "/without"));
    service.expect_canonical();
}

#[test]
fn cookies_pass_only_where_credentials_are_allowed() {
    let page = Page::with(
        "{
            const include = { credentials: 'include' };
            const put = { method: 'PUT', credentials: 'include', body: 'content' };
            return [
                await call('/known', include), await call('/known', put), await call('/known'),
                await call('/plain', include),
            ];
        }",
    );
    let service = service();
    let gateway = gateway(&service, &page);
    let Some(seen) = page.open(&gateway) else { return };
    assert_eq!(seen, json!(["GET ", "PUT content", "GET ", "TypeError"]));
    let sent: Vec<(String, bool)> = service
        .requests()
        .iter()
        .map(|r| (r.target.clone(), r.fields.get("cookie") == Some("user=7")))
        .collect();
    let of = |target: &str, cookie| (target.to_owned(), cookie);
    assert_eq!(
        sent,
        [of("/known", false), of("/known", true), of("/known", false), of("/plain", true)],
        "the first reply sets the cookie; the last request is sent, its reply is not shown"
    );
}

#[test]
fn a_page_of_another_origin_reads_nothing_and_changes_nothing() {
    let friend = Page::with("[]");
    let stranger = Page::with(
        "[
            await call('/plain'), await call('/known', { credentials: 'include' }),
            await call('/plain', { method: 'PUT', body: 'content' }),
            await call('/plain', { headers: { 'X-Custom': 'a' } }),
        ]",
    );
    let service = service();
    let gateway = gateway(&service, &friend);
    let Some(seen) = stranger.open(&gateway) else { return };
    assert_eq!(seen, json!(["TypeError", "TypeError", "TypeError", "TypeError"]));
    assert_eq!(methods(&service), ["GET", "GET"], "only simple requests get through, unread");
}
