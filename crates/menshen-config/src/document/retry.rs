use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::one_or_many::OneOrMany;

/// When a request is sent again beside what is always safe: because of what the service answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Retry {
    /// Statuses with which a service of gRPC says that it did nothing, such as `[unavailable, resource-exhausted]`. A call
    /// is sent again, twice at most, if there was nothing in the answer but one of them, the caller has sent no more than
    /// 64 KiB and its deadline leaves time. Default: none.
    pub grpc_status: OneOrMany<GrpcStatus>,
}

/// A status of gRPC other than `ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are gRPC's")]
pub enum GrpcStatus {
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl GrpcStatus {
    /// Its number.
    pub fn number(self) -> u8 {
        self as u8
    }
}
