//! The services over real sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use menshen_demo::replication::{Replication, catch_up};
use menshen_demo::users::{Instance, User, Users};
use menshen_demo::{articles, users};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// A socket to serve on, and its URL.
async fn socket() -> (TcpListener, String) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// An address where nobody listens, on a host that no other test binds to.
async fn unused_address() -> SocketAddr {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 9], 0))).await.unwrap();
    listener.local_addr().unwrap()
}

fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move { axum::serve(listener, router).await });
}

async fn lone_user_service() -> String {
    let (listener, url) = socket().await;
    serve(listener, users::router(Users::seeded(Instance::One), Replication::none()));
    url
}

/// Both instances, each the other's peer.
async fn user_services() -> [String; 2] {
    let ((one, one_url), (two, two_url)) = (socket().await, socket().await);
    serve(one, users::router(Users::seeded(Instance::One), Replication::to(two_url.clone())));
    serve(two, users::router(Users::seeded(Instance::Two), Replication::to(one_url.clone())));
    [one_url, two_url]
}

async fn article_service(gateway: String) -> String {
    let (listener, url) = socket().await;
    serve(listener, articles::router(gateway));
    url
}

async fn get(url: String) -> Response {
    Client::new().get(url).send().await.unwrap()
}

async fn create(url: &str, name: &str) -> Response {
    Client::new().post(format!("{url}/api/user")).json(&json!({ "name": name })).send().await.unwrap()
}

fn field<'a>(reply: &'a Response, name: &str) -> &'a str {
    reply.headers()[name].to_str().unwrap()
}

/// Asks until the status is the expected one.
async fn eventually(url: String, status: StatusCode) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while get(url.clone()).await.status() != status {
        assert!(Instant::now() < deadline, "{url} never gave {status}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_seeded_user_is_found_and_a_stranger_is_not() {
    let service = lone_user_service().await;
    let found = get(format!("{service}/api/user/1")).await;
    assert_eq!((found.status(), field(&found, "x-instance")), (StatusCode::OK, "user-1"));
    let user: User = found.json().await.unwrap();
    assert_eq!(user.name, "Ada Lovelace");

    let missing = get(format!("{service}/api/user/77")).await;
    assert_eq!((missing.status(), field(&missing, "x-instance")), (StatusCode::NOT_FOUND, "user-1"));
    assert_eq!(field(&missing, "content-type"), "application/problem+json");
}

#[tokio::test]
async fn a_user_without_a_name_is_refused() {
    let service = lone_user_service().await;
    assert_eq!(create(&service, "  ").await.status(), StatusCode::BAD_REQUEST);
    let nameless = Client::new().post(format!("{service}/api/user")).json(&json!({})).send().await.unwrap();
    assert_eq!(nameless.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(field(&nameless, "content-type"), "application/problem+json");
}

#[tokio::test]
async fn what_one_instance_accepts_the_other_knows_at_once() {
    let [one, two] = user_services().await;
    for (writer, reader) in [(&one, &two), (&two, &one)] {
        let created = create(writer, "Grace").await;
        assert_eq!(created.status(), StatusCode::CREATED);
        let location = field(&created, "location").to_owned();
        let user: User = get(format!("{reader}{location}")).await.json().await.unwrap();
        assert_eq!(location, format!("/api/user/{}", user.id));
        assert_eq!(user.name, "Grace");
    }
}

#[tokio::test]
async fn a_peer_that_was_away_gets_what_it_missed() {
    let (listener, url) = socket().await;
    let peer_address = unused_address().await;
    let peer_url = format!("http://{peer_address}");
    serve(listener, users::router(Users::seeded(Instance::One), Replication::to(peer_url.clone())));
    assert_eq!(create(&url, "Grace").await.status(), StatusCode::CREATED);

    let back = TcpListener::bind(peer_address).await.unwrap();
    serve(back, users::router(Users::seeded(Instance::Two), Replication::none()));
    eventually(format!("{peer_url}/api/user/3"), StatusCode::OK).await;
}

#[tokio::test]
async fn an_instance_that_starts_late_catches_up() {
    let early = lone_user_service().await;
    create(&early, "Grace").await;
    let users = Users::seeded(Instance::Two);
    catch_up(&early, &users).await;
    let (listener, late) = socket().await;
    serve(listener, users::router(users, Replication::none()));
    assert_eq!(get(format!("{late}/api/user/3")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_article_comes_with_its_author() {
    let service = article_service(lone_user_service().await).await;
    let article: Value = get(format!("{service}/api/article/2")).await.json().await.unwrap();
    assert_eq!(article["author"], json!({ "id": 2, "name": "Alan Turing" }));
    assert_eq!(get(format!("{service}/api/article/99")).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_request_id_travels_to_the_user_service() {
    let (listener, gateway) = socket().await;
    let echo = |headers: axum::http::HeaderMap| async move {
        let id = headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or("none").to_owned();
        axum::Json(User { id: 2, name: id })
    };
    serve(listener, Router::new().route("/api/user/{id}", axum::routing::get(echo)));
    let service = article_service(gateway).await;
    let asked = Client::new().get(format!("{service}/api/article/2")).header("x-request-id", "r-42");
    let article: Value = asked.send().await.unwrap().json().await.unwrap();
    assert_eq!(article["author"]["name"], "r-42");
}

#[tokio::test]
async fn an_article_without_its_author_is_a_bad_gateway() {
    let nobody = format!("http://{}", unused_address().await);
    for (gateway, article) in [(nobody, 1), (lone_user_service().await, 4)] {
        let service = article_service(gateway).await;
        let reply = get(format!("{service}/api/article/{article}")).await;
        assert_eq!(reply.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(field(&reply, "content-type"), "application/problem+json");
    }
}
