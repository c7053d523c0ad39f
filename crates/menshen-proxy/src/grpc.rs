//! What is different for gRPC: failures are told as a status of its own, deadlines come with the request
//! (gRPC over HTTP/2, <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).

use std::time::{Duration, Instant};

use menshen_http1::{FieldName, Fields};

use crate::wait::total_end;
use crate::{Exchange, Failure, Reply, Timeouts};

/// The field that a deadline comes in.
const TIMEOUT: &[u8] = b"grpc-timeout";

mod status;

pub use status::{GrpcStatus, GrpcStatuses};

/// True when a message says that it is gRPC, whatever the encoding of its messages.
pub fn is_grpc(fields: &Fields) -> bool {
    variant(fields).is_some_and(is_own)
}

/// True for gRPC and for gRPC-Web, which a filter may still turn into it.
pub fn is_call(fields: &Fields) -> bool {
    let is_web = |rest: &[u8]| rest.get(..4).is_some_and(|web| web.eq_ignore_ascii_case(b"-web"));
    variant(fields).is_some_and(|rest| is_own(rest) || is_web(rest))
}

/// True when the client looks for a status of gRPC in a reply.
pub(crate) fn reads_status(exchange: &Exchange) -> bool {
    exchange.translation.is_none() && is_grpc(&exchange.request.fields)
}

fn is_own(rest: &[u8]) -> bool {
    matches!(rest.first(), None | Some(b'+' | b';'))
}

/// What stands behind `application/grpc` in the content type.
fn variant(fields: &Fields) -> Option<&[u8]> {
    const GRPC: &[u8] = b"application/grpc";
    let (start, rest) = fields.get(FieldName::CONTENT_TYPE)?.split_at_checked(GRPC.len())?;
    start.eq_ignore_ascii_case(GRPC).then_some(rest)
}

/// How long the caller waits for the answer, as it says: a number of at most eight digits and a unit.
fn timeout(fields: &Fields) -> Option<Duration> {
    let (unit, digits) = fields.get_named(TIMEOUT)?.split_last()?;
    if digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let n: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(n * 3600),
        b'M' => Duration::from_secs(n * 60),
        b'S' => Duration::from_secs(n),
        b'm' => Duration::from_millis(n),
        b'u' => Duration::from_micros(n),
        b'n' => Duration::from_nanos(n),
        _ => return None,
    })
}

/// The reply for a failure: trailers only, because clients of gRPC look nowhere else.
pub(crate) fn failure(failure: Failure) -> Reply {
    let mut reply = Reply::new(200);
    let fields = &mut reply.head.fields;
    fields.set(FieldName::CONTENT_TYPE, b"application/grpc");
    status(failure, fields);
    reply
}

/// Adds the status that tells of a failure.
pub(crate) fn status(failure: Failure, fields: &mut Fields) {
    set_status(fields, code(failure), &format!("{}: {}", failure.code(), failure.text()));
}

/// Sets a status and its message, of which no more than the first 1024 bytes are sent.
pub fn set_status(fields: &mut Fields, status: GrpcStatus, message: &str) {
    const LONGEST: usize = 1024;
    let message = message.get(..message.floor_char_boundary(LONGEST)).unwrap_or_default().trim_end();
    fields.set_named(b"grpc-status", itoa::Buffer::new().format(status.number()).as_bytes());
    fields.set_named(b"grpc-message", percent_encoded(message).as_bytes());
}

/// The failure of a call, by the clock: a service ends calls whose deadline is over, and its timers may be finer than ours.
pub(crate) fn by_deadline(failure: Failure, exchange: &Exchange) -> Failure {
    let is_broken = matches!(failure, Failure::ServiceReset | Failure::ServiceTruncated);
    let is_call = exchange.is_call || exchange.translation.is_some();
    let is_over = || total_end(exchange).is_some_and(|end| Instant::now() >= end);
    if is_broken && is_call && is_over() { Failure::TotalTimeout } else { failure }
}

fn code(failure: Failure) -> GrpcStatus {
    match (failure, failure.status()) {
        (Failure::RateLimited { .. } | Failure::BodyTooLarge | Failure::ReplyTooLarge, _) => {
            GrpcStatus::RESOURCE_EXHAUSTED
        }
        (_, 499) => GrpcStatus::CANCELLED,
        (_, 401) => GrpcStatus::UNAUTHENTICATED,
        (_, 403) => GrpcStatus::PERMISSION_DENIED,
        (_, 404 | 405 | 501) => GrpcStatus::UNIMPLEMENTED,
        (_, 408 | 504) => GrpcStatus::DEADLINE_EXCEEDED,
        (_, 502 | 503) => GrpcStatus::UNAVAILABLE,
        _ => GrpcStatus::INTERNAL,
    }
}

/// `grpc-message` is percent-encoded: visible ASCII but `%` stays.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Times for a call: its streams may be silent as long as a tunnel, and the caller's own deadline holds.
pub fn limit(timeouts: &mut Timeouts, fields: &Fields) {
    let silent = timeouts.tunnel;
    for time in [&mut timeouts.body, &mut timeouts.first_byte, &mut timeouts.between_bytes] {
        *time = silent.max(*time);
    }
    limit_by_caller(timeouts, fields);
}

/// The caller's own deadline, `grpc-timeout`, holds.
pub fn limit_by_caller(timeouts: &mut Timeouts, fields: &Fields) {
    if let Some(asked_for) = timeout(fields) {
        timeouts.total = Some(timeouts.total.map_or(asked_for, |total| total.min(asked_for)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &str, value: &str) -> Fields {
        let mut fields = Fields::new();
        fields.append_named(name.as_bytes(), value.as_bytes());
        fields
    }

    #[test]
    fn grpc_is_told_by_its_content_type() {
        for kind in ["application/grpc", "application/grpc+proto", "Application/GRPC; charset=utf-8"] {
            assert!(is_grpc(&fields("content-type", kind)), "{kind}");
        }
        for kind in ["application/grpc-web", "application/json", "application/grpcx"] {
            assert!(!is_grpc(&fields("content-type", kind)), "{kind}");
        }
    }

    #[test]
    fn calls_may_also_come_from_browsers() {
        for (kind, expected) in [
            ("application/grpc", true),
            ("application/grpc-web-text+proto", true),
            ("application/grpcx", false),
        ] {
            assert_eq!(is_call(&fields("content-type", kind)), expected, "{kind}");
        }
    }

    #[test]
    fn deadlines_are_read_in_every_unit_and_nonsense_is_none() {
        let of = |text| timeout(&fields("grpc-timeout", text));
        assert_eq!(of("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(of("100m"), Some(Duration::from_millis(100)));
        assert_eq!(of("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for nonsense in ["", "m", "10", "10s", "-1S", "123456789S", "1.5S"] {
            assert!(of(nonsense).is_none(), "{nonsense}");
        }
    }

    #[test]
    fn failures_become_statuses_that_clients_act_upon() {
        let status = |f: Failure| failure(f).head.fields.get_named(b"grpc-status").map(<[u8]>::to_vec);
        assert_eq!(status(Failure::ConnectFailed), Some(b"14".to_vec()));
        assert_eq!(status(Failure::TotalTimeout), Some(b"4".to_vec()));
        assert_eq!(status(Failure::RateLimited { retry_after: 1 }), Some(b"8".to_vec()));
        assert_eq!(status(Failure::NoRoute), Some(b"12".to_vec()));
    }

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(percent_encoded("100% é\n"), "100%25 %C3%A9%0A");
    }
}
