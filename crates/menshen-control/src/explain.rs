//! `menshen explain`: which route and chain a request would hit, and why. Also runs the tests written beside routes.

mod split;

use std::rc::Rc;
use std::sync::Arc;

use menshen_proxy::chain::{Mode, Step};
use menshen_proxy::routes::{Considered, Lookup};
use menshen_proxy::trace::Phase;
use menshen_proxy::{
    Action, Client, Exchange, Failure, Flow, Live, Reply, Route, RouteId, Scheme, ServiceId, Snapshot,
};

use crate::compile::Compiled;

/// A request to explain.
#[derive(Clone, Debug)]
pub struct Question {
    /// The method.
    pub method: String,
    /// A path, or a URL whose host counts.
    pub url: String,
    /// Further fields.
    pub headers: Vec<(String, String)>,
    /// Where it comes from.
    pub client: std::net::IpAddr,
    /// The listener by name; the first where it is not given.
    pub listener: Option<String>,
}

/// A candidate and what was said about it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The route.
    pub route: String,
    /// What was said.
    pub considered: Considered,
}

/// What would happen.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The listener that was asked.
    pub listener: String,
    /// The canonical target.
    pub target: String,
    /// Candidates in order of precedence.
    pub candidates: Vec<Candidate>,
    /// The route taken; `None` when none matches.
    pub route: Option<String>,
    /// Path variables.
    pub variables: Vec<(String, String)>,
    /// The steps of the chain: id, phases, remark.
    pub steps: Vec<(String, String, String)>,
    /// The groups of a route that is split: name, who is in it, where it leads.
    pub groups: Vec<(String, String, String)>,
    /// The group that the request is in, if its route is split; `none` if it is in none or chance decides.
    pub group: Option<String>,
    /// Why it is in that group, in words.
    pub because: String,
    /// Where it leads, in words.
    pub leads_to: String,
    /// The target that the service would see.
    pub sent: Option<String>,
    /// The status of the reply, where the gateway itself answers; a service that would be called counts as 200.
    pub status: u16,
    /// The failure, if the request is refused.
    pub failure: Option<Failure>,
    /// Fields of the reply made by the gateway, behind its filters.
    pub reply: Vec<(String, String)>,
}

/// Looks at requests without serving them.
pub struct Explainer {
    snapshot: Arc<Snapshot>,
}

impl Explainer {
    /// Of a compiled document.
    pub fn new(compiled: &Compiled) -> Self {
        Self {
            snapshot: Arc::new(Snapshot {
                version: 1,
                listeners: compiled.listeners.clone(),
                services: compiled.services.clone(),
                gateway: compiled.gateway.clone(),
                challenges: Arc::default(),
            }),
        }
    }

    /// Explains a request.
    ///
    /// # Errors
    /// A question that makes no sense, such as an unknown listener.
    pub fn explain(&self, question: &Question) -> Result<Explanation, String> {
        let listener = match &question.listener {
            Some(name) => self.snapshot.listeners.iter().find(|l| *l.name == **name).ok_or_else(|| {
                let names: Vec<&str> = self.snapshot.listeners.iter().map(|l| &*l.name).collect();
                format!("no listener named `{name}`; there are: {}", names.join(", "))
            })?,
            None => self.snapshot.listeners.first().ok_or("the configuration has no listener")?,
        };
        let live = Live::detached(self.snapshot.clone(), listener.clone());
        let mut exchange = Exchange::new(live.clone());
        let peer = std::net::SocketAddr::new(question.client, 40_000);
        let scheme = if listener.tls.is_some() { Scheme::Https } else { Scheme::Http };
        let client = Client::direct(peer, listener.sockets.address().local(), scheme);
        let entered = exchange.take_request(question.to_head().as_bytes(), client);
        let mut explanation = Explanation {
            listener: listener.name.to_string(),
            target: String::from_utf8_lossy(exchange.target.as_bytes()).into_owned(),
            candidates: candidates(&live, &exchange),
            route: (exchange.route != RouteId::FALLBACK).then(|| exchange.route().name.to_string()),
            variables: variables(&exchange),
            steps: exchange.route().chain.steps().iter().map(|s| describe_step(s)).collect(),
            groups: Vec::new(),
            group: None,
            because: String::new(),
            leads_to: String::new(),
            sent: None,
            status: 0,
            failure: None,
            reply: Vec::new(),
        };
        let outcome = match entered {
            Ok(()) => answer(&live, &mut exchange, &mut explanation),
            Err(failure) => Err(failure),
        };
        settle(&live, &mut exchange, outcome, &mut explanation);
        Ok(explanation)
    }
}

impl Question {
    fn to_head(&self) -> String {
        let rest = self.url.strip_prefix("http://").or_else(|| self.url.strip_prefix("https://"));
        let (host, target) = match rest {
            Some(rest) => {
                let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                (host.to_owned(), if path.starts_with('/') { path.to_owned() } else { format!("/{path}") })
            }
            None => ("localhost".to_owned(), self.url.clone()),
        };
        let mut head = format!("{} {target} HTTP/1.1\r\n", self.method);
        if !self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {host}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head
    }
}

fn candidates(live: &Live, exchange: &Exchange) -> Vec<Candidate> {
    let lookup = Lookup {
        request: &exchange.request,
        target: &exchange.target,
        client: &exchange.client,
        now: live.clock(),
        random: 0,
    };
    let mut list = Vec::new();
    live.listener().routes.explain(&lookup, &mut |_, route, considered| {
        list.push(Candidate { route: route.name.to_string(), considered });
    });
    list
}

fn variables(exchange: &Exchange) -> Vec<(String, String)> {
    let names = exchange.route().variables.iter().filter(|n| !n.is_empty());
    names
        .filter_map(|n| Some((n.to_string(), String::from_utf8_lossy(exchange.variable(n)?).into_owned())))
        .collect()
}

fn describe_step(step: &Step) -> (String, String, String) {
    let phases: Vec<&str> = step.phases().map(Phase::as_str).collect();
    let mut remarks = Vec::new();
    if step.when.is_some() {
        remarks.push("when");
    }
    if step.mode == Mode::Shadow {
        remarks.push("shadow");
    }
    (step.id.to_string(), phases.join(" "), remarks.join(" "))
}

/// Runs the `pre` phase and says where the route leads.
fn answer(
    live: &Rc<Live>,
    exchange: &mut Exchange,
    explanation: &mut Explanation,
) -> Result<Option<Reply>, Failure> {
    let route = live.route(exchange.route);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else { return Err(Failure::FilterFailed) };
    match runtime.block_on(route.chain.pre(exchange, 0)) {
        Flow::Continue => {}
        Flow::Answer(reply) => {
            "a filter answers".clone_into(&mut explanation.leads_to);
            return Ok(Some(*reply));
        }
        Flow::Fail(failure) => return Err(failure),
    }
    lead(live, exchange, &route.action, explanation)
}

/// Says where an action leads.
fn lead(
    live: &Rc<Live>,
    exchange: &mut Exchange,
    action: &Action,
    explanation: &mut Explanation,
) -> Result<Option<Reply>, Failure> {
    let fill = |template: &menshen_proxy::template::Template, exchange: &Exchange| {
        let mut out = Vec::new();
        template.fill_url(exchange, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    match action {
        Action::Service { service, base } => {
            lead_to_service(live, exchange, *service, base, explanation)?;
            Ok(None)
        }
        Action::Split(split) => {
            let explained = split::explain(live, split, exchange);
            explanation.groups = explained.groups;
            explanation.group = Some(explained.group.as_ref().map_or("none", |group| &group.name).to_owned());
            explanation.because = explained.because;
            match explained.group {
                Some(group) => {
                    lead_to_service(live, exchange, group.service, &group.base, explanation)?;
                    Ok(None)
                }
                None => lead(live, exchange, split.rest(), explanation),
            }
        }
        Action::Redirect { status, to } => {
            let to = fill(to, exchange);
            explanation.leads_to = format!("redirect {status} to {to}");
            let mut reply = Reply::new(*status);
            reply.head.fields.append_named(b"location", to.as_bytes());
            Ok(Some(reply))
        }
        Action::Respond(fixed) => {
            explanation.leads_to = format!("fixed reply {}", fixed.status);
            Ok(Some(fixed.to_reply(exchange)))
        }
        Action::Forward { to } => {
            explanation.leads_to = format!("forward to {}", fill(to, exchange));
            Ok(None)
        }
        Action::NotFound => {
            let wrong_method = explanation.candidates.iter().any(|c| c.considered == Considered::WrongMethod);
            Err(if wrong_method { Failure::MethodNotAllowed } else { Failure::NoRoute })
        }
    }
}

/// Where copies of a route's requests go, in words.
fn copies(live: &Live, route: &Route) -> String {
    let Some(mirror) = &route.mirror else { return String::new() };
    let name = live.snapshot().service(mirror.service).map_or("", |s| &s.name);
    format!(", {}% copied to {name}", mirror.share * 100.0)
}

/// The service that is asked, and what for.
fn lead_to_service(
    live: &Live,
    exchange: &Exchange,
    service: ServiceId,
    base: &str,
    explanation: &mut Explanation,
) -> Result<(), Failure> {
    let mut target = Vec::new();
    match &exchange.translation {
        Some(translation) => target.extend([base.as_bytes(), &translation.target].concat()),
        None => exchange.route().rewrite.apply(&exchange.target, base, &mut target)?,
    }
    explanation.sent = Some(String::from_utf8_lossy(&target).into_owned());
    let name = live.snapshot().service(service).map_or("", |s| &s.name);
    explanation.leads_to = format!("service {name}{}", copies(live, exchange.route()));
    Ok(())
}

/// The reply as the client would get it, as far as the gateway makes it.
fn settle(
    live: &Rc<Live>,
    exchange: &mut Exchange,
    outcome: Result<Option<Reply>, Failure>,
    explanation: &mut Explanation,
) {
    let chain = &live.route(exchange.route).chain;
    let mut reply = match outcome {
        Ok(Some(reply)) => reply,
        Ok(None) => Reply::new(200),
        Err(failure) => {
            explanation.failure = Some(failure);
            if explanation.leads_to.is_empty() {
                explanation.leads_to = format!("refused: {}", failure.text());
            }
            let mut reply = Reply::of_failure(failure, exchange);
            chain.error(exchange, failure, &mut reply);
            reply
        }
    };
    let _ = chain.post(exchange, &mut reply, usize::MAX);
    explanation.status = reply.head.status;
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    explanation.reply = reply.head.fields.iter().map(|f| (text(f.name), text(f.value))).collect();
}
