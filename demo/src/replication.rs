//! How two instances of the user service keep the same users.
//!
//! A user that one instance accepts is sent to the other before the answer leaves, so that it can be read through
//! either. If the other instance does not answer in time, the client is not kept waiting: the user stays in the
//! queue and is sent as soon as the other is back. An instance that starts asks the other for what it has missed.

use std::time::Duration;

use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::users::{User, Users};

const TRY_AGAIN_AFTER: Duration = Duration::from_millis(250);
const ONE_TRY_TAKES_AT_MOST: Duration = Duration::from_secs(2);
const CLIENT_WAITS_AT_MOST: Duration = Duration::from_millis(500);

/// The way to the other instance.
#[derive(Clone)]
pub struct Replication {
    queue: Option<mpsc::UnboundedSender<Pending>>,
}

/// A user to be sent, and whom to tell when the other instance has it.
struct Pending {
    user: User,
    done: oneshot::Sender<()>,
}

impl Replication {
    /// An instance that is alone.
    pub fn none() -> Self {
        Self { queue: None }
    }

    /// Sends to the instance at this URL, such as `http://127.0.0.1:9002`, in the background.
    pub fn to(peer: String) -> Self {
        let (queue, pending) = mpsc::unbounded_channel();
        tokio::spawn(deliver(peer, pending));
        Self { queue: Some(queue) }
    }

    /// Sends a user; returns when the other instance has it, or when that takes too long to wait for.
    pub async fn send(&self, user: User) {
        let Some(queue) = &self.queue else { return };
        let (done, delivered) = oneshot::channel();
        if queue.send(Pending { user, done }).is_ok() {
            timeout(CLIENT_WAITS_AT_MOST, delivered).await.ok();
        }
    }
}

/// Sends users in order, each until the peer has it.
async fn deliver(peer: String, mut pending: mpsc::UnboundedReceiver<Pending>) {
    let client = client();
    while let Some(Pending { user, done }) = pending.recv().await {
        let url = format!("{peer}/replica/{}", user.id);
        while !arrived(client.put(&url).json(&json!({ "name": user.name }))).await {
            sleep(TRY_AGAIN_AFTER).await;
        }
        // Whoever sent it may have stopped waiting.
        done.send(()).ok();
    }
}

async fn arrived(request: reqwest::RequestBuilder) -> bool {
    request.send().await.is_ok_and(|reply| reply.status().is_success())
}

/// Takes over what the peer has, if it is there: it may have gone on alone for a while.
pub async fn catch_up(peer: &str, users: &Users) {
    let asked = client().get(format!("{peer}/replica")).send().await;
    let Ok(reply) = asked else { return };
    for user in reply.json::<Vec<User>>().await.unwrap_or_default() {
        users.put(user);
    }
}

fn client() -> reqwest::Client {
    let built = reqwest::Client::builder().timeout(ONE_TRY_TAKES_AT_MOST).no_proxy().build();
    built.unwrap_or_default()
}
