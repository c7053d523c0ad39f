//! What a service sends becomes responses, each in the lane of its request.

use std::collections::VecDeque;
use std::task::Context;

use menshen_http1::{
    FieldName, Fields, Method, ResponseFraming, ResponseHead, Version, may_be_trailer, valid_value,
};
use menshen_http2::hpack::Field;
use menshen_http2::{Block, Code, Flaw, Lane, Receiver};

use super::link::Inbox;
use super::request::{OF_CONNECTION, OVERHEAD, is_name};
use crate::call::MAX_INTERIM;

/// Fields of a response, and of its trailers.
const MOST_FIELDS: usize = 256;
/// Bytes of a head, with 32 more for each field (RFC 9113 §6.5.2).
pub(super) const HEAD: usize = 64 * 1024;

/// What has come for a request, and was not looked at yet.
#[derive(Debug)]
pub(super) struct PendingResponse {
    method: Method,
    pub(super) inbox: Inbox,
    pub(super) interim: VecDeque<ResponseHead>,
    pub(super) head: Option<ResponseHead>,
    pub(super) trailers: Option<Fields>,
    /// The service took the stream back, or it makes no sense.
    pub(super) reset: Option<Code>,
}

impl PendingResponse {
    /// Nothing has come for a request of this method.
    pub(super) fn of(method: Method) -> Self {
        Self {
            method,
            inbox: Inbox::default(),
            interim: VecDeque::new(),
            head: None,
            trailers: None,
            reset: None,
        }
    }

    /// True when nothing is left of the response that was not looked at.
    pub(super) fn is_over(&self) -> bool {
        self.inbox.has_ended && self.inbox.content.is_empty() && self.trailers.is_none()
    }

    pub(super) fn listen(&mut self, cx: &Context<'_>) {
        self.inbox.listen(cx);
    }
}

impl Lane for PendingResponse {
    fn wake(&mut self) {
        self.inbox.wake();
    }

    fn lost(&mut self) {
        // What came as a whole is worth reading.
        if !self.inbox.has_ended {
            self.reset.get_or_insert(Code::INTERNAL_ERROR);
        }
        self.inbox.wake();
    }
}

/// Takes what comes in over a connection to a service.
#[derive(Debug, Default)]
pub(super) struct ResponseReader {
    head: ResponseHead,
    trailers: Fields,
    block: Option<Block>,
    has_status: bool,
    length: Option<u64>,
    fields: usize,
    bytes: usize,
    is_broken: bool,
}

impl ResponseReader {
    fn take(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        self.fields += 1;
        self.bytes += name.len() + value.len() + OVERHEAD;
        if self.fields > MOST_FIELDS || self.bytes > HEAD {
            return None;
        }
        if name == b":status" && self.block == Some(Block::Response) && self.fields == 1 {
            let [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] = *value else { return None };
            let status = [a, b, c].iter().fold(0, |n, digit| n * 10 + u16::from(digit - b'0'));
            self.head.reset(status);
            self.has_status = true;
            return Some(());
        }
        if !is_name(name) || !valid_value(value) {
            return None;
        }
        if self.block == Some(Block::Trailers) {
            // Those that would change the meaning of the head after the fact are dropped (RFC 9110 §6.5.1).
            if may_be_trailer(name) {
                self.trailers.append_named(name, value);
            }
            return Some(());
        }
        match FieldName::of(name) {
            id if OF_CONNECTION.contains(id) => return None,
            FieldName::CONTENT_LENGTH => {
                let is_plain = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
                let length = std::str::from_utf8(value).ok().filter(|_| is_plain)?.parse().ok()?;
                if self.length.replace(length).is_some_and(|before| before != length) {
                    return None;
                }
            }
            _ => {}
        }
        self.head.fields.append_named(name, value);
        Some(())
    }

    fn framing(&self, method: Method, ends: bool) -> ResponseFraming {
        match self.length {
            _ if method == Method::Head || matches!(self.head.status, 100..=199 | 204 | 304) => {
                ResponseFraming::None
            }
            Some(n) => ResponseFraming::Length(n),
            None if ends => ResponseFraming::Length(0),
            None => ResponseFraming::Chunked,
        }
    }
}

impl Receiver for ResponseReader {
    type Lane = PendingResponse;

    fn begin(&mut self, block: Block) {
        *self = Self { head: std::mem::take(&mut self.head), block: Some(block), ..Self::default() };
        self.head.reset(200);
        self.head.version = Version::Http2;
    }

    fn field(&mut self, field: Field<'_>) {
        self.is_broken |= !self.is_broken && self.take(field.name, field.value).is_none();
    }

    fn request(&mut self, _: u32, _: bool) -> Result<PendingResponse, Flaw> {
        Err(Flaw::Connection(Code::PROTOCOL_ERROR))
    }

    fn response(&mut self, response: &mut PendingResponse, ends: bool) -> Result<bool, Flaw> {
        // 101 has no meaning here (RFC 9113 §8.6).
        if self.is_broken || !self.has_status || self.head.status == 101 {
            return Err(Flaw::Stream(Code::PROTOCOL_ERROR));
        }
        self.head.framing = self.framing(response.method, ends);
        self.head.version = Version::Http2;
        let is_interim = self.head.is_interim();
        let head = std::mem::take(&mut self.head);
        if is_interim {
            if response.interim.len() > usize::from(MAX_INTERIM) {
                return Err(Flaw::Stream(Code::ENHANCE_YOUR_CALM));
            }
            response.interim.push_back(head);
        } else {
            response.inbox.left = match head.framing {
                ResponseFraming::Length(n) => Some(n),
                ResponseFraming::None => Some(0),
                ResponseFraming::Chunked | ResponseFraming::UntilClose => None,
            };
            response.head = Some(head);
        }
        Ok(is_interim)
    }

    fn trailers(&mut self, response: &mut PendingResponse) -> Result<(), Flaw> {
        if self.is_broken {
            return Err(Flaw::Stream(Code::PROTOCOL_ERROR));
        }
        response.trailers = Some(std::mem::take(&mut self.trailers)).filter(|t| !t.is_empty());
        Ok(())
    }

    fn content(&mut self, response: &mut PendingResponse, bytes: &[u8]) -> Result<(), Flaw> {
        response.inbox.put(bytes)
    }

    fn end(&mut self, response: &mut PendingResponse) -> Result<(), Flaw> {
        response.inbox.end()
    }

    fn reset(&mut self, response: &mut PendingResponse, code: Code) {
        response.reset.get_or_insert(code);
    }
}
