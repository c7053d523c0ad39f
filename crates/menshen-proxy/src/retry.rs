//! When a request is sent again, and how often that may happen.

use std::sync::Arc;
use std::time::{Duration, Instant};

use menshen_http1::{Fields, Method};

use crate::failure::{Failure, Retry};
use crate::grpc::GrpcStatuses;
use crate::window::{Event, Window};

/// Attempts for one request, whatever a document says.
pub const MAX_ATTEMPTS: usize = 10;

/// When a request is sent again.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// Attempts for one request, the first with them; at most [`MAX_ATTEMPTS`].
    pub attempts: usize,
    /// Attempts of which the service may have seen more than one without an answer.
    pub unanswered: usize,
    /// What is worth another attempt beside statuses.
    pub causes: Causes,
    /// Statuses that are worth another attempt.
    pub statuses: Statuses,
    /// Statuses of gRPC that are worth another attempt.
    pub grpc: GrpcStatuses,
    /// Methods that are sent again although the service may have acted.
    pub methods: Methods,
    /// The field that says that a request may be sent twice though its method is not idempotent.
    pub key: Option<Box<str>>,
    /// The time of one attempt, until the head of its answer.
    pub per_try: Option<Duration>,
    /// The most that is waited before the second attempt; then twice as long.
    pub base: Duration,
    /// The most that is waited before any attempt.
    pub longest: Duration,
    /// Bytes of content that are kept; 0 for none, but what calls of gRPC need.
    pub keep: usize,
    /// The most that a service is asked beside what clients ask.
    pub budget: Option<Budget>,
    /// The reply says how many attempts there were.
    pub tells: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 3,
            unanswered: 2,
            causes: Causes::default(),
            statuses: Statuses::default(),
            grpc: GrpcStatuses::default(),
            methods: Methods::IDEMPOTENT,
            key: None,
            per_try: None,
            base: Duration::from_millis(25),
            longest: Duration::from_millis(250),
            keep: 0,
            budget: Some(Budget::default()),
            tells: false,
        }
    }
}

impl RetryPolicy {
    /// The default, shared.
    pub fn shared() -> Arc<Self> {
        static DEFAULT: std::sync::LazyLock<Arc<RetryPolicy>> = std::sync::LazyLock::new(Arc::default);
        DEFAULT.clone()
    }

    /// What a failure is to this policy, if it is worth another attempt at all.
    pub(crate) fn cause(&self, failure: Failure) -> Option<Cause> {
        let cause = match (failure.retry(), failure) {
            (Retry::Always, _) => Cause::Connect,
            (Retry::IfIdempotent, _) => Cause::Reset,
            (Retry::Never, Failure::FirstByteTimeout) => Cause::Timeout,
            (Retry::Never, _) => return None,
        };
        self.causes.has(cause).then_some(cause)
    }

    /// May the service see this request twice?
    pub(crate) fn may_repeat(&self, method: Method, fields: &Fields) -> bool {
        let has_key = || {
            let key = self.key.as_ref().and_then(|key| fields.get_named(key.as_bytes()));
            key.is_some_and(|value| !value.is_empty())
        };
        self.methods.has(method) && (method.is_idempotent() || has_key())
    }

    /// The longest wait before attempt number `tried` + 1.
    pub(crate) fn pause(&self, tried: usize) -> Duration {
        let doubled = self.base.saturating_mul(1 << tried.saturating_sub(1).min(MAX_ATTEMPTS));
        doubled.min(self.longest)
    }
}

/// Why a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The service has seen nothing of it.
    Connect,
    /// The connection broke before the answer.
    Reset,
    /// There was no answer in time.
    Timeout,
    /// The status of the answer.
    Status,
    /// The status of gRPC in the answer.
    Grpc,
}

impl Cause {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Connect, Self::Reset, Self::Timeout, Self::Status, Self::Grpc];

    /// As metrics name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect-failure",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Grpc => "grpc-status",
        }
    }
}

/// A set of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Causes(u8);

impl Causes {
    /// None.
    pub const NONE: Self = Self(0);

    /// With this one too.
    #[must_use]
    pub fn and(self, cause: Cause) -> Self {
        Self(self.0 | 1 << cause as u8)
    }

    fn has(self, cause: Cause) -> bool {
        self.0 & (1 << cause as u8) != 0
    }
}

impl Default for Causes {
    fn default() -> Self {
        Self::NONE.and(Cause::Connect).and(Cause::Reset)
    }
}

/// A set of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods(u16);

impl Methods {
    /// None.
    pub const NONE: Self = Self(0);
    /// All.
    pub const ALL: Self = Self(u16::MAX);
    /// Those that mean the same twice as once (RFC 9110 §9.2.2).
    pub const IDEMPOTENT: Self = Self::NONE
        .and(Method::Get)
        .and(Method::Head)
        .and(Method::Options)
        .and(Method::Trace)
        .and(Method::Put)
        .and(Method::Delete);

    /// With this one too.
    #[must_use]
    pub const fn and(self, method: Method) -> Self {
        Self(self.0 | 1 << method as u16)
    }

    fn has(self, method: Method) -> bool {
        self.0 & (1 << method as u16) != 0
    }
}

/// A set of statuses, as ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses(Box<[(u16, u16)]>);

impl Statuses {
    /// True when it is in the set.
    pub fn has(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

impl FromIterator<(u16, u16)> for Statuses {
    /// From first and last of each range.
    fn from_iter<I: IntoIterator<Item = (u16, u16)>>(ranges: I) -> Self {
        Self(ranges.into_iter().collect())
    }
}

/// The most that a service is asked beside what clients ask, so that retries do not make an outage worse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// The share of the live requests.
    pub share: f64,
    /// So many a second beside.
    pub least: f64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { share: 0.2, least: 3.0 }
    }
}

impl Budget {
    /// Seconds of traffic that are looked at.
    const SECONDS: u32 = 10;

    /// May one more request be sent again?
    pub(crate) fn allows(&self, window: &Window, at: Instant) -> bool {
        let lately = window.sum(at, Self::SECONDS, 0);
        let most = self.share * lately.of(Event::Request) as f64 + self.least * f64::from(Self::SECONDS);
        ((lately.of(Event::Retry) + 1) as f64) <= most
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_have_been_acted_upon_needs_an_idempotent_method_or_a_key() {
        let mut fields = Fields::new();
        let plain = RetryPolicy::default();
        let keyed = RetryPolicy {
            key: Some("idempotency-key".into()),
            methods: Methods::ALL,
            ..RetryPolicy::default()
        };
        let all = RetryPolicy { methods: Methods::ALL, ..RetryPolicy::default() };
        assert!(plain.may_repeat(Method::Put, &fields) && !plain.may_repeat(Method::Post, &fields));
        assert!(!keyed.may_repeat(Method::Post, &fields) && !all.may_repeat(Method::Post, &fields));
        fields.append_named(b"Idempotency-Key", b"");
        assert!(!keyed.may_repeat(Method::Post, &fields), "an empty key is none");
        fields.clear();
        fields.append_named(b"Idempotency-Key", b"7");
        assert!(keyed.may_repeat(Method::Post, &fields));
        assert!(!plain.may_repeat(Method::Post, &fields) && !all.may_repeat(Method::Post, &fields));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let policy = RetryPolicy::default();
        let millis: Vec<_> = (1..=6).map(|tried| policy.pause(tried).as_millis()).collect();
        assert_eq!(millis, [25, 50, 100, 200, 250, 250]);
    }

    proptest! {
        #[test]
        fn retries_stay_within_their_share(
            share in 0.0..1.0f64,
            gaps in prop::collection::vec(0u64..50, 1..2000),
        ) {
            let start = Instant::now();
            let (window, budget) = (Window::new(1, start), Budget { share, least: 0.0 });
            let (mut now, mut retries) = (start, 0u32);
            // Everything fails; each request wants one more attempt.
            for gap in &gaps {
                now += Duration::from_millis(*gap);
                window.add(0, Event::Request, now);
                if budget.allows(&window, now) {
                    window.add(0, Event::Retry, now);
                    retries += 1;
                }
            }
            let over = (now - start).as_secs_f64() / 10.0 + 1.0;
            prop_assert!(f64::from(retries) <= share * gaps.len() as f64 + over);
        }
    }

    #[test]
    fn a_quiet_service_has_a_reserve() {
        let start = Instant::now();
        let window = Window::new(1, start);
        let budget = Budget { share: 0.0, least: 0.1 };
        assert!(budget.allows(&window, start));
        window.add(0, Event::Retry, start);
        assert!(!budget.allows(&window, start));
        assert!(budget.allows(&window, start + Duration::from_secs(11)));
    }
}
