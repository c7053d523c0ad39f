//! TLS toward clients and toward services (RFC 8446, RFC 6066). rustls does the cryptography and the verification; here
//! is which certificate and which policy hold for whom.

mod accept;
mod connect;
mod distrust;
mod fact;
mod facts;
mod identity;
mod names;
mod passthrough;
mod refused;
mod server;

pub(crate) use accept::{Greeted, accept};
pub use connect::ServiceTls;
pub(crate) use connect::connect;
pub(crate) use distrust::{Told, is_distrust, tell};
pub use fact::TlsFact;
pub use facts::TlsFacts;
pub use identity::ClientIdentity;
pub use names::ServerNames;
pub use passthrough::Passthrough;
pub(crate) use passthrough::run as pass_through;
pub(crate) use refused::Refused;
pub use server::{Held, HostTls, ServerName, ServerTls};
