//! The handshake with a service.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::socket::Socket;
use crate::stream::Stream;

/// How an endpoint is spoken to over TLS.
#[derive(Clone, Debug)]
pub struct ServiceTls {
    /// Which authorities are believed, which certificate is shown, which versions are spoken.
    pub config: Arc<ClientConfig>,
    /// The name that the endpoint's certificate must have.
    pub name: ServerName<'static>,
}

/// Does the handshake. The caller sets the time for it.
///
/// # Errors
/// What rustls says, such as that the certificate is for another name.
pub(crate) async fn connect(tls: &ServiceTls, socket: Socket) -> std::io::Result<Stream> {
    let connector = TlsConnector::from(Arc::clone(&tls.config));
    connector.connect(tls.name.clone(), socket).await.map(Stream::tls)
}
