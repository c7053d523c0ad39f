//! The user service.
//!
//! | request | answer |
//! |---|---|
//! | `POST /api/user` with `{"name": …}` | 201 with the user and its `Location` |
//! | `GET /api/user/{id}` | 200 with the user, or 404 |
//! | `GET /health` | 200 |
//! | `GET /replica`, `PUT /replica/{id}` | what the other instance uses, see [`crate::replication`] |
//!
//! Every answer names the instance that gave it in `x-instance`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::replication::Replication;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Given by the instance that accepted it.
    pub id: u64,
    /// As sent.
    pub name: String,
}

/// Which of the two instances this is. Their ids cannot clash: one gives odd ids, the other even ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Instance {
    /// Gives odd ids.
    #[value(name = "user-1")]
    One,
    /// Gives even ids.
    #[value(name = "user-2")]
    Two,
}

impl Instance {
    /// The name in `x-instance`.
    pub fn name(self) -> &'static str {
        match self {
            Instance::One => "user-1",
            Instance::Two => "user-2",
        }
    }

    /// The smallest id of this instance above `taken`.
    fn id_after(self, taken: u64) -> u64 {
        let parity = match self {
            Instance::One => 1,
            Instance::Two => 0,
        };
        let next = taken + 1;
        if next % 2 == parity { next } else { next + 1 }
    }
}

/// The users that one instance knows.
#[derive(Clone)]
pub struct Users {
    instance: Instance,
    known: Arc<Mutex<BTreeMap<u64, User>>>,
}

impl Users {
    /// The two users that are always there.
    pub fn seeded(instance: Instance) -> Self {
        let users = Self { instance, known: Arc::default() };
        users.put(User { id: 1, name: "Ada Lovelace".into() });
        users.put(User { id: 2, name: "Alan Turing".into() });
        users
    }

    /// Adds a user under a new id.
    fn add(&self, name: String) -> User {
        let mut known = self.lock();
        let taken = known.keys().next_back().copied().unwrap_or(0);
        let user = User { id: self.instance.id_after(taken), name };
        known.insert(user.id, user.clone());
        user
    }

    /// Takes over a user from the other instance.
    pub fn put(&self, user: User) {
        self.lock().insert(user.id, user);
    }

    fn find(&self, id: u64) -> Option<User> {
        self.lock().get(&id).cloned()
    }

    fn all(&self) -> Vec<User> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, User>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone)]
struct Service {
    users: Users,
    replication: Replication,
}

/// All routes of the service.
pub fn router(users: Users, replication: Replication) -> Router {
    let instance = users.instance;
    Router::new()
        .route("/api/user", post(create))
        .route("/api/user/{id}", get(show))
        .route("/health", get(StatusCode::OK))
        .route("/replica", get(list))
        .route("/replica/{id}", put(replicate))
        .with_state(Service { users, replication })
        .layer(from_fn_with_state(instance, name_instance))
}

#[derive(Deserialize)]
struct NewUser {
    name: String,
}

async fn create(
    State(service): State<Service>,
    sent: Result<Json<NewUser>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(new) = sent.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    if new.name.trim().is_empty() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "the name is empty"));
    }
    let user = service.users.add(new.name);
    // So that a read through the other instance finds it.
    service.replication.send(user.clone()).await;
    let location = format!("/api/user/{}", user.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(user)).into_response())
}

async fn show(State(service): State<Service>, Path(id): Path<u64>) -> Result<Json<User>, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, format!("there is no user {id}"));
    service.users.find(id).map(Json).ok_or_else(missing)
}

async fn list(State(service): State<Service>) -> Json<Vec<User>> {
    Json(service.users.all())
}

async fn replicate(
    State(service): State<Service>,
    Path(id): Path<u64>,
    Json(new): Json<NewUser>,
) -> StatusCode {
    service.users.put(User { id, name: new.name });
    StatusCode::NO_CONTENT
}

async fn name_instance(State(instance): State<Instance>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert("x-instance", HeaderValue::from_static(instance.name()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instances_never_give_the_same_id() {
        assert_eq!([2, 3, 4].map(|taken| Instance::One.id_after(taken)), [3, 5, 5]);
        assert_eq!([2, 3, 4].map(|taken| Instance::Two.id_after(taken)), [4, 4, 6]);
    }

    #[test]
    fn an_id_from_the_other_instance_is_not_given_again() {
        let users = Users::seeded(Instance::One);
        users.put(User { id: 8, name: "from user-2".into() });
        assert_eq!(users.add("new".into()).id, 9);
    }
}
