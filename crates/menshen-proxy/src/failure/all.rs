//! One failure of every code, for tables in filters, docs and tests.

use menshen_http1::{ChunkError, HeadError};

use super::Failure;
use crate::target::TargetError;

/// One value of each variant; without an entry for every variant this does not compile.
macro_rules! one_of_each {
    ($kind:ident: $($variant:ident $(($inner:expr))? $({ $field:ident: $value:expr })?),+ $(,)?) => {{
        const _: fn($kind) = |value| match value { $($kind::$variant { .. } => ()),+ };
        [$($kind::$variant $(($inner))? $({ $field: $value })?),+]
    }};
}

impl Failure {
    /// One failure of every code, heads and targets first. Seconds and statuses in them are examples.
    pub fn all() -> impl Iterator<Item = Self> {
        let heads = HeadError::ALL.into_iter().map(Self::BadHead);
        let targets = targets().into_iter().map(Self::BadTarget);
        let others = kinds().into_iter().filter(|f| !matches!(f, Self::BadHead(_) | Self::BadTarget(_)));
        heads.chain(targets).chain(others)
    }
}

fn kinds() -> [Failure; 43] {
    one_of_each!(
        Failure: BadHead(HeadError::StartLine),
        BadTarget(TargetError::Form),
        BadChunk(ChunkError::Size),
        BodyTruncated,
        BadContent,
        UnsupportedMediaType,
        NoRoute,
        MethodNotAllowed,
        ConnectNotOffered,
        BodyTooLarge,
        Misdirected,
        HeadTimeout,
        BodyTimeout,
        RateLimited { retry_after: 1 },
        Denied,
        Unauthenticated,
        Loop,
        ClientGone,
        WriteTimeout,
        NoEndpoint,
        NoHealthyEndpoint,
        Overloaded,
        Shed,
        CircuitOpen { retry_after: 1 },
        Stopping,
        FilterFailed,
        ForwardLoop,
        BadRewrite,
        Panicked,
        FaultInjected { status: 503 },
        ConnectFailed,
        ServiceTlsFailed,
        ConnectTimeout,
        ServiceRefused,
        ServiceReset,
        BadResponse(HeadError::StartLine),
        BadInterim,
        BadResponseBody,
        ServiceTruncated,
        ReplyTooLarge,
        FirstByteTimeout,
        BetweenBytesTimeout,
        TotalTimeout,
    )
}

fn targets() -> [TargetError; 9] {
    one_of_each!(
        TargetError: Form,
        Escape,
        ControlByte,
        EncodedSlash,
        Backslash,
        HiddenDots,
        NamelessSegment,
        NotUtf8,
        AuthorityDiffers,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_there_once() {
        let codes: Vec<&str> = Failure::all().map(Failure::code).collect();
        let different: BTreeSet<&str> = codes.iter().copied().collect();
        assert_eq!(different.len(), codes.len(), "{codes:?}");
    }

    /// That `HeadError::ALL` is complete: a reason that is missing in the list below does not compile.
    #[test]
    fn every_reason_to_refuse_a_head_is_there() {
        let reasons = one_of_each!(
            HeadError: StartLine,
            Version,
            FieldLine,
            FieldValue,
            BareLineFeed,
            Underscore,
            HeadTooLarge,
            TooManyFields,
            TargetTooLong,
            TargetBytes,
            HostMissing,
            HostRepeated,
            HostInvalid,
            ContentLength,
            TwoFramings,
            TransferEncoding,
            TransferCoding,
            Expect,
        );
        for reason in reasons {
            assert!(Failure::all().any(|f| f == Failure::BadHead(reason)), "{reason:?}");
        }
    }
}
