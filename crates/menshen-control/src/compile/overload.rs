//! Retries, hedging, breakers and limits of requests under way: what the document says, checked and with its defaults.

use std::sync::Arc;
use std::time::Duration;

use menshen_config::document::{
    self as written, Breaker, Concurrency, ConcurrencyLimit, Hedge, HedgeAfter, Retry, RetryOn,
};
use menshen_config::quantity::{Bounded, Rate};
use menshen_config::{Path, Problems, Span};
use menshen_proxy::breaker::BreakerPolicy;
use menshen_proxy::concurrency::{AdaptivePolicy, ConcurrencyPolicy, Limit, Priority, QueuePolicy};
use menshen_proxy::hedge::{HedgeAfter as After, HedgePolicy};
use menshen_proxy::http1::{Method, valid_name};
use menshen_proxy::retry::{Budget, Cause, Causes, MAX_ATTEMPTS, Methods, RetryPolicy, Statuses};
use menshen_proxy::{GrpcStatus, RoutePriority, window};

pub(super) fn retry(written: &Retry, at: Span, path: &Path, problems: &mut Problems) -> Arc<RetryPolicy> {
    if *written == Retry::default() {
        return RetryPolicy::shared();
    }
    let default = RetryPolicy::default();
    let attempts = written.attempts.map(usize::from);
    if attempts.is_some_and(|n| !(1..=MAX_ATTEMPTS).contains(&n)) {
        let message = format!("a request can be sent 1 to {MAX_ATTEMPTS} times");
        problems.error(at, path.key("attempts"), message).hint("`attempts: 1` is never again");
    }
    let (causes, statuses) = match &written.on {
        None => (default.causes, Statuses::default()),
        Some(on) => {
            let causes = on.iter().filter_map(|on| cause(on.value)).fold(Causes::NONE, Causes::and);
            (causes, on.iter().filter_map(|on| range(on.value)).collect())
        }
    };
    if let Some(key) = written.idempotency_key.as_ref().filter(|key| !valid_name(key.value.as_bytes())) {
        let message = format!("`{}` is not the name of a field", key.value);
        problems.error(key.span, path.key("idempotency-key"), message);
    }
    let times = |d: Option<menshen_config::quantity::Duration>, default| d.map_or(default, |d| d.0);
    let base = times(written.back_off.base, default.base);
    Arc::new(RetryPolicy {
        attempts: attempts.unwrap_or(default.attempts),
        unanswered: attempts.unwrap_or(default.unanswered),
        causes,
        statuses,
        grpc: written.grpc_status.iter().filter_map(|s| GrpcStatus::numbered(s.number())).collect(),
        methods: methods(written, path, problems),
        key: written.idempotency_key.as_ref().map(|key| key.value.as_str().into()),
        per_try: written.per_try.map(|d| d.0),
        base,
        longest: times(written.back_off.max, default.longest.max(base)),
        keep: written.keep.map_or(0, |size| usize::try_from(size.0).unwrap_or(usize::MAX)),
        budget: match written.budget {
            None => default.budget,
            Some(Bounded::Unbounded) => None,
            Some(Bounded::At(budget)) => Some(Budget {
                share: budget.share.fraction(),
                least: budget.least.map_or(0.0, |Rate { amount, per }| amount as f64 / per.0.as_secs_f64()),
            }),
        },
        tells: written.attempts_field.is_some_and(written::Switch::is_on),
    })
}

fn cause(on: RetryOn) -> Option<Cause> {
    match on {
        RetryOn::ConnectFailure => Some(Cause::Connect),
        RetryOn::Reset => Some(Cause::Reset),
        RetryOn::Timeout => Some(Cause::Timeout),
        RetryOn::GatewayError | RetryOn::ServerError | RetryOn::Status(_) => None,
    }
}

fn range(on: RetryOn) -> Option<(u16, u16)> {
    match on {
        RetryOn::GatewayError => Some((502, 504)),
        RetryOn::ServerError => Some((500, 599)),
        RetryOn::Status(status) => Some((status, status)),
        RetryOn::ConnectFailure | RetryOn::Reset | RetryOn::Timeout => None,
    }
}

fn methods(written: &Retry, path: &Path, problems: &mut Problems) -> Methods {
    if written.methods.is_empty() {
        return if written.idempotency_key.is_some() { Methods::ALL } else { Methods::IDEMPOTENT };
    }
    let mut all = Methods::NONE;
    for name in &written.methods {
        let method = Method::of(name.value.as_str().as_bytes());
        if !method.is_idempotent() && written.idempotency_key.is_none() {
            let message = format!("a service may act twice on a `{}` that is sent again", name.value);
            problems
                .error(name.span, path.key("methods"), message)
                .hint("name the field with which clients allow it: `idempotency-key: Idempotency-Key`");
        }
        all = all.and(method);
    }
    all
}

pub(super) fn breaker(written: &Breaker, at: Span, path: &Path, problems: &mut Problems) -> BreakerPolicy {
    let time = written.window.map_or(Duration::from_secs(10), |d| d.0);
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    if !(1..=window::LONGEST).contains(&seconds) || time.subsec_nanos() > 0 {
        let message = format!("the window is 1 to {} whole seconds", window::LONGEST);
        problems.error(at, path.key("window"), message);
    }
    let statuses = written.on.iter().filter_map(|on| {
        let range = range(on.value);
        if range.is_none() {
            let message = format!("`{}` always counts; only statuses are named here", on.value);
            problems.error(on.span, path.key("on"), message).hint("remove it");
        }
        range
    });
    BreakerPolicy {
        statuses: statuses.collect(),
        window: seconds,
        requests: written.requests.map_or(20, u64::from).max(1),
        errors: written.errors.map_or(0.5, |share| share.fraction()),
        sleep: written.open_for.map_or(Duration::from_secs(5), |d| d.0),
    }
}

pub(super) fn concurrency(
    written: &Concurrency,
    at: Span,
    path: &Path,
    problems: &mut Problems,
) -> ConcurrencyPolicy {
    let limit = match &written.limit {
        ConcurrencyLimit::Fixed(limit) => Limit::Fixed(*limit),
        ConcurrencyLimit::Adaptive(adaptive) => {
            let (min, max) = (adaptive.min.unwrap_or(20), adaptive.max.unwrap_or(200));
            if min == 0 || max < min {
                let message = format!("the limit cannot move between {min} and {max}");
                problems.error(at, path.key("adaptive"), message).hint("`min` is at least 1, `max` not less");
            }
            let tolerance = adaptive.tolerance.unwrap_or(1.5);
            if !(1.0..=10.0).contains(&tolerance) {
                let message = "`tolerance` is 1 to 10 times as slow as usual";
                problems.error(at, path.key("adaptive").key("tolerance"), message);
            }
            let smoothing = adaptive.smoothing.map_or(0.2, |share| share.fraction());
            Limit::Adaptive(AdaptivePolicy { min, max, smoothing, tolerance })
        }
    };
    let queue = written.queue.as_ref().map(|q| QueuePolicy { length: q.length, wait: q.wait.0 });
    ConcurrencyPolicy { limit, per_endpoint: written.per_endpoint, queue }
}

pub(super) fn hedge(written: &Hedge) -> HedgePolicy {
    HedgePolicy {
        after: match written.after {
            HedgeAfter::Time(time) => After::Time(time.0),
            HedgeAfter::Quantile(percent) => After::Quantile(percent / 100.0),
        },
        at_most: written.at_most.map_or(0.1, |share| share.fraction()),
    }
}

pub(super) fn priority(
    written: &written::RoutePriority,
    path: &Path,
    problems: &mut Problems,
) -> RoutePriority {
    if let Some(field) = written.field.as_ref().filter(|field| !valid_name(field.value.as_bytes())) {
        let message = format!("`{}` is not the name of a field", field.value);
        problems.error(field.span, path.key("priority").key("field"), message);
    }
    RoutePriority {
        default: match written.default {
            written::Priority::Low => Priority::Low,
            written::Priority::Normal => Priority::Normal,
            written::Priority::High => Priority::High,
        },
        field: written.field.as_ref().map(|field| field.value.as_str().into()),
    }
}
