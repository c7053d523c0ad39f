//! Response heads.

use std::mem::MaybeUninit;

use crate::fields::Span;
use crate::strict::{self, Lines};
use crate::{FieldName, Fields, HeadError, HeadLimits, MAX_FIELDS, Method, Parsed, ResponseFraming, Version};

/// The head of a response. Reused like [`RequestHead`](crate::RequestHead).
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// The fields.
    pub fields: Fields,
    /// The version of the message.
    pub version: Version,
    /// The status code, 100 to 999.
    pub status: u16,
    /// How the content is delimited.
    pub framing: ResponseFraming,
    /// The sender keeps the connection open, and it still carries HTTP afterwards.
    pub keep_alive: bool,
    reason: Span,
}

impl Default for ResponseHead {
    fn default() -> Self {
        Self {
            fields: Fields::new(),
            version: Version::Http11,
            status: 200,
            framing: ResponseFraming::None,
            keep_alive: true,
            reason: Span::default(),
        }
    }
}

impl ResponseHead {
    /// A head made here.
    pub fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// Starts anew as a head made here, keeping the memory.
    pub fn reset(&mut self, status: u16) {
        self.fields.clear();
        self.version = Version::Http11;
        self.status = status;
        self.framing = ResponseFraming::None;
        self.keep_alive = true;
        self.reason = Span::default();
    }

    /// Reads the head of a response to a request with this method from the start of `src`.
    /// Nothing of an earlier head is left, whatever the outcome.
    ///
    /// # Errors
    /// Any [`HeadError`]: the service cannot be trusted with this connection any more.
    pub fn parse(&mut self, src: &[u8], method: Method, limits: &HeadLimits) -> Result<Parsed, HeadError> {
        self.reset(502);
        self.keep_alive = false;
        let mut places = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; MAX_FIELDS];
        let room = places.get_mut(..limits.fields.min(MAX_FIELDS)).unwrap_or_default();
        let mut response = httparse::Response::new(&mut []);
        let bounded = src.get(..limits.head.min(src.len())).unwrap_or(src);
        let config = httparse::ParserConfig::default();
        let len = match config.parse_response_with_uninit_headers(&mut response, bounded, room) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) if src.len() >= limits.head => return Err(HeadError::HeadTooLarge),
            Ok(httparse::Status::Partial) => return Ok(Parsed::Partial),
            Err(e) => return Err(e.into()),
        };
        self.version = if response.version == Some(1) { Version::Http11 } else { Version::Http10 };
        self.status = match response.code {
            Some(code) if code >= 100 => code,
            _ => return Err(HeadError::StartLine),
        };
        self.fields.start(bounded.get(..len).unwrap_or_default());

        let mut lines = self.status_line(bounded)?;
        for field in response.headers.iter() {
            let (name, value) = (field.name.as_bytes(), field.value);
            let name_at = strict::offset(bounded, name);
            let value_at =
                if value.is_empty() { name_at + name.len() + 1 } else { strict::offset(bounded, value) };
            lines.field(name_at, value_at, value)?;
            let id = FieldName::of(name);
            self.fields.push_place(id, Span::new(name_at, name.len()), Span::new(value_at, value.len()));
        }
        lines.crlf()?;
        if lines.position() != len {
            return Err(HeadError::FieldLine);
        }
        self.framing = ResponseFraming::of(&self.fields, self.version, self.status, method)?;
        let is_tunnel = self.status == 101 || (method == Method::Connect && matches!(self.status, 200..=299));
        self.keep_alive = !is_tunnel && self.reads_keep_alive();
        Ok(Parsed::Complete(len))
    }

    /// `HTTP/1.x SP 3DIGIT [SP reason] CRLF`; the cursor returned stands at the first field.
    fn status_line<'a>(&mut self, src: &'a [u8]) -> Result<Lines<'a>, HeadError> {
        const STATUS_END: usize = "HTTP/1.1 200".len();
        let end = memchr::memchr(b'\n', src).ok_or(HeadError::StartLine)?;
        let line = src.get(..end).unwrap_or_default().strip_suffix(b"\r").ok_or(HeadError::BareLineFeed)?;
        if !line.starts_with(b"HTTP/1.") || line.get(8) != Some(&b' ') {
            return Err(HeadError::StartLine);
        }
        self.reason = match line.get(STATUS_END..) {
            Some([b' ', reason @ ..]) => Span::new(STATUS_END + 1, reason.len()),
            Some([]) => Span::default(),
            _ => return Err(HeadError::StartLine),
        };
        Ok(Lines::new(src, end + 1))
    }

    fn reads_keep_alive(&self) -> bool {
        let mut keep_alive = self.version == Version::Http11;
        for member in self.fields.members(FieldName::CONNECTION) {
            if member.eq_ignore_ascii_case(b"close") {
                return false;
            }
            keep_alive |= member.eq_ignore_ascii_case(b"keep-alive");
        }
        keep_alive && self.framing != ResponseFraming::UntilClose
    }

    /// The reason phrase: as received, or the standard one for the status.
    pub fn reason(&self) -> &[u8] {
        let received = self.fields.text(self.reason);
        if received.is_empty() { standard_reason(self.status).as_bytes() } else { received }
    }

    /// Sets the status; the reason becomes the standard one.
    pub fn set_status(&mut self, status: u16) {
        self.status = status;
        self.reason = Span::default();
    }

    /// 1xx: another response follows (RFC 9110 §15.2).
    pub fn is_interim(&self) -> bool {
        (100..=199).contains(&self.status)
    }
}

/// The reason phrase of a status in the IANA registry, or an empty one.
pub fn standard_reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        511 => "Network Authentication Required",
        _ => "",
    }
}
