//! An agent of Consul, as far as its documentation describes the health API, the list of services and blocking queries
//! (<https://developer.hashicorp.com/consul/api-docs/health#list-service-instances-for-service>,
//! <https://developer.hashicorp.com/consul/api-docs/catalog#list-services>,
//! <https://developer.hashicorp.com/consul/api-docs/features/blocking>). It is no Consul: what the documentation does not
//! say is not tested.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Origin, Request, reply_with};

/// A running agent.
#[derive(Debug)]
pub struct ConsulAgent {
    origin: Origin,
    state: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The Raft index of the last change.
    index: u64,
    /// By service and id.
    instances: BTreeMap<(String, String), Instance>,
    /// What clients must show.
    token: Option<String>,
    /// How often a snapshot was restored.
    life: u64,
    /// All is answered with 500.
    is_broken: bool,
}

#[derive(Clone, Debug)]
struct Instance {
    at: SocketAddr,
    /// `passing`, `warning` or `critical`.
    status: String,
    tags: Vec<String>,
}

impl ConsulAgent {
    /// One without services.
    pub fn new() -> Self {
        let state = Arc::new(Shared::default());
        state.lock().index = 10;
        let shared = state.clone();
        let origin = Origin::answering(move |request| shared.answer(request));
        Self { origin, state }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.origin.address())
    }

    /// What it was asked.
    pub fn requests(&self) -> Vec<Request> {
        self.origin.requests()
    }

    /// Registers an instance, or changes it.
    pub fn register(&self, service: &str, id: &str, at: SocketAddr, status: &str, tags: &[&str]) {
        let tags = tags.iter().map(|t| (*t).to_owned()).collect();
        let instance = Instance { at, status: status.to_owned(), tags };
        self.change(|state| drop(state.instances.insert((service.to_owned(), id.to_owned()), instance)));
    }

    /// Takes an instance off.
    pub fn deregister(&self, service: &str, id: &str) {
        self.change(|state| drop(state.instances.remove(&(service.to_owned(), id.to_owned()))));
    }

    /// Refuses who does not show this token.
    pub fn demand_token(&self, token: &str) {
        self.change(|state| state.token = Some(token.to_owned()));
    }

    /// Answers 500, or no longer.
    pub fn break_down(&self, is_broken: bool) {
        self.change(|state| state.is_broken = is_broken);
    }

    /// Counts from a lower index on, as after a snapshot was restored; who waits is answered.
    pub fn restore(&self) {
        self.change(|state| (state.index, state.life) = (1, state.life + 1));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        state.index += 1;
        change(&mut state);
        self.state.changed.notify_all();
    }
}

impl Default for ConsulAgent {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request) -> String {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let options: Vec<(&str, &str)> =
            query.split('&').map(|o| o.split_once('=').unwrap_or((o, ""))).collect();
        let option = |name: &str| options.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        let service = path.strip_prefix("/v1/health/service/");
        if service.is_none() && path != "/v1/catalog/services" {
            return reply_with("404 Not Found", "", "");
        }
        let mut state = self.lock();
        if let Some(index) = option("index").and_then(|i| i.parse::<u64>().ok()) {
            let wait = option("wait").map_or(Duration::from_secs(300), duration);
            // A later change ends the wait, and so does the end of this life: after it an index from before waits long.
            let life = state.life;
            let waits = |state: &mut State| state.index <= index && state.life == life && !state.is_broken;
            let (after, _) =
                self.changed.wait_timeout_while(state, wait, waits).unwrap_or_else(PoisonError::into_inner);
            state = after;
        }
        if state.is_broken {
            return reply_with("500 Internal Server Error", "", "rpc error: No cluster leader");
        }
        if state.token.is_some() && state.token.as_deref() != request.fields.get("x-consul-token") {
            return reply_with("403 Forbidden", "", "ACL not found");
        }
        let fields = format!(
            "Content-Type: application/json\r\nX-Consul-Index: {}\r\nX-Consul-Knownleader: true\r\n\
             X-Consul-Lastcontact: 0\r\n",
            state.index
        );
        let Some(service) = service else {
            let names: BTreeSet<&String> = state.instances.keys().map(|(name, _)| name).collect();
            let names: String = names.iter().map(|name| format!(",{name:?}:[]")).collect();
            // Servers list themselves.
            return reply_with("200 OK", &fields, &format!("{{\"consul\":[]{names}}}"));
        };
        let tags: Vec<&str> = options.iter().filter(|(n, _)| *n == "tag").map(|(_, v)| *v).collect();
        let only_passing = matches!(option("passing"), Some("" | "1" | "true"));
        let all = state.instances.iter().filter(|((name, _), _)| name == service);
        let fitting = all.filter(|(_, i)| {
            (!only_passing || i.status == "passing") && tags.iter().all(|t| i.tags.iter().any(|tag| tag == t))
        });
        let entries: Vec<String> = fitting.map(|((_, id), i)| entry(service, id, i)).collect();
        reply_with("200 OK", &fields, &format!("[{}]", entries.join(",")))
    }
}

fn entry(service: &str, id: &str, instance: &Instance) -> String {
    let Instance { at, status, tags } = instance;
    let tags: Vec<String> = tags.iter().map(|t| format!("{t:?}")).collect();
    format!(
        r#"{{"Node":{{"ID":"40e4a748","Node":"node","Address":"{}","Datacenter":"dc1","Meta":{{"zone":"rack-1"}}}},
        "Service":{{"ID":"{id}","Service":"{service}","Tags":[{}],"Address":"","Port":{},"Weights":{{"Passing":10,"Warning":1}}}},
        "Checks":[{{"Node":"node","CheckID":"serfHealth","Status":"passing"}},
        {{"Node":"node","CheckID":"service:{id}","ServiceID":"{id}","Status":"{status}"}}]}}"#,
        at.ip(),
        tags.join(","),
        at.port()
    )
}

/// `30s`, `500ms`
fn duration(text: &str) -> Duration {
    let number = |unit: &str| text.strip_suffix(unit).and_then(|n| n.parse().ok());
    match (number("ms"), number("s")) {
        (Some(n), _) => Duration::from_millis(n),
        (None, Some(n)) => Duration::from_secs(n),
        _ => Duration::from_secs(300),
    }
}
