//! The access log: one JSON line for each exchange, written into the worker's own memory and handed on in blocks
//! through a bounded queue. What does not fit is dropped and counted; a blocked log never blocks traffic.

mod note;
mod passage;

use std::cell::{Cell, RefCell};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};

use crate::client_address::Shown;
use crate::service::Service;
use crate::snapshot::Route;
use crate::stats::WorkerCells;
use crate::template::{Template, push_display};
use crate::trace::Verdict;
use crate::worker::Live;
use crate::{Exchange, Finished};

pub use note::{LineFields, LineNote, Lines};
pub(crate) use passage::PassageLine;

/// The standard members of a line, in order.
pub const MEMBERS: [&str; 22] = [
    "time",
    "client",
    "server-name",
    "id",
    "method",
    "host",
    "path",
    "query",
    "route",
    "group",
    "service",
    "endpoint",
    "attempts",
    "mirrored",
    "status",
    "grpc-status",
    "code",
    "received",
    "sent",
    "micros",
    "service-micros",
    "filters",
];

/// What a line says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Format {
    /// Standard members to leave out, by name.
    pub omit: Box<[Box<str>]>,
    /// Further members.
    pub fields: Box<[(Box<str>, Template)]>,
}

impl Format {
    /// Adds the line of a finished exchange, unless its [`LineNote`] says that it gets none.
    pub fn write(&self, exchange: &Exchange, route: &Route, finished: &Finished, out: &mut Vec<u8>) {
        if note::wants_line(exchange, finished) {
            line(out, self, exchange, route, finished);
        }
    }
}

/// A block of whole lines and how many they are.
#[derive(Debug)]
pub struct Block {
    /// The worker that gets the memory back.
    pub worker: usize,
    /// The lines.
    pub bytes: Vec<u8>,
    /// How many.
    pub lines: u32,
}

/// The two ends of the log that a worker holds: full blocks go out, empty memory comes back.
#[derive(Debug)]
pub struct LogEnds {
    /// The number of the worker.
    pub worker: usize,
    /// To the writer; bounded.
    pub full: SyncSender<Block>,
    /// From the writer.
    pub empty: Receiver<Vec<u8>>,
}

/// A worker's part of the access log.
#[derive(Debug)]
pub(crate) struct AccessLog {
    ends: Option<LogEnds>,
    block: RefCell<Vec<u8>>,
    lines: Cell<u32>,
}

impl AccessLog {
    /// A block goes out when it is this large, or at the next tick.
    const BLOCK: usize = 32 * 1024;

    pub(crate) fn new(ends: Option<LogEnds>) -> Self {
        Self { ends, block: RefCell::default(), lines: Cell::new(0) }
    }

    /// Adds the line of a finished exchange.
    pub(crate) fn write(
        &self,
        exchange: &Exchange,
        route: &Route,
        finished: &Finished,
        cells: Option<&WorkerCells>,
    ) {
        let Some(format) = &exchange.live.snapshot().gateway.access_log else { return };
        self.add(cells, |block| format.write(exchange, route, finished, block));
    }

    /// Adds the line of a connection that went on to a service as it was.
    pub(crate) fn write_passage(
        &self,
        live: &Live,
        service: &Service,
        line: &PassageLine<'_>,
        cells: Option<&WorkerCells>,
    ) {
        let Some(format) = &live.snapshot().gateway.access_log else { return };
        self.add(cells, |block| line.write(format, live, service, block));
    }

    /// Adds what may be a line.
    fn add(&self, cells: Option<&WorkerCells>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut block = self.block.borrow_mut();
        let before = block.len();
        write(&mut block);
        self.lines.set(self.lines.get() + u32::from(block.len() > before));
        if block.len() >= Self::BLOCK {
            drop(block);
            self.flush(cells);
        }
    }

    /// Hands the lines on.
    pub(crate) fn flush(&self, cells: Option<&WorkerCells>) {
        let Some(ends) = &self.ends else { return self.block.borrow_mut().clear() };
        if self.lines.get() == 0 {
            return;
        }
        let empty = ends.empty.try_recv().unwrap_or_default();
        let bytes = self.block.replace(empty);
        let block = Block { worker: ends.worker, bytes, lines: self.lines.take() };
        if let Err(TrySendError::Full(block) | TrySendError::Disconnected(block)) = ends.full.try_send(block)
        {
            if let Some(cells) = cells {
                cells.log_dropped.add(u64::from(block.lines));
            }
            let mut memory = block.bytes;
            memory.clear();
            self.block.replace(memory);
        }
    }
}

/// Writes the members of a JSON object; each call adds one.
struct Members<'a> {
    out: &'a mut Vec<u8>,
    omit: &'a [Box<str>],
}

impl Members<'_> {
    fn starts(&mut self, name: &str) -> bool {
        if self.omit.iter().any(|o| &**o == name) {
            return false;
        }
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        true
    }

    fn text(&mut self, name: &str, value: &[u8]) {
        if self.starts(name) {
            self.out.push(b'"');
            push_json_bytes(self.out, value);
            self.out.push(b'"');
        }
    }

    fn optional(&mut self, name: &str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn number(&mut self, name: &str, value: u64) {
        if self.starts(name) {
            self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        }
    }

    fn shown(&mut self, name: &str, value: impl std::fmt::Display) {
        if self.starts(name) {
            self.out.push(b'"');
            push_display(self.out, value);
            self.out.push(b'"');
        }
    }
}

fn line(out: &mut Vec<u8>, format: &Format, exchange: &Exchange, route: &Route, finished: &Finished) {
    out.push(b'{');
    let live = &exchange.live;
    let mut m = Members { out, omit: &format.omit };
    if m.starts("time") {
        m.out.push(b'"');
        live.worker().clock.write_rfc3339(exchange.started, m.out);
        m.out.push(b'"');
    }
    let request = &exchange.request;
    m.shown("client", Shown(exchange.client.address));
    m.optional("id", exchange.request_id());
    m.text("method", request.method_text());
    m.optional("host", request.fields.get(menshen_http1::FieldName::HOST));
    // What could not be read is shown as it came.
    let path = Some(exchange.target.path()).filter(|p| !p.is_empty()).unwrap_or(request.target());
    m.text("path", path);
    m.optional("query", exchange.target.query());
    m.text("route", route.name.as_bytes());
    m.optional("group", exchange.group.as_ref().map(|membership| membership.group.name.as_bytes()));
    if let Some(service) = exchange.led_to(route).and_then(|service| live.snapshot().service(service)) {
        m.text("service", service.name.as_bytes());
    }
    if let Some(endpoint) = &exchange.endpoint {
        m.text("endpoint", endpoint.authority.as_bytes());
        m.number("attempts", u64::from(exchange.attempts));
    }
    if exchange.was_mirrored() && m.starts("mirrored") {
        m.out.extend_from_slice(b"true");
    }
    m.number("status", u64::from(finished.status));
    m.optional("grpc-status", exchange.grpc_status().map(|status| status.name().as_bytes()));
    m.optional("code", finished.failure.map(|f| f.code().as_bytes()));
    m.number("received", finished.received);
    m.number("sent", finished.sent);
    m.number("micros", finished.micros);
    if let Some(micros) = exchange.service_micros {
        m.number("service-micros", micros);
    }
    filters(&mut m, live, exchange);
    let mut value = Vec::new();
    for (name, template) in note::fields(&format.fields, exchange) {
        value.clear();
        template.fill(exchange, &mut value);
        m.text(name, &value);
    }
    out.extend_from_slice(b"}\n");
}

/// The filters that did more than pass, and their verdicts.
fn filters(m: &mut Members<'_>, live: &Live, exchange: &Exchange) {
    let is_plain = |v: Verdict| matches!(v, Verdict::Pass | Verdict::Skipped);
    if exchange.trace.steps().iter().all(|s| is_plain(s.verdict)) || !m.starts("filters") {
        return;
    }
    m.out.push(b'{');
    let mut first = true;
    for step in exchange.trace.steps().iter().filter(|s| !is_plain(s.verdict)) {
        let Some(s) = live.route(step.route).chain.step(step.step) else { continue };
        if !std::mem::take(&mut first) {
            m.out.push(b',');
        }
        m.out.push(b'"');
        push_json_bytes(m.out, s.id.as_bytes());
        m.out.extend_from_slice(b"\":\"");
        m.out.extend_from_slice(step.verdict.as_str().as_bytes());
        m.out.push(b'"');
    }
    m.out.push(b'}');
}

/// Adds bytes to a JSON string: escaped, and what is not UTF-8 replaced, so that a log is always valid JSON.
fn push_json_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let is_plain = |b: u8| (0x20..0x7f).contains(&b) && b != b'"' && b != b'\\';
    let mut rest = bytes;
    loop {
        let plain = rest.iter().position(|b| !is_plain(*b)).unwrap_or(rest.len());
        out.extend_from_slice(rest.get(..plain).unwrap_or_default());
        rest = rest.get(plain..).unwrap_or_default();
        let Some(chunk) = rest.utf8_chunks().next() else { return };
        let Some(c) = chunk.valid().chars().next() else {
            out.extend_from_slice("\u{fffd}".as_bytes());
            rest = rest.get(chunk.invalid().len()..).unwrap_or_default();
            continue;
        };
        let mut text = String::new();
        crate::reply::push_json_text(&mut text, c.encode_utf8(&mut [0; 4]));
        out.extend_from_slice(text.as_bytes());
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_become_a_valid_json_string() {
        let mut out = Vec::new();
        push_json_bytes(&mut out, b"a\"\\\n\x1b[31m\xff\xc3\xa9z");
        assert_eq!(String::from_utf8(out).unwrap(), "a\\\"\\\\\\u000a\\u001b[31m\u{fffd}éz");
    }
}
