//! Every way an exchange can fail, in one table: status, stable code, blame, and whether trying again is sane.

mod all;

use menshen_http1::{ChunkError, HeadError};

use crate::target::TargetError;

/// Who is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The client sent something wrong, too much, too slowly, or left.
    Client,
    /// The gateway's own limits, configuration or code.
    Gateway,
    /// The service did not answer, or not properly.
    Service,
}

/// When an attempt that failed this way may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Trying again cannot help or could do harm.
    Never,
    /// Only if no byte of the request can have been acted upon (safe or idempotent request).
    IfIdempotent,
    /// The service has seen nothing of the request.
    Always,
}

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request head was refused by the codec.
    BadHead(HeadError),
    /// The target cannot be brought into one canonical form.
    BadTarget(TargetError),
    /// A chunked request body is malformed.
    BadChunk(ChunkError),
    /// The request body ended before its length.
    BodyTruncated,
    /// A filter that reads the request body finds that it is not what its type says.
    BadContent,
    /// A filter cannot read content of this type or coding.
    UnsupportedMediaType,
    /// No route matches.
    NoRoute,
    /// Routes match all but the method.
    MethodNotAllowed,
    /// CONNECT is not offered.
    ConnectNotOffered,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// The head was not complete in time.
    HeadTimeout,
    /// The body came too slowly.
    BodyTimeout,
    /// A limit of requests is used up.
    RateLimited {
        /// Seconds until a request of this caller can pass again.
        retry_after: u32,
    },
    /// A filter refuses this caller.
    Denied,
    /// The caller must say who it is.
    Unauthenticated,
    /// The request went through this gateway before.
    Loop,
    /// The client closed the connection before the answer was complete.
    ClientGone,
    /// The client did not take the answer in time.
    WriteTimeout,
    /// The service has no endpoint to send to.
    NoEndpoint,
    /// None of the service's endpoints is well.
    NoHealthyEndpoint,
    /// The service has as many requests as it may, and none of them ended in time.
    Overloaded,
    /// The service has nearly as many requests as it may, and this one is of low priority.
    Shed,
    /// The service failed too often lately; its circuit breaker is open.
    CircuitOpen {
        /// Seconds until it is tried again.
        retry_after: u32,
    },
    /// The gateway is stopping.
    Stopping,
    /// A filter failed.
    FilterFailed,
    /// Too many internal forwards.
    ForwardLoop,
    /// The rewritten target is not canonical.
    BadRewrite,
    /// A panic in the gateway's code; it cost this exchange only.
    Panicked,
    /// A reply made on purpose by a `fault` filter.
    FaultInjected {
        /// The status to answer.
        status: u16,
    },
    /// The endpoint refused the connection, or its host is not reachable.
    ConnectFailed,
    /// The endpoint's certificate was refused, or no TLS was agreed on.
    ServiceTlsFailed,
    /// The request is for a host that this TLS connection was not made for.
    Misdirected,
    /// The endpoint did not accept in time.
    ConnectTimeout,
    /// The service said that it has not looked at the request.
    ServiceRefused,
    /// The connection broke before the response head.
    ServiceReset,
    /// The response head was refused by the codec.
    BadResponse(HeadError),
    /// More interim responses than allowed, or a 101 nobody asked for.
    BadInterim,
    /// The response body is malformed.
    BadResponseBody,
    /// The response body ended before its length.
    ServiceTruncated,
    /// No response head in time.
    FirstByteTimeout,
    /// A filter that must hold the response body finds it larger than allowed.
    ReplyTooLarge,
    /// The response body stalled.
    BetweenBytesTimeout,
    /// The route's total time is over.
    TotalTimeout,
}

impl Failure {
    /// The status of the reply made for it; 499 is only logged, nobody is left to read it.
    pub fn status(self) -> u16 {
        match self {
            Self::BadHead(e) => e.status(),
            Self::BadTarget(_) | Self::BadChunk(_) | Self::BodyTruncated | Self::BadContent => 400,
            Self::Unauthenticated => 401,
            Self::Denied => 403,
            Self::NoRoute => 404,
            Self::MethodNotAllowed | Self::ConnectNotOffered => 405,
            Self::HeadTimeout | Self::BodyTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Misdirected => 421,
            Self::RateLimited { .. } => 429,
            Self::ClientGone | Self::WriteTimeout => 499,
            Self::FilterFailed | Self::ForwardLoop | Self::BadRewrite | Self::Panicked => 500,
            Self::FaultInjected { status } => status,
            Self::ConnectFailed
            | Self::ServiceTlsFailed
            | Self::ServiceRefused
            | Self::ServiceReset
            | Self::BadResponse(_)
            | Self::BadInterim
            | Self::BadResponseBody
            | Self::ServiceTruncated
            | Self::ReplyTooLarge => 502,
            Self::NoEndpoint
            | Self::NoHealthyEndpoint
            | Self::Overloaded
            | Self::Shed
            | Self::CircuitOpen { .. }
            | Self::Stopping => 503,
            Self::ConnectTimeout
            | Self::FirstByteTimeout
            | Self::BetweenBytesTimeout
            | Self::TotalTimeout => 504,
            Self::Loop => 508,
        }
    }

    /// The stable code: the same in the reply, the log and the metric.
    pub fn code(self) -> &'static str {
        match self {
            Self::BadHead(e) => e.code(),
            Self::BadTarget(e) => e.code(),
            Self::BadChunk(_) => "bad-chunk",
            Self::BodyTruncated => "body-truncated",
            Self::BadContent => "bad-content",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::NoRoute => "no-route",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::ConnectNotOffered => "connect-not-offered",
            Self::BodyTooLarge => "body-too-large",
            Self::Misdirected => "misdirected-request",
            Self::HeadTimeout => "head-timeout",
            Self::BodyTimeout => "body-timeout",
            Self::RateLimited { .. } => "rate-limited",
            Self::Denied => "denied",
            Self::Unauthenticated => "unauthenticated",
            Self::Loop => "loop",
            Self::ClientGone => "client-gone",
            Self::WriteTimeout => "write-timeout",
            Self::NoEndpoint => "no-endpoint",
            Self::NoHealthyEndpoint => "no-healthy-endpoint",
            Self::Overloaded => "overloaded",
            Self::Shed => "shed",
            Self::CircuitOpen { .. } => "circuit-open",
            Self::Stopping => "stopping",
            Self::FilterFailed => "filter-failed",
            Self::ForwardLoop => "forward-loop",
            Self::BadRewrite => "bad-rewrite",
            Self::Panicked => "panicked",
            Self::FaultInjected { .. } => "fault-injected",
            Self::ConnectFailed => "connect-failed",
            Self::ServiceTlsFailed => "service-tls-failed",
            Self::ConnectTimeout => "connect-timeout",
            Self::ServiceRefused => "service-refused",
            Self::ServiceReset => "service-reset",
            Self::BadResponse(_) => "bad-response-head",
            Self::BadInterim => "bad-interim",
            Self::BadResponseBody => "bad-response-body",
            Self::ServiceTruncated => "service-truncated",
            Self::ReplyTooLarge => "reply-too-large",
            Self::FirstByteTimeout => "first-byte-timeout",
            Self::BetweenBytesTimeout => "between-bytes-timeout",
            Self::TotalTimeout => "total-timeout",
        }
    }

    /// Who is to blame.
    pub fn blame(self) -> Blame {
        match self {
            Self::BadHead(_)
            | Self::BadTarget(_)
            | Self::BadChunk(_)
            | Self::BodyTruncated
            | Self::BadContent
            | Self::UnsupportedMediaType
            | Self::NoRoute
            | Self::MethodNotAllowed
            | Self::ConnectNotOffered
            | Self::BodyTooLarge
            | Self::Misdirected
            | Self::HeadTimeout
            | Self::BodyTimeout
            | Self::RateLimited { .. }
            | Self::Denied
            | Self::Unauthenticated
            | Self::ClientGone
            | Self::WriteTimeout => Blame::Client,
            Self::Loop
            | Self::NoEndpoint
            | Self::Overloaded
            | Self::Shed
            | Self::CircuitOpen { .. }
            | Self::Stopping
            | Self::FilterFailed
            | Self::ForwardLoop
            | Self::BadRewrite
            | Self::Panicked
            | Self::FaultInjected { .. } => Blame::Gateway,
            Self::ConnectFailed
            | Self::ServiceTlsFailed
            | Self::ConnectTimeout
            | Self::ServiceRefused
            | Self::ServiceReset
            | Self::BadResponse(_)
            | Self::BadInterim
            | Self::BadResponseBody
            | Self::ServiceTruncated
            | Self::ReplyTooLarge
            | Self::FirstByteTimeout
            | Self::BetweenBytesTimeout
            | Self::TotalTimeout
            | Self::NoHealthyEndpoint => Blame::Service,
        }
    }

    /// True when nobody is there to read a reply.
    pub fn leaves_nobody(self) -> bool {
        matches!(self, Self::ClientGone | Self::WriteTimeout)
    }

    /// Whether another attempt is sane.
    pub fn retry(self) -> Retry {
        match self {
            Self::ConnectFailed | Self::ServiceTlsFailed | Self::ServiceRefused | Self::ConnectTimeout => {
                Retry::Always
            }
            Self::ServiceReset => Retry::IfIdempotent,
            _ => Retry::Never,
        }
    }

    /// What happened and what to do, for a person.
    pub fn text(self) -> &'static str {
        match self {
            Self::BadHead(e) => e.text(),
            Self::BadTarget(e) => e.text(),
            Self::BadChunk(_) => "The chunked body is malformed.",
            Self::BodyTruncated => "The body ended before its announced length.",
            Self::BadContent => "The body is not what its content type says.",
            Self::UnsupportedMediaType => "Content of this type or coding is not accepted here.",
            Self::NoRoute => "No route matches this request. `menshen explain METHOD URL` shows why.",
            Self::MethodNotAllowed => "The resource exists, but not with this method.",
            Self::ConnectNotOffered => "This gateway opens no tunnels on request.",
            Self::BodyTooLarge => "The body is larger than this route accepts.",
            Self::Misdirected => "This connection was made for another host; ask over one of its own.",
            Self::HeadTimeout => "The request head did not arrive in time.",
            Self::BodyTimeout => "The request body arrived too slowly.",
            Self::RateLimited { .. } => "Too many requests. Try again after the time in Retry-After.",
            Self::Denied => "This caller is not allowed here.",
            Self::Unauthenticated => "This resource needs valid credentials.",
            Self::Loop => "The request came back to this gateway: a service routes to the gateway itself.",
            Self::ClientGone => "The client closed the connection.",
            Self::WriteTimeout => "The client did not take the answer in time.",
            Self::NoEndpoint => "The service has no endpoint to send to. Try again later.",
            Self::NoHealthyEndpoint => "No endpoint of the service is well. Try again later.",
            Self::Overloaded => "The service has as many requests as it can take. Try again later.",
            Self::Shed => "The service is busy, and other requests go first. Try again later.",
            Self::CircuitOpen { .. } => {
                "The service fails at the moment. Try again after the time in Retry-After."
            }
            Self::Stopping => "The gateway is stopping. Try again.",
            Self::FilterFailed => "A filter of this route failed.",
            Self::ForwardLoop => "The routes forward to each other without end.",
            Self::BadRewrite => "The rewrite of this route made an invalid target.",
            Self::Panicked => "A fault in the gateway ended this request.",
            Self::FaultInjected { .. } => "A fault filter answered on purpose.",
            Self::ConnectFailed => "The service cannot be reached.",
            Self::ServiceTlsFailed => "The service cannot be reached securely.",
            Self::ConnectTimeout => "The service did not accept the connection in time.",
            Self::ServiceRefused => "The service takes no requests at the moment.",
            Self::ServiceReset => "The service closed the connection without an answer.",
            Self::BadResponse(_) => "The service's answer is not valid HTTP/1.1.",
            Self::BadInterim => "The service sent interim answers that nobody asked for.",
            Self::BadResponseBody => "The body of the service's answer is malformed.",
            Self::ServiceTruncated => "The service's answer ended before its announced length.",
            Self::ReplyTooLarge => "The service's answer is larger than may be held.",
            Self::FirstByteTimeout => "The service did not answer in time.",
            Self::BetweenBytesTimeout => "The service's answer stalled.",
            Self::TotalTimeout => "The time for this request is over.",
        }
    }

    /// Seconds for Retry-After, where trying again can help.
    pub fn retry_after(self) -> Option<u32> {
        match self {
            Self::RateLimited { retry_after } => Some(retry_after),
            Self::CircuitOpen { retry_after } => Some(retry_after),
            Self::NoEndpoint | Self::NoHealthyEndpoint | Self::Overloaded | Self::Shed | Self::Stopping => {
                Some(1)
            }
            _ => None,
        }
    }
}
