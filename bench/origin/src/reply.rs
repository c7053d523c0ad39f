//! What the origin answers.
//!
//! | path | answer |
//! |---|---|
//! | `/16k`, `/256k` | a body of that size |
//! | `/generation` | the request's `x-generation`, padded to 128 bytes |
//! | `/delay/MS` | 128 bytes, after so many milliseconds |
//! | `/stream/MS` | a chunked body for so many milliseconds, one numbered chunk every 100 ms |
//! | anything else | 128 bytes |
//!
//! With a time for one request ("a worker"), anything else is answered one request after the other, each after so long.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::request::Head;

/// The time between two chunks of a stream.
pub const CHUNK_EVERY: Duration = Duration::from_millis(100);

/// What to do about a request.
pub enum Answer {
    /// Send these bytes.
    Bytes(Rc<[u8]>),
    /// Send these bytes after a while.
    Later(Duration, Rc<[u8]>),
    /// Send a chunked head, then so many chunks, [`CHUNK_EVERY`] apart.
    Stream(u32),
}

/// The prebuilt replies.
pub struct Replies {
    small: Rc<[u8]>,
    medium: Rc<[u8]>,
    large: Rc<[u8]>,
    /// The head of a chunked reply.
    pub stream_head: Rc<[u8]>,
    worker: Option<Worker>,
}

/// Somebody who does one thing after the other.
struct Worker {
    takes: Duration,
    busy_until: Cell<Instant>,
}

impl Worker {
    /// How long somebody who asks now has to wait.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        let done = self.busy_until.get().max(now) + self.takes;
        self.busy_until.set(done);
        done - now
    }
}

impl Replies {
    /// Builds every reply once. With a time, small ones take so long and are made one after the other.
    pub fn new(takes: Option<Duration>) -> Self {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
        Self {
            small: reply(&[b'x'; 128]),
            medium: reply(&[b'x'; 16 * 1024]),
            large: reply(&[b'x'; 256 * 1024]),
            stream_head: head.as_bytes().into(),
            worker: takes.map(|takes| Worker { takes, busy_until: Cell::new(Instant::now()) }),
        }
    }

    /// Chooses the answer to a request.
    pub fn answer(&self, head: &Head<'_>) -> Answer {
        match head.path {
            b"/16k" => Answer::Bytes(self.medium.clone()),
            b"/256k" => Answer::Bytes(self.large.clone()),
            b"/generation" => Answer::Bytes(reply(&padded(head.generation.unwrap_or(b"none")))),
            path => self.timed(path).unwrap_or_else(|| self.small()),
        }
    }

    fn small(&self) -> Answer {
        match &self.worker {
            None => Answer::Bytes(self.small.clone()),
            Some(worker) => Answer::Later(worker.wait(), self.small.clone()),
        }
    }

    fn timed(&self, path: &[u8]) -> Option<Answer> {
        let path = std::str::from_utf8(path).ok()?;
        if let Some(wait) = path.strip_prefix("/delay/") {
            return Some(Answer::Later(Duration::from_millis(wait.parse().ok()?), self.small.clone()));
        }
        let length: u32 = path.strip_prefix("/stream/")?.parse().ok()?;
        Some(Answer::Stream(length / CHUNK_EVERY.as_millis() as u32))
    }
}

/// Chunk number `number` of a stream, with the end of the body behind the last one.
pub fn chunk(number: u32, count: u32) -> Rc<[u8]> {
    let mut bytes = format!("6\r\n{number:05}\n\r\n");
    if number + 1 >= count {
        bytes.push_str("0\r\n\r\n");
    }
    bytes.into_bytes().into()
}

fn reply(body: &[u8]) -> Rc<[u8]> {
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat().into()
}

fn padded(value: &[u8]) -> Vec<u8> {
    let mut body = value.to_vec();
    body.resize(128, b' ');
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(path: &str) -> Answer {
        let head = Head { path: path.as_bytes(), generation: Some(b"A"), length: 0, body: 0 };
        Replies::new(None).answer(&head)
    }

    #[test]
    fn sizes_are_bodies_without_heads() {
        for (path, size) in [("/s", 128), ("/16k", 16384), ("/256k", 262144)] {
            let Answer::Bytes(bytes) = answer(path) else { panic!("{path}") };
            assert!(
                String::from_utf8_lossy(&bytes).contains(&format!("content-length: {size}\r\n")),
                "{path}"
            );
        }
    }

    #[test]
    fn times_are_read_from_the_path() {
        assert!(matches!(answer("/delay/250"), Answer::Later(wait, _) if wait.as_millis() == 250));
        assert!(matches!(answer("/stream/2000"), Answer::Stream(20)));
        assert!(matches!(answer("/stream/soon"), Answer::Bytes(_)));
    }

    #[test]
    fn a_worker_does_one_thing_after_the_other() {
        let replies = Replies::new(Some(Duration::from_secs(1)));
        let head = Head { path: b"/s", generation: None, length: 0, body: 0 };
        let waits: Vec<u64> = (0..3)
            .map(|_| match replies.answer(&head) {
                Answer::Later(wait, _) => wait.as_secs_f64().round() as u64,
                _ => 0,
            })
            .collect();
        assert_eq!(waits, [1, 2, 3]);
    }

    #[test]
    fn the_last_chunk_ends_the_body() {
        assert_eq!(&*chunk(0, 2), b"6\r\n00000\n\r\n");
        assert_eq!(&*chunk(1, 2), b"6\r\n00001\n\r\n0\r\n\r\n");
    }
}
