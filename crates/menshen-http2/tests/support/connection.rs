//! What tests and fuzz targets of connections share: a receiver that writes down what it is told, and frames.

use std::time::Duration;

use menshen_http2::frame::{FrameHead, HEADER, MAX_PAYLOAD, flag, kind};
use menshen_http2::hpack::{Encoder, Field, Indexing};
use menshen_http2::{Block, Code, Connection, Flaw, Lane, Offer, PREFACE, Receiver, Role};

pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// What a connection has told its receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Request(u32, Fields, bool),
    Response(u32, Fields, bool),
    Trailers(u32, Fields),
    Content(u32, Vec<u8>),
    End(u32),
    Reset(u32, Code),
}

/// What a test keeps for a stream.
#[derive(Debug, Default)]
pub struct TestLane {
    pub id: u32,
    pub woken: usize,
    pub is_lost: bool,
    /// Content that is announced and has not come.
    pub left: Option<usize>,
}

impl Lane for TestLane {
    fn wake(&mut self) {
        self.woken += 1;
    }

    fn lost(&mut self) {
        self.is_lost = true;
    }
}

/// Writes down what comes. A field `:flaw` makes a message flawed, `left` announces so many bytes.
#[derive(Debug, Default)]
pub struct Log {
    pub events: Vec<Event>,
    fields: Fields,
}

impl Log {
    pub fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// All content of a stream.
    pub fn content(&self, id: u32) -> Vec<u8> {
        let pieces = self.events.iter().filter_map(|event| match event {
            Event::Content(of, bytes) if *of == id => Some(bytes.as_slice()),
            _ => None,
        });
        pieces.collect::<Vec<_>>().concat()
    }

    fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice())
    }

    fn judge(&self) -> Result<Option<usize>, Flaw> {
        if self.value(b":flaw").is_some() {
            return Err(Flaw::Stream(Code::PROTOCOL_ERROR));
        }
        Ok(self.value(b"left").and_then(|v| std::str::from_utf8(v).ok()?.parse().ok()))
    }
}

impl Receiver for Log {
    type Lane = TestLane;

    fn begin(&mut self, _: Block) {
        self.fields.clear();
    }

    fn field(&mut self, field: Field<'_>) {
        self.fields.push((field.name.to_vec(), field.value.to_vec()));
    }

    fn request(&mut self, stream: u32, ends: bool) -> Result<TestLane, Flaw> {
        let left = self.judge()?;
        self.events.push(Event::Request(stream, std::mem::take(&mut self.fields), ends));
        Ok(TestLane { id: stream, left, ..TestLane::default() })
    }

    fn response(&mut self, lane: &mut TestLane, ends: bool) -> Result<bool, Flaw> {
        lane.left = self.judge()?;
        let is_interim = self.value(b":status") == Some(b"100");
        self.events.push(Event::Response(lane.id, std::mem::take(&mut self.fields), ends));
        Ok(is_interim)
    }

    fn trailers(&mut self, lane: &mut TestLane) -> Result<(), Flaw> {
        self.judge()?;
        self.events.push(Event::Trailers(lane.id, std::mem::take(&mut self.fields)));
        Ok(())
    }

    fn content(&mut self, lane: &mut TestLane, bytes: &[u8]) -> Result<(), Flaw> {
        if let Some(left) = &mut lane.left {
            *left = left.checked_sub(bytes.len()).ok_or(Flaw::Stream(Code::PROTOCOL_ERROR))?;
        }
        match self.events.last_mut() {
            // However it came in pieces, it is the same content.
            Some(Event::Content(id, content)) if *id == lane.id => content.extend_from_slice(bytes),
            _ => self.events.push(Event::Content(lane.id, bytes.to_vec())),
        }
        Ok(())
    }

    fn end(&mut self, lane: &mut TestLane) -> Result<(), Flaw> {
        self.events.push(Event::End(lane.id));
        if lane.left.unwrap_or(0) > 0 { Err(Flaw::Stream(Code::PROTOCOL_ERROR)) } else { Ok(()) }
    }

    fn reset(&mut self, lane: &mut TestLane, code: Code) {
        self.events.push(Event::Reset(lane.id, code));
    }
}

pub const OFFER: Offer = Offer {
    streams: 10,
    stream_window: 65_535,
    connection_window: 100_000,
    head: 8 * 1024,
    block: 32 * 1024,
    table: 4096,
};

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    FrameHead { length: payload.len(), kind, flags, stream }.write(&mut out);
    out.extend_from_slice(payload);
    out
}

pub fn setting(name: u16, value: u32) -> Vec<u8> {
    frame(kind::SETTINGS, 0, 0, &[&name.to_be_bytes()[..], &value.to_be_bytes()[..]].concat())
}

pub fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

/// A field block that needs no table.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    for (name, value) in fields {
        encoder.field(name.as_bytes(), value.as_bytes(), Indexing::Plain, &mut out);
    }
    out
}

/// A whole head; `more` is END_STREAM or nothing.
pub fn headers(stream: u32, more: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS | more, stream, &block(fields))
}

/// The frames in `bytes`, which end with a whole one.
pub fn frames(mut bytes: &[u8]) -> Vec<(FrameHead, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(head) = FrameHead::read(bytes) {
        let (frame, rest) = bytes.split_at(HEADER + head.length);
        all.push((head, frame[HEADER..].to_vec()));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "half a frame: {bytes:?}");
    all
}

/// Hands bytes to a connection.
pub fn receive(connection: &mut Connection<TestLane>, log: &mut Log, bytes: &[u8]) -> Result<usize, Code> {
    connection.receive(bytes, Duration::ZERO, log)
}

/// What was to be written; it counts as written.
pub fn written(connection: &mut Connection<TestLane>) -> Vec<u8> {
    let out = std::mem::take(&mut connection.out);
    connection.drained();
    out
}

/// A connection that is greeted, and has nothing to write.
pub fn greeted(role: Role, offer: Offer) -> Connection<TestLane> {
    let mut connection = Connection::new(role, offer, Vec::new());
    let preface = if role == Role::Server { PREFACE } else { b"" };
    let hello = [preface, &frame(kind::SETTINGS, 0, 0, &[])].concat();
    assert_eq!(receive(&mut connection, &mut Log::default(), &hello), Ok(hello.len()));
    connection.out.clear();
    connection
}

/// A server of which a client has opened these streams, and may send more on them.
pub fn server(streams: &[u32]) -> (Connection<TestLane>, Log) {
    let (mut connection, mut log) = (greeted(Role::Server, OFFER), Log::default());
    for id in streams {
        receive(&mut connection, &mut log, &headers(*id, 0, &[(":method", "POST")])).expect("a request");
    }
    log.events.clear();
    (connection, log)
}

/// A client that has opened so many streams and ended them.
pub fn client(streams: usize) -> (Connection<TestLane>, Log) {
    let mut connection = greeted(Role::Client, OFFER);
    for _ in 0..streams {
        open(&mut connection, menshen_http2::End::Now);
    }
    connection.out.clear();
    (connection, Log::default())
}

/// Opens a stream with a request.
pub fn open(connection: &mut Connection<TestLane>, end: menshen_http2::End) -> u32 {
    let id = connection.open(TestLane::default()).expect("a number");
    connection.lane(id).expect("a lane").id = id;
    let method = |e: &mut Encoder, out: &mut Vec<u8>| e.field(b":method", b"GET", Indexing::Cached, out);
    assert!(connection.send_fields(id, end, method));
    id
}

/// What came of bytes that were handed over in pieces of these sizes, over and over.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub result: Result<(), Code>,
    pub events: Vec<Event>,
    pub out: Vec<u8>,
    pub streams: usize,
}

/// Hands bytes to a greeted connection, piece by piece, and checks that it holds no more than it must.
pub fn in_pieces(role: Role, bytes: &[u8], sizes: &[usize]) -> Outcome {
    let mut connection = greeted(role, OFFER);
    if role == Role::Client {
        for end in [menshen_http2::End::Later, menshen_http2::End::Now, menshen_http2::End::Later] {
            open(&mut connection, end);
        }
    }
    let (mut log, mut held, mut rest, mut result) = (Log::default(), Vec::new(), bytes, Ok(()));
    let mut sizes = sizes.iter().map(|size| (*size).max(1)).cycle();
    while !rest.is_empty() && result.is_ok() {
        let (piece, after) = rest.split_at(sizes.next().unwrap_or(usize::MAX).min(rest.len()));
        rest = after;
        held.extend_from_slice(piece);
        match receive(&mut connection, &mut log, &held) {
            Ok(n) => drop(held.drain(..n)),
            Err(code) => {
                connection.end(code);
                result = Err(code);
            }
        }
        assert!(result.is_err() || held.len() < MAX_PAYLOAD + HEADER, "{} bytes are held", held.len());
        assert!(connection.out.len() <= 2 * bytes.len() + 200, "{} bytes of answers", connection.out.len());
        assert!(connection.open_streams() <= OFFER.streams as usize);
    }
    let content = |event: &Event| if let Event::Content(_, bytes) = event { bytes.len() } else { 0 };
    assert!(log.events.iter().map(content).sum::<usize>() <= bytes.len());
    Outcome { result, events: log.events, streams: connection.open_streams(), out: connection.out }
}
