//! A filter test is three lines: configuration, request, expectation. The filter runs in a real chain.

use std::rc::Rc;
use std::sync::Arc;

use menshen_config::{Problems, Source};
use menshen_proxy::chain::{Chain, Step, Switch};
use menshen_proxy::stats::StepStats;
use menshen_proxy::{Body, Client, Exchange, Failure, Flow, Live, Recovery, Reply, ServiceId};

use crate::{Keep, Setup, find};

/// One filter (or several) in a chain, and one request.
pub(crate) struct Try {
    live: Rc<Live>,
    exchange: Exchange,
    reply: Option<Reply>,
}

impl Try {
    /// A chain of the filters in this YAML: one item, or a list.
    pub(crate) fn filter(yaml: &str) -> Self {
        Self::kept(yaml, &Keep::default())
    }

    /// As [`Try::filter`], with state from elsewhere.
    pub(crate) fn kept(yaml: &str, keep: &Keep) -> Self {
        match chain(yaml, keep) {
            (chain, problems) if problems.is_empty() => Self::of(chain),
            (_, problems) => panic!("{problems}"),
        }
    }

    /// The problems of this YAML.
    pub(crate) fn problems(yaml: &str) -> String {
        chain(yaml, &Keep::default()).1.to_string()
    }

    fn of(chain: Chain) -> Self {
        let live = Live::alone(chain);
        Self { exchange: Exchange::new(live.clone()), live, reply: None }
    }

    /// `GET path` with Host `a.example`.
    pub(crate) fn get(self, path: &str) -> Self {
        self.request(&format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n"))
    }

    /// A request head as it is on the wire.
    pub(crate) fn request(self, head: &str) -> Self {
        self.request_from("192.0.2.1", head)
    }

    /// A request head from this client address.
    pub(crate) fn request_from(mut self, client: &str, head: &str) -> Self {
        let peer = std::net::SocketAddr::new(client.parse().unwrap(), 40_000);
        let client = Client::direct(peer, ([127, 0, 0, 1], 8001).into(), menshen_proxy::Scheme::Http);
        self.exchange.take_request(head.as_bytes(), client).unwrap();
        self
    }

    fn chain(&self) -> Rc<Live> {
        self.live.clone()
    }

    /// Runs the `pre` phase.
    pub(crate) fn pre(&mut self) -> Flow {
        let live = self.chain();
        let chain = live.route(self.exchange.route).chain.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(chain.pre(&mut self.exchange, 0))
    }

    /// Runs the `pre` phase, which must let the request pass.
    pub(crate) fn pass(mut self) -> Self {
        match self.pre() {
            Flow::Continue => self,
            other => panic!("expected the request to pass: {other:?}"),
        }
    }

    /// Runs the `pre` phase, which must answer.
    pub(crate) fn answer(mut self) -> Self {
        match self.pre() {
            Flow::Answer(reply) => self.reply = Some(*reply),
            other => panic!("expected an answer: {other:?}"),
        }
        self
    }

    /// Runs the `pre` phase, which must fail.
    pub(crate) fn refusal(&mut self) -> Failure {
        match self.pre() {
            Flow::Fail(failure) => failure,
            other => panic!("expected a refusal: {other:?}"),
        }
    }

    /// Runs the `post` phase on a reply.
    pub(crate) fn reply(&mut self, mut reply: Reply) -> &mut Self {
        let live = self.chain();
        live.route(self.exchange.route).chain.post(&mut self.exchange, &mut reply, usize::MAX).unwrap();
        self.reply = Some(reply);
        self
    }

    /// Runs the `post` phase on a reply, which may fail.
    pub(crate) fn try_reply(&mut self, reply: &mut Reply) -> Result<(), Failure> {
        let live = self.chain();
        let chain = live.route(self.exchange.route).chain.clone();
        chain.post(&mut self.exchange, reply, usize::MAX).map_err(|(_, failure)| failure)
    }

    /// Runs the `error` phase on a failure.
    pub(crate) fn fail(&mut self, failure: Failure) -> Recovery {
        let live = self.chain();
        let mut reply = Reply::of_failure(failure, &self.exchange);
        let recovery = live.route(self.exchange.route).chain.error(&mut self.exchange, failure, &mut reply);
        self.reply = Some(reply);
        recovery
    }

    /// The exchange.
    pub(crate) fn exchange(&mut self) -> &mut Exchange {
        &mut self.exchange
    }

    /// A field of the request as the service would get it.
    pub(crate) fn sent(&mut self, name: &str) -> Option<String> {
        let value = self.exchange.request.fields.get_named(name.as_bytes())?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The status of the reply.
    pub(crate) fn status(&self) -> u16 {
        self.reply.as_ref().unwrap().head.status
    }

    /// A field of the reply; several values are joined with ` | `.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let fields = &self.reply.as_ref().unwrap().head.fields;
        let values: Vec<_> = fields.all_named(name.as_bytes()).map(String::from_utf8_lossy).collect();
        (!values.is_empty()).then(|| values.join(" | "))
    }

    /// The content of the reply, behind its transforms.
    pub(crate) fn body(&mut self) -> Vec<u8> {
        let reply = self.reply.as_mut().unwrap();
        let mut out = Vec::new();
        if let Body::Full(bytes) = &reply.body {
            reply.transforms.run(bytes, &mut out).unwrap();
            reply.transforms.finish(&mut out).unwrap();
        }
        out
    }
}

/// Compiles a chain from YAML as the document's compiler does.
fn chain(yaml: &str, keep: &Keep) -> (Chain, Problems) {
    let yaml = yaml.trim_start();
    let list =
        if yaml.starts_with('-') { yaml.to_owned() } else { format!("- {}", yaml.replace('\n', "\n  ")) };
    let text =
        format!("schemes:\n  test:\n{}", list.lines().map(|l| format!("    {l}\n")).collect::<String>());
    let (document, mut problems) = menshen_config::parse(&[Source::new("test", text)]);
    let mut steps = Vec::new();
    let items = document.schemes.get("test").map(|e| e.value.0.clone()).unwrap_or_default();
    for item in &items {
        let Some(spec) = find(&item.name) else { panic!("no filter named {}", item.name) };
        let stats = Arc::new(StepStats::new(1));
        let mut step = Step::new(spec.name, spec.name.into(), Arc::new(Switch::default()), stats);
        let services = |name: &str| (name == "backup").then_some(ServiceId(7));
        let mut setup = Setup {
            problems: &mut problems,
            at: item.at,
            path: item.path.key(&item.name),
            place: item.path.as_str(),
            variables: None,
            services: &services,
            files: &|name| std::fs::read(name).map_err(|error| format!("{name}: {error}")),
            keep,
            workers: 1,
        };
        spec.install(item, &mut setup, &mut step);
        steps.push(Arc::new(step));
    }
    (Chain::new(steps, 0), problems)
}
