//! Connecting to an endpoint, with TLS where it speaks it.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};

use crate::downstream::Downstream;
use crate::endpoint::{Endpoint, EndpointAddress, HttpVersion};
use crate::proxy_protocol::Addresses;
use crate::socket::Socket;
use crate::stream::Stream;
use crate::wait::{Wait, Watch};
use crate::{Exchange, Failure, proxy_protocol, tls};

/// Connects within the time for that.
pub(crate) async fn connect<D: Downstream>(
    exchange: &Exchange,
    client: &D,
    endpoint: &Endpoint,
) -> Result<Stream, Failure> {
    // Boxed: most requests find a connection, and need not carry the size of this.
    within(exchange, client, Box::pin(open(endpoint, exchange.client.addresses()))).await?
}

/// Connects, however long that takes. An endpoint that wants to be introduced is told who talks to whom.
pub(crate) async fn open(endpoint: &Endpoint, introduced: Addresses) -> Result<Stream, Failure> {
    let socket = match &endpoint.address {
        EndpointAddress::Tcp(address) => TcpStream::connect(*address).await.map(Socket::Tcp),
        EndpointAddress::Unix(path) => UnixStream::connect(path).await.map(Socket::Unix),
    };
    let mut socket = socket.map_err(|_| Failure::ConnectFailed)?;
    if let Some(version) = endpoint.introduction {
        let mut header = Vec::new();
        proxy_protocol::write(&mut header, version, introduced);
        socket.write_all(&header).await.map_err(|_| Failure::ConnectFailed)?;
    }
    let Some(tls) = &endpoint.tls else { return Ok(Stream::new(socket)) };
    socket.send_at_once();
    let stream = tls::connect(tls, socket).await.map_err(|error| {
        tls::tell(endpoint, &error);
        Failure::ServiceTlsFailed
    })?;
    if endpoint.version == HttpVersion::Http2 && !stream.agreed_on_h2() {
        tls::tell(endpoint, &io::Error::other("it does not speak HTTP/2 over TLS (ALPN)"));
        return Err(Failure::ServiceTlsFailed);
    }
    Ok(stream)
}

/// Waits for a part of connecting, at most as long as connecting may take.
pub(crate) async fn within<D: Downstream, F: Future>(
    exchange: &Exchange,
    client: &D,
    connecting: F,
) -> Result<F::Output, Failure> {
    let mut connecting = std::pin::pin!(connecting);
    let mut watch = Watch::new();
    poll_fn(|cx| {
        if let Poll::Ready(result) = connecting.as_mut().poll(cx) {
            return Poll::Ready(Ok(result));
        }
        watch.poll(cx, Wait::Connect, 0, client.deadline(), exchange).map(Err)
    })
    .await
}
