//! The article service: `GET /api/article/{id}` and `GET /health`.
//!
//! An article names its author by id; who that is, the service asks the user service, through the gateway. The
//! request id of the incoming request travels along, so that both requests can be found in the gateway's log.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::problem::Problem;
use crate::users::User;

const REQUEST_ID: &str = "x-request-id";
const AUTHOR_TAKES_AT_MOST: Duration = Duration::from_secs(3);

/// An article as the service keeps it.
struct Article {
    id: u64,
    title: &'static str,
    author: u64,
}

/// The last one has an author that nobody knows.
const ARTICLES: [Article; 4] = [
    Article { id: 1, title: "Notes on the Analytical Engine", author: 1 },
    Article { id: 2, title: "Computing Machinery and Intelligence", author: 2 },
    Article { id: 3, title: "On Computable Numbers", author: 2 },
    Article { id: 4, title: "A Letter Nobody Signed", author: 999_999 },
];

/// An article as it is shown.
#[derive(Serialize)]
struct Shown {
    id: u64,
    title: &'static str,
    author: User,
}

#[derive(Clone)]
struct Service {
    gateway: String,
    client: reqwest::Client,
}

/// All routes of the service; `gateway` is a URL such as `http://127.0.0.1:8001`.
pub fn router(gateway: String) -> Router {
    let built = reqwest::Client::builder().timeout(AUTHOR_TAKES_AT_MOST).no_proxy().build();
    Router::new()
        .route("/api/article/{id}", get(show))
        .route("/health", get(StatusCode::OK))
        .with_state(Service { gateway, client: built.unwrap_or_default() })
}

async fn show(
    State(service): State<Service>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Shown>, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, format!("there is no article {id}"));
    let article = ARTICLES.iter().find(|article| article.id == id).ok_or_else(missing)?;
    let author = service.author(article.author, &headers).await?;
    Ok(Json(Shown { id, title: article.title, author }))
}

impl Service {
    /// Asks the user service, through the gateway.
    async fn author(&self, id: u64, headers: &HeaderMap) -> Result<User, Problem> {
        let failed = |why: String| Problem::new(StatusCode::BAD_GATEWAY, format!("author {id}: {why}"));
        let mut request = self.client.get(format!("{}/api/user/{id}", self.gateway));
        if let Some(request_id) = headers.get(REQUEST_ID) {
            request = request.header(REQUEST_ID, request_id);
        }
        let reply = request.send().await.map_err(|_| failed("the gateway does not answer".into()))?;
        if !reply.status().is_success() {
            return Err(failed(format!("the user service answers {}", reply.status())));
        }
        reply.json().await.map_err(|_| failed("the user service answers something else than a user".into()))
    }
}
