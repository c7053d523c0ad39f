//! Watching one service: a question that the agent holds back until something has changed, again and again.

use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use menshen_config::document::ConsulQuery;
use tokio::time::Instant;

use super::index::Index;
use super::{Settings, query};
use crate::discovery::client::{Base, Client, Question, Reply};
use crate::discovery::{Answer, Findings, Instance, back_off, jittered};

/// The least time between two questions: a service that changes all the time must not become a busy loop.
pub(super) const BETWEEN: Duration = Duration::from_millis(100);
/// How often an agent is asked that does not hold questions back, at most.
const PACE: Duration = Duration::from_secs(15);

/// Watches until it is dropped.
pub(super) async fn watch(settings: Settings, wanted: ConsulQuery, client: Client, to: Findings) {
    let (mut index, mut failures, mut agent) = (Index::default(), 0_u32, fastrand::usize(..));
    loop {
        let asked = Instant::now();
        let at = &settings.agents[agent % settings.agents.len()];
        match instances(&settings, at, &client, &wanted, index).await {
            Ok((fields, set)) => {
                failures = 0;
                index = index.after(&fields);
                let held_back = if index.get().is_some() { settings.wait } else { pace(&settings) };
                to.tell(Answer::Set(set), Some(held_back)).await;
                // An agent that does not hold questions back is asked from time to time.
                let between = if index.get().is_some() || fields.contains_key("x-consul-index") {
                    BETWEEN
                } else {
                    pace(&settings)
                };
                tokio::time::sleep_until(asked + between).await;
            }
            Err(why) => {
                failures += 1;
                // Another agent counts otherwise; and of this one nobody knows whether it is the same as before.
                index = Index::default();
                agent = agent.wrapping_add(1);
                let again_in = back_off(failures);
                to.tell(Answer::Failed(why), Some(again_in)).await;
                tokio::time::sleep(again_in).await;
            }
        }
    }
}

async fn instances(
    settings: &Settings,
    at: &Base,
    client: &Client,
    wanted: &ConsulQuery,
    index: Index,
) -> Result<(HeaderMap, Vec<Instance>), String> {
    let path = query::path(wanted, settings.datacenter.as_deref());
    let (fields, reply) = ask(settings, at, client, &path, index).await?;
    let (wanted, zone_key) = (wanted.clone(), settings.zone_key.clone());
    let set = reply.read(move |entries| query::instances(&wanted, &entries, &zone_key)).await;
    Ok((fields, set.map_err(|why| format!("{}{path}: {why}", at.url()))?))
}

/// Asks for what is at this path, which has a `?`, and waits until there is something newer than this index.
pub(super) async fn ask(
    settings: &Settings,
    at: &Base,
    client: &Client,
    path: &str,
    index: Index,
) -> Result<(HeaderMap, Reply), String> {
    let (path, within) = match index.get() {
        None => (path.to_owned(), settings.within),
        Some(index) => {
            let wait = jittered(settings.wait);
            let and = if path.ends_with('?') { "" } else { "&" };
            // The agent adds up to a sixteenth.
            (
                format!("{path}{and}index={index}&wait={}ms", wait.as_millis()),
                settings.wait.mul_f64(1.0625) + settings.within,
            )
        }
    };
    let token = settings.token.clone().map(|token| (HeaderName::from_static("x-consul-token"), token));
    let fields: Vec<(HeaderName, HeaderValue)> = token.into_iter().collect();
    let question = Question { method: Method::GET, at, path: &path, fields: &fields, content: None, within };
    let reply = client.ask(question).await?;
    let shown = || format!("{}{path}", at.url());
    match reply.status {
        status if status.is_success() => Ok((reply.fields.clone(), reply)),
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
            Err(format!("{}: {}; the token needs `service:read` and `node:read`", shown(), reply.refusal()))
        }
        _ => Err(format!("{}: {}", shown(), reply.refusal())),
    }
}

/// How often an agent is asked that does not hold questions back.
pub(super) fn pace(settings: &Settings) -> Duration {
    jittered(settings.wait.min(PACE))
}
