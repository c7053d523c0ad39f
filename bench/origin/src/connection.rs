//! One connection: read a request, skip its body, send the answer, again.

use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Instant;

use mio::net::TcpStream;

use crate::reply::{Answer, CHUNK_EVERY, Replies, chunk};
use crate::request::{Parsed, parse};

/// What a connection waits for.
pub enum Next {
    /// The socket.
    Wait,
    /// The socket or this moment.
    WakeAt(Instant),
    /// Nothing more: it is over.
    Close,
}

enum State {
    /// Between requests, or inside a head; what came of it is in `unread`.
    Reading,
    /// Inside a request body: this many bytes are still to come before the answer.
    Skipping(usize, Answer),
    /// Sending these bytes from this offset; then more chunks, or the next request.
    Sending(Rc<[u8]>, usize, Option<Chunks>),
    /// Waiting for a moment before sending.
    Pausing(Instant, Rc<[u8]>, Option<Chunks>),
}

/// The chunks of a stream that are still to be sent.
#[derive(Clone, Copy)]
struct Chunks {
    next: u32,
    count: u32,
}

/// A client connection, which is to say a gateway's.
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    state: State,
}

/// How a step of the connection ended.
enum Step {
    /// The state changed: go on.
    Again,
    /// Nothing more can be done now.
    Stuck(Next),
}

impl Connection {
    /// A connection that has sent nothing yet.
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, unread: Vec::new(), state: State::Reading }
    }

    /// Does whatever can be done without waiting.
    pub fn advance(&mut self, replies: &Replies, scratch: &mut [u8]) -> Next {
        loop {
            let step = match std::mem::replace(&mut self.state, State::Reading) {
                State::Reading => self.read(replies, scratch),
                State::Skipping(left, answer) => self.skip(left, answer, replies, scratch),
                State::Sending(bytes, sent, chunks) => self.send(bytes, sent, chunks),
                State::Pausing(at, bytes, chunks) => self.pause(at, bytes, chunks),
            };
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Stuck(next)) => return next,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Next::Wait,
                Err(_) => return Next::Close,
            }
        }
    }

    fn read(&mut self, replies: &Replies, scratch: &mut [u8]) -> io::Result<Step> {
        if !self.unread.is_empty() {
            let unread = std::mem::take(&mut self.unread);
            if let Some(step) = self.take_request(&unread, replies) {
                return Ok(step);
            }
            self.unread = unread;
        }
        let count = self.stream.read(scratch)?;
        if count == 0 {
            return Ok(Step::Stuck(Next::Close));
        }
        if self.unread.is_empty()
            && let Some(step) = self.take_request(&scratch[..count], replies)
        {
            return Ok(step);
        }
        self.unread.extend_from_slice(&scratch[..count]);
        Ok(Step::Again)
    }

    /// Starts on the request at the start of `bytes`, if it is complete, and keeps what follows it.
    fn take_request(&mut self, bytes: &[u8], replies: &Replies) -> Option<Step> {
        let head = match parse(bytes) {
            Parsed::Partial => return None,
            Parsed::Unsupported => return Some(Step::Stuck(Next::Close)),
            Parsed::Complete(head) => head,
        };
        let answer = replies.answer(&head);
        let rest = &bytes[head.length..];
        let of_body = rest.len().min(head.body);
        self.unread.extend_from_slice(&rest[of_body..]);
        Some(match head.body - of_body {
            0 => self.begin(answer, replies),
            left => {
                self.state = State::Skipping(left, answer);
                Step::Again
            }
        })
    }

    /// The whole request is there: starts on its answer.
    fn begin(&mut self, answer: Answer, replies: &Replies) -> Step {
        self.state = match answer {
            Answer::Bytes(bytes) => State::Sending(bytes, 0, None),
            Answer::Stream(count) => {
                State::Sending(replies.stream_head.clone(), 0, Some(Chunks { next: 0, count: count.max(1) }))
            }
            Answer::Later(wait, bytes) => {
                let at = Instant::now() + wait;
                self.state = State::Pausing(at, bytes, None);
                return Step::Stuck(Next::WakeAt(at));
            }
        };
        Step::Again
    }

    fn skip(
        &mut self,
        left: usize,
        answer: Answer,
        replies: &Replies,
        scratch: &mut [u8],
    ) -> io::Result<Step> {
        let room = left.min(scratch.len());
        match self.stream.read(&mut scratch[..room]) {
            Ok(0) => Ok(Step::Stuck(Next::Close)),
            Ok(count) if count == left => Ok(self.begin(answer, replies)),
            Ok(count) => {
                self.state = State::Skipping(left - count, answer);
                Ok(Step::Again)
            }
            Err(error) => {
                self.state = State::Skipping(left, answer);
                Err(error)
            }
        }
    }

    fn send(&mut self, bytes: Rc<[u8]>, sent: usize, chunks: Option<Chunks>) -> io::Result<Step> {
        match self.stream.write(&bytes[sent..]) {
            Ok(count) if sent + count == bytes.len() => Ok(self.sent(chunks)),
            Ok(count) => {
                self.state = State::Sending(bytes, sent + count, chunks);
                Ok(Step::Again)
            }
            Err(error) => {
                self.state = State::Sending(bytes, sent, chunks);
                Err(error)
            }
        }
    }

    /// After the last byte of an answer or chunk. A read here would find nothing: the next request makes an event.
    fn sent(&mut self, chunks: Option<Chunks>) -> Step {
        match chunks {
            Some(Chunks { next, count }) if next < count => {
                let at = Instant::now() + CHUNK_EVERY;
                self.state = State::Pausing(at, chunk(next, count), Some(Chunks { next: next + 1, count }));
                Step::Stuck(Next::WakeAt(at))
            }
            _ if self.unread.is_empty() => Step::Stuck(Next::Wait),
            _ => Step::Again,
        }
    }

    /// Woken by the alarm that was set when the pause began, or by the socket before that.
    fn pause(&mut self, at: Instant, bytes: Rc<[u8]>, chunks: Option<Chunks>) -> io::Result<Step> {
        if Instant::now() < at {
            self.state = State::Pausing(at, bytes, chunks);
            return Ok(Step::Stuck(self.still_there().map_or(Next::Close, |()| Next::Wait)));
        }
        self.state = State::Sending(bytes, 0, chunks);
        Ok(Step::Again)
    }

    /// Nothing if the other side has gone.
    fn still_there(&self) -> Option<()> {
        match self.stream.peek(&mut [0]) {
            Ok(0) => None,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => None,
            _ => Some(()),
        }
    }
}
