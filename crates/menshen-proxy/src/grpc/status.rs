//! The statuses of gRPC (<https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>).

use menshen_http1::Fields;

/// A status of gRPC; numbers without a name are one, `other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrpcStatus(u8);

/// Names and statuses of HTTP by number, as google/rpc/code.proto has them; the last is for numbers without a name.
const TABLE: [(&str, u16); GrpcStatus::COUNT] = [
    ("ok", 200),
    ("cancelled", 499),
    ("unknown", 500),
    ("invalid-argument", 400),
    ("deadline-exceeded", 504),
    ("not-found", 404),
    ("already-exists", 409),
    ("permission-denied", 403),
    ("resource-exhausted", 429),
    ("failed-precondition", 400),
    ("aborted", 409),
    ("out-of-range", 400),
    ("unimplemented", 501),
    ("internal", 500),
    ("unavailable", 503),
    ("data-loss", 500),
    ("unauthenticated", 401),
    ("other", 500),
];

impl GrpcStatus {
    /// How many there are, with `other`.
    pub const COUNT: usize = 18;
    /// The call succeeded.
    pub const OK: Self = Self(0);
    /// Nobody waits for the answer any more.
    pub const CANCELLED: Self = Self(1);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(crate) const PERMISSION_DENIED: Self = Self(7);
    pub(crate) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);
    pub(crate) const INTERNAL: Self = Self(13);
    pub(crate) const UNAVAILABLE: Self = Self(14);
    pub(crate) const UNAUTHENTICATED: Self = Self(16);
    const OTHER: Self = Self(17);

    /// All of them, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=Self::OTHER.0).map(Self)
    }

    /// The status in a head or in trailers; nothing if there is none.
    pub fn of(fields: &Fields) -> Option<Self> {
        let text = fields.get_named(b"grpc-status")?;
        let number = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
        Some(number.and_then(Self::numbered).unwrap_or(Self::OTHER))
    }

    /// The status with this name, such as `not-found`.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|status| status.name() == name && *status != Self::OTHER)
    }

    /// The status with this number, if it has a name.
    pub fn numbered(number: u8) -> Option<Self> {
        (number < Self::OTHER.0).then_some(Self(number))
    }

    /// Its number; 17 for `other`.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Its name in lower case, such as `not-found`.
    pub fn name(self) -> &'static str {
        TABLE.get(usize::from(self.0)).map_or("other", |(name, _)| name)
    }

    /// The status that callers take a reply of HTTP for
    /// (<https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>).
    pub fn of_http(status: u16) -> Self {
        match status {
            400 => Self::INTERNAL,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::UNIMPLEMENTED,
            429 | 502..=504 => Self::UNAVAILABLE,
            _ => Self(2),
        }
    }

    /// The status of HTTP that says the same (google/rpc/code.proto).
    pub fn http_status(self) -> u16 {
        TABLE.get(usize::from(self.0)).map_or(500, |(_, status)| *status)
    }
}

/// A set of statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrpcStatuses(u32);

impl GrpcStatuses {
    /// True when there is none in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True when the status is in it.
    pub fn contains(self, status: GrpcStatus) -> bool {
        self.0 & 1 << status.0 != 0
    }
}

impl FromIterator<GrpcStatus> for GrpcStatuses {
    fn from_iter<I: IntoIterator<Item = GrpcStatus>>(statuses: I) -> Self {
        Self(statuses.into_iter().fold(0, |set, status| set | 1 << status.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<&'static str> {
        let mut fields = Fields::new();
        fields.append_named(b"grpc-status", text.as_bytes());
        GrpcStatus::of(&fields).map(GrpcStatus::name)
    }

    #[test]
    fn statuses_are_read_by_number() {
        assert_eq!((of("0"), of("5"), of("16")), (Some("ok"), Some("not-found"), Some("unauthenticated")));
        for nonsense in ["17", "99", "-1", "x", "", "00000000000000000000256"] {
            assert_eq!(of(nonsense), Some("other"), "{nonsense}");
        }
        assert_eq!(GrpcStatus::of(&Fields::new()), None);
    }

    #[test]
    fn every_status_has_a_name_of_its_own() {
        for status in GrpcStatus::all().filter(|s| *s != GrpcStatus::OTHER) {
            assert_eq!(GrpcStatus::named(status.name()), Some(status));
        }
        assert_eq!(GrpcStatus::named("other"), None);
        assert_eq!(GrpcStatus::all().count(), GrpcStatus::COUNT);
    }
}
