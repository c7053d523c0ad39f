//! What one check says and hears: a connection as requests have it, a bounded answer, of which only the status matters.

use std::time::Instant;

use menshen_proxy::http1::{HeadLimits, Method, Parsed, ResponseHead};
use menshen_proxy::{Endpoint, EndpointAddress, HttpVersion, proxy_protocol};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::check::Question;
use super::{Check, grpc};

/// The longest head of an answer.
const HEAD: usize = 16 * 1024;
pub(super) const AGENT: &str = "menshen-health";

/// Anything that bytes go through.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// Asks an endpoint once.
///
/// # Errors
/// Why it is not well, in a few words.
pub(super) async fn ask(check: &Check, endpoint: &Endpoint) -> Result<(), String> {
    let wire = connect(check, endpoint).await?;
    let host = check.host.as_deref().unwrap_or_else(|| endpoint.host());
    let started = Instant::now();
    let scheme = if endpoint.tls.is_some() { "https" } else { "http" };
    let status = match (&check.question, endpoint.version) {
        (Question::Nothing, _) => return Ok(()),
        (Question::Grpc(service), HttpVersion::Http2) => {
            return grpc::ask(wire, &format!("{scheme}://{host}"), service, check.timeout).await;
        }
        (Question::Grpc(_), HttpVersion::Http1) => {
            return Err("gRPC is not spoken over HTTP/1.1: set `protocol: h2c` or `h2`".to_owned());
        }
        (Question::Path(path), HttpVersion::Http1) => status_by_http1(wire, path, host).await,
        (Question::Path(path), HttpVersion::Http2) => {
            status_by_http2(wire, &format!("{scheme}://{host}{path}")).await
        }
    }?;
    tracing::trace!(endpoint = %endpoint.authority, status, took = ?started.elapsed(), "checked");
    if check.passes(status) { Ok(()) } else { Err(format!("it answers {status}")) }
}

async fn connect(check: &Check, endpoint: &Endpoint) -> Result<Box<dyn Wire>, String> {
    let no_connection = |e: std::io::Error| format!("no connection: {e}");
    let mut wire: Box<dyn Wire> = match &endpoint.address {
        EndpointAddress::Tcp(address) => {
            let mut address = *address;
            if let Some(port) = check.port {
                address.set_port(port);
            }
            Box::new(TcpStream::connect(address).await.map_err(no_connection)?)
        }
        EndpointAddress::Unix(path) => Box::new(UnixStream::connect(path).await.map_err(no_connection)?),
    };
    if let Some(version) = endpoint.introduction {
        // A proxy that checks has no client.
        let line: &[u8] = match version {
            proxy_protocol::Version::V1 => b"PROXY UNKNOWN\r\n",
            proxy_protocol::Version::V2 => b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
        };
        wire.write_all(line).await.map_err(no_connection)?;
    }
    match &endpoint.tls {
        None => Ok(wire),
        Some(tls) => {
            let connector = TlsConnector::from(tls.config.clone());
            let secured = connector.connect(tls.name.clone(), wire).await.map_err(|e| format!("TLS: {e}"))?;
            Ok(Box::new(secured))
        }
    }
}

async fn status_by_http1(mut wire: Box<dyn Wire>, path: &str, host: &str) -> Result<u16, String> {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nConnection: close\r\n\r\n");
    wire.write_all(request.as_bytes()).await.map_err(|e| format!("cannot ask: {e}"))?;
    let limits = HeadLimits { head: HEAD as u32 as _, fields: 200, target: 0 };
    let (mut read, mut head) = (Vec::with_capacity(1024), ResponseHead::default());
    loop {
        match head.parse(&read, Method::Get, &limits) {
            Ok(Parsed::Complete(len)) if head.is_interim() => drop(read.drain(..len)),
            Ok(Parsed::Complete(_)) => return Ok(head.status),
            Ok(Parsed::Partial) if read.len() >= HEAD => return Err("its answer has no end".to_owned()),
            Ok(Parsed::Partial) => {
                let n = wire.read_buf(&mut read).await.map_err(|e| format!("no answer: {e}"))?;
                if n == 0 {
                    return Err("it closes the connection without an answer".to_owned());
                }
            }
            Err(e) => return Err(format!("its answer is not HTTP: {}", e.code())),
        }
    }
}

async fn status_by_http2(wire: Box<dyn Wire>, url: &str) -> Result<u16, String> {
    let (mut sender, connection) =
        h2::client::handshake(wire).await.map_err(|e| format!("no HTTP/2: {e}"))?;
    let request = http::Request::get(url).header("user-agent", AGENT).body(()).map_err(|e| e.to_string())?;
    let (answer, _) = sender.send_request(request, true).map_err(|e| format!("cannot ask: {e}"))?;
    tokio::select! {
        answer = answer => answer.map(|a| a.status().as_u16()).map_err(|e| format!("no answer: {e}")),
        end = connection => Err(format!("no answer: {}", end.err().map_or("it closes".to_owned(), |e| e.to_string()))),
    }
}
