//! Server-Timing for callers that are allowed to see it: where the time of an exchange went.

use crate::Exchange;
use crate::condition::contains;
use crate::template::push_display;

/// Writes the field line if the caller may see it.
pub(crate) fn write(out: &mut Vec<u8>, exchange: &Exchange) {
    if may_see(exchange) {
        out.extend_from_slice(b"server-timing: ");
        write_value(out, exchange);
        out.extend_from_slice(b"\r\n");
    }
}

/// True when the caller may see it.
pub(crate) fn may_see(exchange: &Exchange) -> bool {
    let allowed = &exchange.live.snapshot().gateway.server_timing;
    !allowed.is_empty() && contains(allowed, exchange.client.address)
}

/// Writes the value. Names are those of the steps; durations are milliseconds.
pub(crate) fn write_value(out: &mut Vec<u8>, exchange: &Exchange) {
    out.extend_from_slice(b"total;dur=");
    push_millis(out, exchange.micros() * 1_000);
    if let Some(micros) = exchange.service_micros {
        out.extend_from_slice(b", service;dur=");
        push_millis(out, micros * 1_000);
    }
    if exchange.attempts > 1 {
        push_display(out, format_args!(", attempts;desc=\"{}\"", exchange.attempts));
    }
    for step in exchange.trace.steps() {
        let Some(name) = exchange.live.route(step.route).chain.step(step.step).map(|s| &s.id) else {
            continue;
        };
        out.extend_from_slice(b", ");
        out.extend(name.bytes().map(|b| if menshen_http1::is_token_byte(b) { b } else { b'-' }));
        out.extend_from_slice(b";desc=\"");
        out.extend_from_slice(step.phase.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(step.verdict.as_str().as_bytes());
        out.extend_from_slice(b"\";dur=");
        push_millis(out, u64::from(step.nanos));
    }
}

fn push_millis(out: &mut Vec<u8>, nanos: u64) {
    push_display(out, format_args!("{}.{:03}", nanos / 1_000_000, nanos / 1_000 % 1_000));
}
