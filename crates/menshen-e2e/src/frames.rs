//! A client that speaks HTTP/2 frame by frame, with field blocks written by hand (RFC 9113 §4, RFC 7541 §6). It says what
//! a test wants it to say, right or wrong.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use crate::{Broken, Client, TestGateway, Wire};

/// Types of frames.
pub mod kind {
    /// DATA.
    pub const DATA: u8 = 0;
    /// HEADERS.
    pub const HEADERS: u8 = 1;
    /// PRIORITY.
    pub const PRIORITY: u8 = 2;
    /// RST_STREAM.
    pub const RST_STREAM: u8 = 3;
    /// SETTINGS.
    pub const SETTINGS: u8 = 4;
    /// PING.
    pub const PING: u8 = 6;
    /// GOAWAY.
    pub const GOAWAY: u8 = 7;
    /// WINDOW_UPDATE.
    pub const WINDOW_UPDATE: u8 = 8;
    /// CONTINUATION.
    pub const CONTINUATION: u8 = 9;
}

/// END_STREAM of DATA and HEADERS, ACK of SETTINGS and PING.
pub const END: u8 = 0x1;
/// END_HEADERS of HEADERS and CONTINUATION.
pub const WHOLE: u8 = 0x4;

/// Why something ends (RFC 9113 §7).
pub mod code {
    /// NO_ERROR.
    pub const NONE: u32 = 0;
    /// PROTOCOL_ERROR.
    pub const PROTOCOL: u32 = 1;
    /// FLOW_CONTROL_ERROR.
    pub const FLOW_CONTROL: u32 = 3;
    /// STREAM_CLOSED.
    pub const STREAM_CLOSED: u32 = 5;
    /// FRAME_SIZE_ERROR.
    pub const FRAME_SIZE: u32 = 6;
    /// CANCEL.
    pub const CANCEL: u32 = 8;
    /// COMPRESSION_ERROR.
    pub const COMPRESSION: u32 = 9;
    /// ENHANCE_YOUR_CALM.
    pub const CALM: u32 = 11;
}

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code at the end of RST_STREAM, and of GOAWAY without debug data.
    pub fn code(&self) -> u32 {
        let at = if self.kind == kind::GOAWAY { 4 } else { 0 };
        self.payload.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(u32::MAX, u32::from_be_bytes)
    }
}

/// What becomes of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A final answer, complete.
    Answer(u16, String),
    /// The stream was reset.
    Reset(u32),
    /// The connection ends.
    GoAway(u32),
}

/// Makes a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field that is not remembered.
pub fn field(name: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    literal(0x00, name, value.as_ref())
}

/// A field that takes the first place of the dynamic table: from then on it is [`FIRST`].
pub fn remembered(name: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    literal(0x40, name, value.as_ref())
}

/// The field that was remembered last.
pub const FIRST: u8 = 0x80 | 62;

fn literal(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    for text in [name.as_bytes(), value] {
        number(&mut bytes, text.len());
        bytes.extend_from_slice(text);
    }
    bytes
}

/// A number behind a bit (RFC 7541 §5.1).
fn number(to: &mut Vec<u8>, n: usize) {
    if n < 127 {
        return to.push(n as u8);
    }
    to.push(127);
    let mut rest = n - 127;
    while rest >= 128 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

/// The field block of a request, with more fields behind.
pub fn request(method: &str, path: &str, more: impl AsRef<[u8]>) -> Vec<u8> {
    let mut block = [field(":method", method), field(":scheme", "http"), field(":path", path)].concat();
    block.extend(field(":authority", "gateway"));
    block.extend_from_slice(more.as_ref());
    block
}

/// A connection.
#[derive(Debug)]
pub struct H2 {
    wire: Wire,
}

impl H2 {
    /// Connects and greets.
    pub fn of(gateway: &TestGateway) -> Self {
        Self::connect(gateway.address(), &[])
    }

    /// Connects and greets with these settings.
    ///
    /// # Panics
    /// When nobody listens there.
    pub fn connect(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        Self::on(TcpStream::connect(address).expect("the gateway listens"), settings)
    }

    /// Connects to a Unix socket and greets.
    ///
    /// # Panics
    /// When nobody listens there.
    pub fn at_socket(path: &Path) -> Self {
        Self::on(crate::wire::unix(path), &[])
    }

    /// Greets over a TLS connection on which HTTP/2 was agreed.
    pub fn over(client: Client) -> Self {
        Self::greeting(client.into_wire(), &[])
    }

    fn on(stream: TcpStream, settings: &[(u16, u32)]) -> Self {
        Self::greeting(Wire::new(stream, None), settings)
    }

    fn greeting(wire: Wire, settings: &[(u16, u32)]) -> Self {
        let mut h2 = Self { wire };
        h2.wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        h2.settings(settings);
        h2
    }

    /// The connection itself.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Sends bytes; what the gateway does not take any more is lost.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.wire.send(bytes);
        self
    }

    /// Sends a frame.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> &mut Self {
        self.send(frame(kind, flags, stream, payload))
    }

    /// Sends settings.
    pub fn settings(&mut self, settings: &[(u16, u32)]) -> &mut Self {
        let one = |(name, value): &(u16, u32)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
        let payload: Vec<u8> = settings.iter().flat_map(one).collect();
        self.frame(kind::SETTINGS, 0, 0, payload)
    }

    /// Sends a GET.
    pub fn get(&mut self, stream: u32, path: &str) -> &mut Self {
        self.frame(kind::HEADERS, END | WHOLE, stream, request("GET", path, b""))
    }

    /// Sends the head of a POST.
    pub fn post(&mut self, stream: u32, path: &str) -> &mut Self {
        self.frame(kind::HEADERS, WHOLE, stream, request("POST", path, b""))
    }

    /// Takes a request back.
    pub fn reset(&mut self, stream: u32) -> &mut Self {
        self.frame(kind::RST_STREAM, 0, stream, code::CANCEL.to_be_bytes())
    }

    /// Opens a window.
    pub fn window(&mut self, stream: u32, bytes: u32) -> &mut Self {
        self.frame(kind::WINDOW_UPDATE, 0, stream, bytes.to_be_bytes())
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// None came.
    pub fn read(&mut self) -> Result<Frame, Broken> {
        let head = self.wire.take(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Ok(Frame { kind: head[3], flags: head[4], stream, payload: self.wire.take(length)? })
    }

    /// Reads up to a frame that fits.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn until(&mut self, what: &str, fits: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            match self.read() {
                Ok(frame) if fits(&frame) => return frame,
                Ok(_) => {}
                Err(broken) => panic!("no {what}: {broken}"),
            }
        }
    }

    /// Reads up to the end of the connection; the result is the code of the last GOAWAY.
    ///
    /// # Panics
    /// When there is none, or the connection does not end behind it.
    #[track_caller]
    pub fn goaway(&mut self) -> u32 {
        let mut last = self.until("GOAWAY", |f| f.kind == kind::GOAWAY).code();
        loop {
            match self.read() {
                Ok(frame) if frame.kind == kind::GOAWAY => last = frame.code(),
                Ok(_) => {}
                Err(Broken::Truncated(rest)) if rest.is_empty() => return last,
                Err(Broken::Reset) => return last,
                Err(broken) => panic!("the connection did not end: {broken}"),
            }
        }
    }

    /// What becomes of a stream.
    ///
    /// # Panics
    /// When nothing does.
    #[track_caller]
    pub fn outcome(&mut self, stream: u32) -> Outcome {
        let (mut status, mut body) = (0, Vec::new());
        loop {
            let frame = self.until("end of the stream", |f| f.stream == stream || f.kind == kind::GOAWAY);
            match frame.kind {
                kind::GOAWAY => return Outcome::GoAway(frame.code()),
                kind::RST_STREAM => return Outcome::Reset(frame.code()),
                kind::HEADERS if status < 200 => status = status_of(&frame.payload),
                kind::DATA => body.extend_from_slice(&frame.payload),
                _ => {}
            }
            if frame.flags & END != 0 && matches!(frame.kind, kind::HEADERS | kind::DATA) {
                return Outcome::Answer(status, String::from_utf8_lossy(&body).into_owned());
            }
        }
    }

    /// Asserts that the gateway still answers PING.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn expect_alive(&mut self) {
        self.frame(kind::PING, 0, 0, b"are you?");
        self.until("answer to PING", |f| f.kind == kind::PING && f.flags == END && f.payload == b"are you?");
    }
}

/// The status at the start of the first field block of a connection: later ones may lean on the dynamic table.
fn status_of(block: &[u8]) -> u16 {
    match block {
        [first @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(first - 0x88)],
        [0x48, 0x03, digits @ ..] => {
            digits.iter().take(3).fold(0, |n, digit| n * 10 + u16::from(digit - b'0'))
        }
        [0x48, length, coded @ ..] => digits_of(&coded[..usize::from(length & 0x7f)]),
        _ => 0,
    }
}

/// Three digits in Huffman's code: 0 to 2 take five bits, the others six (RFC 7541, Appendix B).
fn digits_of(coded: &[u8]) -> u16 {
    let bits = coded.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    let mut left = coded.len() * 8;
    let mut number = 0;
    for _ in 0..3 {
        let five = bits >> (left - 5) & 0x1f;
        if five < 3 {
            left -= 5;
            number = number * 10 + five as u16;
        } else {
            left -= 6;
            number = number * 10 + (bits >> left & 0x3f) as u16 - 0x16;
        }
    }
    number
}
