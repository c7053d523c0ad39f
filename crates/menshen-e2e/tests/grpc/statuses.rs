//! The statuses of services in the log and in the metrics, and statuses instead of fixed replies.

use menshen_e2e::{Admin, Client, eventually};
use tonic::Code;

use crate::codec::filled;
use crate::flaky::Scene;

const COUNTED: &str = "
    gateway:
      admin: 127.0.0.1:0
      access-log: '{log}'
    listeners: { web: { bind: '127.0.0.1:0', filters: [ grpc-web ] } }
    routes:
      calls: { match: /flaky.Service/*, to: 'h2c://{service}', retry: { grpc-status: aborted } }
      plain: { match: /plain, to: { respond: { body: x } } }
";

#[tokio::test]
async fn the_status_that_a_service_ends_a_call_with_is_logged_and_counted() {
    let scene = Scene::new(COUNTED).await;
    let ask = |method| scene.caller.ask(method, filled(3));
    ask("/flaky.Service/Echo").await.unwrap();
    scene.flaky.fails(1, Code::NotFound);
    ask("/flaky.Service/Echo").await.unwrap_err();
    scene.flaky.fails(1, Code::Internal);
    let mut late = scene.caller.listen("/flaky.Service/EchoThenFail", filled(3)).await.unwrap().into_inner();
    while let Ok(Some(_)) = late.message().await {}
    scene.flaky.fails(1, Code::Aborted);
    ask("/flaky.Service/Echo").await.unwrap();
    // What the gateway says itself is no status of the service.
    ask("/nowhere.Service/Echo").await.unwrap_err();
    let gateway = scene.gateway;
    tokio::task::spawn_blocking(move || {
        let head = "POST /flaky.Service/Echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web\r\nContent-Length: 5\r\n\r\n";
        let response = Client::of(&gateway).send(head).send([0; 5]).response();
        assert_eq!(response.fields.get("content-type"), Some("application/grpc-web"));
        assert_eq!(Client::of(&gateway).get("/plain").text(), "x");
        let (mut log, lines) = (String::new(), ["ok", "not-found", "internal", "ok", "", "ok", ""]);
        eventually("all lines", || {
            log = std::fs::read_to_string(gateway.log()).unwrap_or_default();
            log.lines().count() == lines.len()
        });
        let line = |n: usize| serde_json::from_str::<serde_json::Value>(log.lines().nth(n).unwrap()).unwrap();
        let logged: Vec<_> =
            (0..lines.len()).map(|n| line(n)["grpc-status"].as_str().unwrap_or_default().to_owned()).collect();
        assert_eq!(logged, lines, "{log}");
        assert_eq!(line(3)["attempts"], 2, "{log}");
        let counted = |status: &str| {
            let series = format!("menshen_grpc_calls_total{{route=\"calls\",status=\"{status}\"}}");
            Admin::of(&gateway).metric(&series)
        };
        assert_eq!(["ok", "not-found", "internal", "aborted"].map(counted), [3, 1, 1, 0]);
        let metrics = Admin::of(&gateway).get("/metrics").text();
        assert_eq!(metrics.matches("menshen_grpc_calls_total{").count(), 3, "{metrics}");
    })
    .await
    .unwrap();
}

const FIXED: &str = "
    routes:
      closed: { match: /closed.Service/*, to: { respond: { status: 503, body: closed for today } } }
      chosen: { match: /chosen.Service/*, to: { respond: { status: 503, json: { a: 1 }, grpc-status: failed-precondition } } }
      filter: { match: /filter.Service/*, to: 'h2c://{service}', filters: [ { respond: { status: 403, body: 'no, é 100%' } } ] }
      page: { match: /page.Service/*, to: 'h2c://127.0.0.1:1', filters: [ { error-page: { pages: { 5xx: { html: <p>, body: 'sorry: {code}', grpc-status: aborted } } } } ] }
      kept: { match: /kept.Service/*, to: 'h2c://127.0.0.1:1', filters: [ { error-page: { pages: { 5xx: { html: <p> } } } } ] }
      back: { match: /back.Service/*, to: 'h2c://127.0.0.1:1', filters: [ { fallback: { on: 5xx, respond: { json: [], grpc-status: unavailable } } } ] }
";

#[tokio::test]
async fn callers_of_grpc_get_statuses_instead_of_fixed_replies() {
    let scene = Scene::new(FIXED).await;
    for (method, code, message) in [
        ("/closed.Service/A", Code::Unavailable, "closed for today"),
        ("/chosen.Service/A", Code::FailedPrecondition, "Service Unavailable"),
        ("/filter.Service/A", Code::PermissionDenied, "no, é 100%"),
        ("/page.Service/A", Code::Aborted, "sorry: connect-failed"),
        ("/kept.Service/A", Code::Unavailable, "connect-failed: The service cannot be reached."),
        ("/back.Service/A", Code::Unavailable, "The service cannot be reached."),
    ] {
        let status = scene.caller.ask(method, filled(3)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, message), "{method}");
    }
    let gateway = scene.gateway;
    let response =
        tokio::task::spawn_blocking(move || Client::of(&gateway).get("/closed.Service/A")).await.unwrap();
    assert_eq!(
        (response.status, response.text().as_str()),
        (503, "closed for today"),
        "others get it as it is"
    );
}
