//! Why a head was refused.

use std::fmt;

/// Why a request or response head was refused. Each has one stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadError {
    /// The start line is not `METHOD SP TARGET SP VERSION` or `VERSION SP STATUS SP [REASON]` (RFC 9112 §3, §4).
    StartLine,
    /// A version other than HTTP/1.0 and HTTP/1.1.
    Version,
    /// A field line is malformed: bad name, space before the colon, folded, a line without a colon (RFC 9112 §5).
    FieldLine,
    /// A control byte, NUL or bare CR in a field value (RFC 9110 §5.5).
    FieldValue,
    /// A line ends in LF without CR.
    BareLineFeed,
    /// A field name has an underscore, which some services read as a hyphen.
    Underscore,
    /// More bytes than [`HeadLimits::head`](crate::HeadLimits).
    HeadTooLarge,
    /// More fields than [`HeadLimits::fields`](crate::HeadLimits).
    TooManyFields,
    /// The target is longer than [`HeadLimits::target`](crate::HeadLimits).
    TargetTooLong,
    /// A byte in the target that is not visible ASCII, or `#` (RFC 3986).
    TargetBytes,
    /// No Host in an HTTP/1.1 request (RFC 9112 §3.2).
    HostMissing,
    /// More than one Host.
    HostRepeated,
    /// Host is not `host [":" port]`, or differs from the authority of an absolute target.
    HostInvalid,
    /// Content-Length is not a plain decimal number, or is repeated (RFC 9112 §6.3).
    ContentLength,
    /// Both Content-Length and Transfer-Encoding (RFC 9112 §6.1: a smuggling attempt until proven otherwise).
    TwoFramings,
    /// Transfer-Encoding is malformed, repeated, or sent with HTTP/1.0.
    TransferEncoding,
    /// A transfer coding other than a single `chunked`.
    TransferCoding,
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    Expect,
}

impl HeadError {
    /// The status a gateway answers when a *request* fails this way.
    pub fn status(self) -> u16 {
        match self {
            Self::Version => 505,
            Self::HeadTooLarge | Self::TooManyFields => 431,
            Self::TargetTooLong => 414,
            Self::TransferCoding => 501,
            Self::Expect => 417,
            Self::StartLine
            | Self::FieldLine
            | Self::FieldValue
            | Self::BareLineFeed
            | Self::Underscore
            | Self::TargetBytes
            | Self::HostMissing
            | Self::HostRepeated
            | Self::HostInvalid
            | Self::ContentLength
            | Self::TwoFramings
            | Self::TransferEncoding => 400,
        }
    }

    /// The stable code: the same in the reply, the log and the metric.
    pub fn code(self) -> &'static str {
        match self {
            Self::StartLine => "bad-start-line",
            Self::Version => "unsupported-version",
            Self::FieldLine => "bad-field-line",
            Self::FieldValue => "bad-field-value",
            Self::BareLineFeed => "bare-line-feed",
            Self::Underscore => "underscore-in-field-name",
            Self::HeadTooLarge => "head-too-large",
            Self::TooManyFields => "too-many-fields",
            Self::TargetTooLong => "target-too-long",
            Self::TargetBytes => "bad-target-bytes",
            Self::HostMissing => "host-missing",
            Self::HostRepeated => "host-repeated",
            Self::HostInvalid => "host-invalid",
            Self::ContentLength => "bad-content-length",
            Self::TwoFramings => "two-framings",
            Self::TransferEncoding => "bad-transfer-encoding",
            Self::TransferCoding => "unknown-transfer-coding",
            Self::Expect => "unknown-expectation",
        }
    }

    /// One sentence for a person.
    pub fn text(self) -> &'static str {
        match self {
            Self::StartLine => "The first line is not a valid HTTP/1.1 start line.",
            Self::Version => "Only HTTP/1.0 and HTTP/1.1 are understood here.",
            Self::FieldLine => "A field line is malformed.",
            Self::FieldValue => "A field value holds a control byte.",
            Self::BareLineFeed => "A line ends in LF without CR.",
            Self::Underscore => "A field name holds an underscore, which services may read as a hyphen.",
            Self::HeadTooLarge => "The head is larger than this gateway accepts.",
            Self::TooManyFields => "The head has more fields than this gateway accepts.",
            Self::TargetTooLong => "The request target is longer than this gateway accepts.",
            Self::TargetBytes => "The request target holds a byte that must be percent-encoded.",
            Self::HostMissing => "An HTTP/1.1 request must have a Host field.",
            Self::HostRepeated => "A request must have only one Host field.",
            Self::HostInvalid => {
                "The Host field is not a valid host, or differs from the target's authority."
            }
            Self::ContentLength => "Content-Length is not one plain decimal number.",
            Self::TwoFramings => "A message must not have both Content-Length and Transfer-Encoding.",
            Self::TransferEncoding => "Transfer-Encoding is malformed or not allowed here.",
            Self::TransferCoding => "The only transfer coding understood here is a single `chunked`.",
            Self::Expect => "The only expectation understood here is `100-continue`.",
        }
    }

    /// Every reason, for tables in tests and docs.
    pub const ALL: [Self; 18] = [
        Self::StartLine,
        Self::Version,
        Self::FieldLine,
        Self::FieldValue,
        Self::BareLineFeed,
        Self::Underscore,
        Self::HeadTooLarge,
        Self::TooManyFields,
        Self::TargetTooLong,
        Self::TargetBytes,
        Self::HostMissing,
        Self::HostRepeated,
        Self::HostInvalid,
        Self::ContentLength,
        Self::TwoFramings,
        Self::TransferEncoding,
        Self::TransferCoding,
        Self::Expect,
    ];
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for HeadError {}

impl From<httparse::Error> for HeadError {
    fn from(e: httparse::Error) -> Self {
        match e {
            httparse::Error::HeaderName => Self::FieldLine,
            httparse::Error::HeaderValue => Self::FieldValue,
            httparse::Error::TooManyHeaders => Self::TooManyFields,
            httparse::Error::Version => Self::Version,
            httparse::Error::NewLine | httparse::Error::Status | httparse::Error::Token => Self::StartLine,
        }
    }
}
