//! Why a stream or a connection ends (RFC 9113 §7).

use std::fmt;

/// An error code as it stands in RST_STREAM and GOAWAY.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub u32);

impl Code {
    /// Nothing is wrong.
    pub const NO_ERROR: Self = Self(0);
    /// A rule was broken that has no code of its own.
    pub const PROTOCOL_ERROR: Self = Self(1);
    /// The sender is at fault itself.
    pub const INTERNAL_ERROR: Self = Self(2);
    /// More content than the window had room for, or a window larger than can be.
    pub const FLOW_CONTROL_ERROR: Self = Self(3);
    /// A frame for a stream whose sender had ended it.
    pub const STREAM_CLOSED: Self = Self(5);
    /// A frame of a size that it cannot have.
    pub const FRAME_SIZE_ERROR: Self = Self(6);
    /// The request was not looked at and can be sent again.
    pub const REFUSED_STREAM: Self = Self(7);
    /// Nobody wants the answer any more.
    pub const CANCEL: Self = Self(8);
    /// A field block that cannot be decoded.
    pub const COMPRESSION_ERROR: Self = Self(9);
    /// The peer makes work for nothing.
    pub const ENHANCE_YOUR_CALM: Self = Self(11);

    /// The name in the RFC.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 14] = [
            "NO_ERROR",
            "PROTOCOL_ERROR",
            "INTERNAL_ERROR",
            "FLOW_CONTROL_ERROR",
            "SETTINGS_TIMEOUT",
            "STREAM_CLOSED",
            "FRAME_SIZE_ERROR",
            "REFUSED_STREAM",
            "CANCEL",
            "COMPRESSION_ERROR",
            "CONNECT_ERROR",
            "ENHANCE_YOUR_CALM",
            "INADEQUATE_SECURITY",
            "HTTP_1_1_REQUIRED",
        ];
        usize::try_from(self.0).ok().and_then(|n| NAMES.get(n)).copied().unwrap_or("an unknown code")
    }

    /// True when it tells the peer that it did something wrong.
    pub fn blames(self) -> bool {
        matches!(self, Self::PROTOCOL_ERROR | Self::FLOW_CONTROL_ERROR | Self::STREAM_CLOSED)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}
