//! The admin listener, on loopback unless the document says otherwise.
//!
//! | path | what |
//! |---|---|
//! | `GET /healthz` | 200 while the process lives |
//! | `GET /readyz` | 200 when every worker serves the current configuration; 503 before that, while a service is waited for, and while stopping |
//! | `GET /metrics` | Prometheus text |
//! | `GET /status` | version, reloads, the last refusal, what waits for a restart, how it goes with certificates |
//! | `GET /services`, `…/{name}` | services and their endpoints: who says where they are, and how they do |
//! | `GET /splits` | groups of routes that are split: counters, and how their rollouts do |
//! | `POST /splits/{route}/{group}/resume` | begins a rollout anew, from its first share |
//! | `GET /filters` | filters with their run-time switches |
//! | `POST /filters/{id}/off`, `…/on` | turns a filter off and on until the next start |
//! | `POST /reload` | reads the configuration again |
//!
//! Requests that change something need the field `X-Menshen-Admin`, which no web page of another origin can send.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::metrics;
use crate::publish::Shared;

/// What the admin listener asks of the process.
#[derive(Debug)]
pub enum Order {
    /// Read the configuration again; the answer is the new version or why it was refused.
    Reload(oneshot::Sender<Result<u64, String>>),
}

#[derive(Clone)]
struct Desk {
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
}

/// Serves until the task is dropped.
///
/// # Errors
/// What the system says about the listener.
pub async fn serve(
    listener: tokio::net::TcpListener,
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
) -> std::io::Result<()> {
    axum::serve(listener, router(shared, orders)).await
}

fn router(shared: Arc<Shared>, orders: mpsc::Sender<Order>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .route("/status", get(status))
        .route("/services", get(services))
        .route("/services/{name}", get(service))
        .route("/splits", get(splits))
        .route("/splits/{route}/{group}/resume", post(resume))
        .route("/filters", get(filters))
        .route("/filters/{id}/{state}", post(switch))
        .route("/reload", post(reload))
        .layer(from_fn(guard))
        .with_state(Desk { shared, orders })
}

/// Keeps web pages out: a name that points here (DNS rebinding) is not ours, and forms cannot send our field.
async fn guard(request: Request, next: Next) -> Response {
    if !has_own_host(request.headers()) {
        return problem(StatusCode::MISDIRECTED_REQUEST, "foreign-host", "Ask by IP address or localhost.");
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read && !request.headers().contains_key("x-menshen-admin") {
        return problem(StatusCode::FORBIDDEN, "admin-field-missing", "Send the field `X-Menshen-Admin: 1`.");
    }
    next.run(request).await
}

fn has_own_host(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|h| h.to_str().ok()) else { return true };
    let is_address = |h: &str| h.parse::<SocketAddr>().is_ok() || h.parse::<IpAddr>().is_ok();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    is_address(host) || name == "localhost"
}

fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "code": code, "detail": detail });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

async fn ready(State(desk): State<Desk>) -> Response {
    if desk.shared.is_ready() {
        return "ready\n".into_response();
    }
    let awaited = desk.shared.ground.discovery.awaited();
    let why = match (desk.shared.status().stopping, awaited.is_empty()) {
        (true, _) => "stopping\n".to_owned(),
        (false, true) => "starting\n".to_owned(),
        (false, false) => format!("waiting for the endpoints of {}\n", awaited.join(", ")),
    };
    (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
}

async fn services(State(desk): State<Desk>) -> Response {
    Json(json!({ "services": crate::services::view(&desk.shared, None) })).into_response()
}

async fn service(State(desk): State<Desk>, Path(name): Path<String>) -> Response {
    match crate::services::view(&desk.shared, Some(&name)).pop() {
        Some(service) => Json(service).into_response(),
        None => problem(StatusCode::NOT_FOUND, "no-such-service", "`GET /services` lists the names."),
    }
}

async fn metrics_text(State(desk): State<Desk>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], metrics::text(&desk.shared)).into_response()
}

async fn status(State(desk): State<Desk>) -> Response {
    let s = desk.shared.status();
    let refusal = (!s.refusal.is_empty()).then_some(s.refusal);
    let mut body = json!({
        "version": s.version, "reloads": s.reloads, "refused": s.refused, "refusal": refusal,
        "warnings": s.warnings, "compile-millis": s.took.as_millis(), "ready": desk.shared.is_ready(),
    });
    if let Some(acme) = desk.shared.ground.acme.progress().to_json() {
        body["acme"] = acme;
    }
    Json(body).into_response()
}

async fn splits(State(desk): State<Desk>) -> Response {
    Json(json!({ "groups": crate::rollout::view(&desk.shared.ground) })).into_response()
}

async fn resume(State(desk): State<Desk>, Path((route, group)): Path<(String, String)>) -> Response {
    if !desk.shared.ground.rollouts.resume(&route, &group) {
        return problem(
            StatusCode::NOT_FOUND,
            "no-such-rollout",
            "`GET /splits` lists the groups that have one.",
        );
    }
    tracing::warn!(route, group, "a rollout begins anew");
    Json(json!({ "route": route, "group": group })).into_response()
}

async fn filters(State(desk): State<Desk>) -> Response {
    let mut list: Vec<_> = desk.shared.ground.switches.all();
    list.sort_by(|a, b| a.0.cmp(&b.0));
    let list: Vec<_> = list
        .iter()
        .map(|(id, s)| json!({ "id": id, "state": if s.is_off() { "off" } else { "on" } }))
        .collect();
    Json(json!({ "filters": list })).into_response()
}

async fn switch(State(desk): State<Desk>, Path((id, state)): Path<(String, String)>) -> Response {
    let found = desk.shared.ground.switches.all().into_iter().find(|(name, _)| **name == *id);
    let Some((_, switch)) = found else {
        return problem(StatusCode::NOT_FOUND, "no-such-filter", "`GET /filters` lists the ids.");
    };
    match state.as_str() {
        "off" => switch.turn_off(),
        "on" => switch.turn_on(),
        _ => {
            return problem(StatusCode::NOT_FOUND, "no-such-state", "A filter can be turned `on` and `off`.");
        }
    }
    tracing::warn!(filter = id, state, "a filter was switched at run time");
    Json(json!({ "id": id, "state": state })).into_response()
}

async fn reload(State(desk): State<Desk>) -> Response {
    let (answer, result) = oneshot::channel();
    if desk.orders.send(Order::Reload(answer)).await.is_err() {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "stopping", "The gateway is stopping.");
    }
    match result.await {
        Ok(Ok(version)) => {
            Json(json!({ "version": version, "warnings": desk.shared.status().warnings })).into_response()
        }
        Ok(Err(why)) => problem(StatusCode::UNPROCESSABLE_ENTITY, "configuration-refused", &why),
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "stopping", "The gateway is stopping."),
    }
}
