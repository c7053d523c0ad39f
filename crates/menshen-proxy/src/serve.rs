//! The life of a request, from its head to its last byte.

mod again;
mod guard;
mod hedge;
mod mirror;
mod split;
mod twin;

use std::sync::Arc;

use menshen_http1::{FieldName, Method, RequestFraming, ResponseFraming};

use crate::body::Length;
use crate::call::{Aim, Call};
use crate::condition::host_of;
use crate::downstream::Downstream;
use crate::filter::{Flow, Recovery};
use crate::grpc::GrpcStatus;
use crate::health::Outcome;
use crate::mirror::Mirror;
use crate::reply::Maker;
use crate::retry::RetryPolicy;
use crate::routes::{Found, Lookup};
use crate::service::Service;
use crate::snapshot::{Action, EncodedSlashes, HostPolicy, RouteId, ServiceId};
use crate::target::Target;
use crate::template::Template;
use crate::trace::Phase;
use crate::worker::Live;
use crate::{Attempt, Body, Exchange, Failure, Finished, Reply, forwarding, grpc, moment, translation};
use again::Tries;
pub(crate) use guard::Pass;
pub(crate) use mirror::Mirrored;

/// Routes that one request may be forwarded to.
const MAX_FORWARDS: u8 = 8;

/// A reply, and the call whose content it carries.
pub(crate) struct Answer {
    /// Boxed, because answers are handed from function to function.
    pub(crate) reply: Box<Reply>,
    pub(crate) call: Option<Call>,
}

impl Answer {
    /// An answer that no service has a part in.
    pub(crate) fn made(reply: Box<Reply>) -> Self {
        Self { reply, call: None }
    }

    /// The length of the content, where it is known before it is sent.
    pub(crate) fn length(&self, method: Method) -> Option<u64> {
        let reply = &self.reply;
        match &reply.body {
            Body::Empty if self.call.is_some() => reply.announced_length(method),
            Body::Empty => Some(0),
            Body::Full(bytes) => Some(bytes.len() as u64),
            Body::Streaming if reply.transforms.length() == Length::Changed => None,
            Body::Streaming => match reply.head.framing {
                ResponseFraming::Length(n) => Some(n),
                ResponseFraming::None | ResponseFraming::Chunked | ResponseFraming::UntilClose => None,
            },
        }
    }
}

/// Serves one request: route, `pre`, target, `post` in reverse, send, `done`.
pub(crate) async fn serve<D: Downstream>(exchange: &mut Exchange, client: &mut D) {
    exchange.live.worker().began();
    let live = exchange.live.clone();
    let answer = match enter(exchange, &live) {
        // Who takes back what was not begun costs no service anything.
        Ok(()) if client.has_gone() => recover(exchange, client, &live, Failure::ClientGone).await,
        Ok(()) => match live.snapshot().challenges.reply_to(exchange) {
            None => answer(exchange, client, &live, 0).await,
            // An authority asks about the name, whatever routes and filters there are.
            Some(reply) => {
                exchange.route = RouteId::FALLBACK;
                Answer::made(reply)
            }
        },
        Err(failure) => recover(exchange, client, &live, failure).await,
    };
    let finished = client.send(exchange, answer).await;
    done(exchange, &live, &finished);
}

/// Answers a request whose head could not be read.
pub(crate) async fn refuse<D: Downstream>(exchange: &mut Exchange, client: &mut D, failure: Failure) {
    exchange.live.worker().began();
    let live = exchange.live.clone();
    exchange.request = menshen_http1::RequestHead::default();
    let answer = recover(exchange, client, &live, failure).await;
    let finished = client.send(exchange, answer).await;
    done(exchange, &live, &finished);
}

/// Finds out who asks for what, and the route for it.
pub(crate) fn enter(exchange: &mut Exchange, live: &Live) -> Result<(), Failure> {
    let request = &mut exchange.request;
    if request.method() == Method::Connect {
        return Err(Failure::ConnectNotOffered);
    }
    exchange
        .target
        .read(request.target(), request.method(), request.fields.get(FieldName::HOST))
        .map_err(Failure::BadTarget)?;
    if let (Some(facts), Some(tls)) = (&exchange.client.tls, &live.listener().tls)
        && !facts.speaks_for(host_of(request).unwrap_or_default(), tls)
    {
        return Err(Failure::Misdirected);
    }
    forwarding::receive(request, &mut exchange.client, live.listener());
    forwarding::check_loop(&request.fields, &live.snapshot().gateway)?;
    find_route(exchange, live);
    let encoded_slash = exchange.target.has_encoded_slash();
    if encoded_slash && live.route(exchange.route).encoded_slashes == EncodedSlashes::Refuse {
        return Err(Failure::BadTarget(crate::target::TargetError::EncodedSlash));
    }
    Ok(())
}

/// There is always a route: what nothing matches goes to the listener's own.
fn find_route(exchange: &mut Exchange, live: &Live) {
    let lookup = Lookup {
        request: &exchange.request,
        target: &exchange.target,
        client: &exchange.client,
        now: live.clock(),
        random: live.worker().random(),
    };
    let found = live.listener().routes.find(&lookup, &mut exchange.variables);
    exchange.wrong_method = found == Found::WrongMethod;
    exchange.route = match found {
        Found::Route(id) => id,
        Found::WrongMethod | Found::Nothing => RouteId::FALLBACK,
    };
    let route = live.route(exchange.route);
    exchange.timeouts = route.timeouts;
    exchange.body_limit = route.body_limit;
    exchange.is_call = grpc::is_call(&exchange.request.fields);
    if exchange.is_call {
        grpc::limit(&mut exchange.timeouts, &exchange.request.fields);
    }
}

/// The filters of a route around what it leads to. `from` is the first step to run: routes that are
/// forwarded to leave out the steps of the listener, which ran already.
async fn answer<D: Downstream>(exchange: &mut Exchange, client: &mut D, live: &Live, from: usize) -> Answer {
    let route = live.route(exchange.route);
    let outcome = match route.chain.pre(exchange, from).await {
        Flow::Continue => act(exchange, client, live, &route.action).await,
        Flow::Answer(reply) => Ok(Answer::made(reply)),
        Flow::Fail(failure) => Err(failure),
    };
    let mut answer = match outcome {
        Ok(answer) => answer,
        Err(failure) => recover(exchange, client, live, failure).await,
    };
    let mut below = usize::MAX;
    while let Err((step, failure)) = route.chain.post(exchange, &mut answer.reply, below) {
        // The outer filters see the reply for the failure, as they would have seen the other.
        answer = recover(exchange, client, live, failure).await;
        below = step;
    }
    if route.retry.tells && exchange.attempts > 0 {
        tell_attempts(exchange, &mut answer.reply);
    }
    if !matches!(answer.reply.body, Body::Streaming) && !carries_head_only(&answer) {
        answer.call = None;
    }
    answer
}

/// Says how often services were asked.
fn tell_attempts(exchange: &Exchange, reply: &mut Reply) {
    const NAME: &[u8] = b"x-menshen-attempts";
    let fields = &mut reply.head.fields;
    fields.retain(|field| !field.name.eq_ignore_ascii_case(NAME));
    fields.append_named(NAME, exchange.attempts.to_string().as_bytes());
}

/// A service's reply without content still belongs to its call, which gives the connection back.
fn carries_head_only(answer: &Answer) -> bool {
    answer.reply.maker == Maker::Service && matches!(answer.reply.body, Body::Empty)
}

/// What the route leads to.
async fn act<D: Downstream>(
    exchange: &mut Exchange,
    client: &mut D,
    live: &Live,
    action: &Action,
) -> Result<Answer, Failure> {
    match action {
        Action::Service { service, base } => {
            let Some(service) = live.snapshot().service(*service) else { return Err(Failure::NoEndpoint) };
            let route = live.route(exchange.route);
            let way = Way { service, host: &route.host, base, mirror: route.mirror.as_deref() };
            call_service(exchange, client, live, way).await
        }
        Action::Split(split) => Box::pin(split::act_by_group(exchange, client, live, split)).await,
        Action::Redirect { status, to } => Ok(Answer::made(redirect(exchange, *status, to).into())),
        Action::Respond(fixed) => Ok(Answer::made(fixed.to_reply(exchange).into())),
        Action::Forward { to } => forward(exchange, client, live, to).await,
        Action::NotFound if exchange.wrong_method => Err(Failure::MethodNotAllowed),
        Action::NotFound => Err(Failure::NoRoute),
    }
}

/// Sends the request to the service, as soon as it may go there.
async fn call_service<D: Downstream>(
    exchange: &mut Exchange,
    client: &mut D,
    live: &Live,
    way: Way<'_>,
) -> Result<Answer, Failure> {
    let service = way.service;
    limit_content(exchange, client)?;
    hold_content(exchange, client).await?;
    if service.is_guarded() {
        // Boxed, as all that the plain path does without: it must not carry its size.
        Box::pin(guard::enter(exchange, client, service)).await?;
    }
    guard::note_request(exchange, service);
    let route = live.route(exchange.route);
    let policy = &*route.retry;
    again::keep_content(exchange, policy);
    let result = try_endpoints(exchange, client, live, way, policy).await;
    if exchange.pass.is_some() {
        guard::report(exchange, service, &result);
    }
    if let Some(kept) = &mut exchange.kept {
        kept.settle();
    }
    result
}

/// Where a request goes, whatever the endpoint.
#[derive(Clone, Copy)]
struct Way<'a> {
    service: &'a Arc<Service>,
    host: &'a HostPolicy,
    base: &'a str,
    mirror: Option<&'a Mirror>,
}

/// Sends the request to one endpoint, and to others where that is safe and sane.
async fn try_endpoints<D: Downstream>(
    exchange: &mut Exchange,
    client: &mut D,
    live: &Live,
    Way { service, host, base, mirror }: Way<'_>,
    policy: &RetryPolicy,
) -> Result<Answer, Failure> {
    let mut endpoint = guard::pick(exchange, live, service, &[])?;
    let mut tries = Tries::default();
    loop {
        tries.note(endpoint);
        let aim = Aim { service, endpoint, host, base, mirror };
        let result = match &service.hedge {
            None => attempt(exchange, client, live, &aim).await,
            Some(policy) => Box::pin(hedge::race(exchange, client, live, &aim, policy)).await,
        };
        let Some(cause) = again::cause(&result, exchange, client, policy, &tries) else { return result };
        match Box::pin(again::prepare(exchange, client, service, policy, (cause, &tries))).await? {
            Some(next) => endpoint = next,
            None => return result,
        }
        if let Ok(answer) = result {
            again::let_go(answer, exchange);
        }
    }
}

/// Refuses content that is announced to be too large, and sees to it that other content ends there.
fn limit_content<D: Downstream>(exchange: &Exchange, client: &mut D) -> Result<(), Failure> {
    if matches!(exchange.request.framing, RequestFraming::Length(n) if n > exchange.body_limit) {
        return Err(Failure::BodyTooLarge);
    }
    client.limit_content(exchange.body_limit);
    Ok(())
}

/// Reads the content of a request that is to be translated.
async fn hold_content<D: Downstream>(exchange: &mut Exchange, client: &mut D) -> Result<(), Failure> {
    match exchange.translation.as_ref().and_then(|translation| translation.request_limit) {
        Some(limit) if exchange.kept.is_none() => {
            // Boxed: the plain path must not carry its size.
            Box::pin(translation::hold_request(exchange, client, limit)).await
        }
        _ => Ok(()),
    }
}

/// One attempt: `route` filters, then the call.
async fn attempt<D: Downstream>(
    exchange: &mut Exchange,
    client: &mut D,
    live: &Live,
    aim: &Aim<'_>,
) -> Result<Answer, Failure> {
    let Aim { service, endpoint, .. } = *aim;
    exchange.attempts = exchange.attempts.saturating_add(1);
    exchange.endpoint = Some(endpoint.clone());
    let route = live.route(exchange.route);
    exchange.try_end = route.retry.per_try.map(|time| live.worker().now() + time);
    if route.chain.has(Phase::Route) {
        route.chain.route(exchange, &Attempt { number: exchange.attempts, endpoint: endpoint.clone() })?;
    }
    if let (Some(mirror), 1) = (aim.mirror, exchange.attempts) {
        mirror::begin(exchange, mirror);
    }
    let mut reply = exchange.take_reply();
    let sent_at = exchange.live.worker().recent();
    let called = Call::start(exchange, client, route, aim, &mut reply.head).await;
    let cells = service.stats.of(live.worker_index());
    let mut call = match called {
        Ok(call) => call,
        Err(failure) => {
            let failure = grpc::by_deadline(failure, exchange);
            exchange.keep_reply(reply);
            if let Some(cells) = cells {
                cells.failures.add(1);
            }
            let micros = moment::of(live.worker().now().saturating_duration_since(sent_at));
            service.observe(live, endpoint, Outcome::Failed(failure), micros);
            return Err(failure);
        }
    };
    let now = exchange.micros();
    exchange.service_micros = Some(now);
    let micros = now.saturating_sub(moment::of(sent_at.saturating_duration_since(exchange.started)));
    if let Some(cells) = cells {
        cells.latency.record(micros);
    }
    service.observe(live, endpoint, Outcome::Answered(reply.head.status), micros);
    if let Some(sticky) = service.balance.sticky() {
        sticky.mark(exchange, endpoint, &mut reply);
    }
    reply.body = if call.has_content() { Body::Streaming } else { Body::Empty };
    reply.maker = Maker::Service;
    if exchange.is_call || exchange.translation.is_some() {
        exchange.grpc_status.set(GrpcStatus::of(&reply.head.fields));
    }
    if exchange.translation.is_some() {
        match Box::pin(translation::hold_reply(exchange, client, &mut call, &mut reply)).await {
            Ok(false) => call = call.begun(exchange),
            Ok(true) => {
                call.finish();
                return Ok(Answer::made(reply));
            }
            Err(failure) => {
                call.abandon(failure);
                return Err(failure);
            }
        }
    }
    Ok(Answer { reply, call: Some(call) })
}

/// True when content was sent that cannot be sent again.
fn content_is_lost<D: Downstream>(exchange: &Exchange, client: &D) -> bool {
    match &exchange.kept {
        Some(kept) => !kept.is_complete(),
        None => client.content_was_taken(),
    }
}

fn redirect(exchange: &Exchange, status: u16, to: &Template) -> Reply {
    let mut location = Vec::new();
    to.fill_url(exchange, &mut location);
    let mut reply = Reply::new(status);
    reply.head.fields.set(FieldName::LOCATION, &location);
    reply
}

/// Matches another path and answers as its route does, with that route's own filters.
async fn forward<D: Downstream>(
    exchange: &mut Exchange,
    client: &mut D,
    live: &Live,
    to: &Template,
) -> Result<Answer, Failure> {
    if exchange.forwards >= MAX_FORWARDS {
        return Err(Failure::ForwardLoop);
    }
    exchange.forwards += 1;
    let mut path = Vec::new();
    to.fill_url(exchange, &mut path);
    if let (Some(query), false) = (exchange.target.query(), path.contains(&b'?')) {
        path.push(b'?');
        path.extend_from_slice(query);
    }
    let mut target = Target::default();
    target.read(&path, Method::Get, None).map_err(|_| Failure::BadRewrite)?;
    // The steps of this route, which run behind the other's, and the log see what the client asked for.
    let target = std::mem::replace(&mut exchange.target, target);
    let outer = (exchange.route, exchange.entered, std::mem::take(&mut exchange.variables), target);
    exchange.entered = Default::default();
    find_route(exchange, live);
    let shared = live.route(exchange.route).chain.shared();
    let answer = Box::pin(answer(exchange, client, live, shared)).await;
    (exchange.route, exchange.entered, exchange.variables, exchange.target) = outer;
    Ok(answer)
}

/// Turns a failure into a reply: the `error` filters may change it or name another service.
async fn recover<D: Downstream>(
    exchange: &mut Exchange,
    client: &mut D,
    live: &Live,
    failure: Failure,
) -> Answer {
    let mut reply = Box::new(Reply::of_failure(failure, exchange));
    if failure == Failure::MethodNotAllowed {
        allow(exchange, live, &mut reply);
    }
    let chain = &live.route(exchange.route).chain;
    match chain.error(exchange, failure, &mut reply) {
        Recovery::Continue | Recovery::Handled => Answer::made(reply),
        Recovery::Service(id) => match fall_back(exchange, client, live, id).await {
            Ok(answer) => answer,
            Err(_) => Answer::made(reply),
        },
    }
}

/// Asks another service instead, if the request can still be sent whole.
async fn fall_back<D: Downstream>(
    exchange: &mut Exchange,
    client: &mut D,
    live: &Live,
    id: ServiceId,
) -> Result<Answer, Failure> {
    if content_is_lost(exchange, client) {
        return Err(Failure::NoEndpoint);
    }
    if exchange.kept.is_none() {
        limit_content(exchange, client)?;
        hold_content(exchange, client).await?;
    }
    let service = live.snapshot().service(id).ok_or(Failure::NoEndpoint)?;
    // The other service has nothing to do with it any more.
    exchange.pass = None;
    if service.is_guarded() {
        Box::pin(guard::enter(exchange, client, service)).await?;
    }
    guard::note_request(exchange, service);
    let endpoint = guard::pick(exchange, live, service, &[])?;
    let aim = Aim { service, endpoint, host: &service.host, base: &service.base, mirror: None };
    let result = attempt(exchange, client, live, &aim).await;
    if exchange.pass.is_some() {
        guard::report(exchange, service, &result);
    }
    result
}

/// Names the methods that would have matched (RFC 9110 §15.5.6).
fn allow(exchange: &Exchange, live: &Live, reply: &mut Reply) {
    let lookup = Lookup {
        request: &exchange.request,
        target: &exchange.target,
        client: &exchange.client,
        now: live.clock(),
        random: 0,
    };
    let methods = live.listener().routes.allowed(&lookup).join(", ");
    reply.head.fields.set(FieldName::ALLOW, methods.as_bytes());
}

/// The last byte has left or the client has gone: `done` filters, counters, log.
fn done(exchange: &mut Exchange, live: &Live, finished: &Finished) {
    // Others may wait for this.
    exchange.pass = None;
    let route = live.route(exchange.route);
    route.chain.done(exchange, finished);
    if let Some(membership) = &exchange.group {
        membership.count(live, exchange, finished);
    }
    live.worker().ended(exchange, route, finished);
}
