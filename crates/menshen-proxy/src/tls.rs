//! TLS toward clients and toward services (RFC 8446, RFC 6066). rustls does the cryptography and the verification; here
//! is which certificate and which policy hold for whom.

mod accept;
mod connect;
mod facts;
mod names;
mod server;

pub(crate) use accept::{Refused, accept};
pub use connect::ServiceTls;
pub(crate) use connect::connect;
pub use facts::TlsFacts;
pub use names::ServerNames;
pub use server::{HostTls, ServerTls};
