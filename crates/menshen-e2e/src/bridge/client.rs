//! From a test's client to the gateway.

use std::net::{SocketAddr, TcpStream};
use std::task::Poll;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::{Request, Response, Uri, Version};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::unix::OwnedWriteHalf;

use super::message::{Content, Head, Reader, chunk, content, end, last_chunk, send, without_connection};
use super::message::{write_field, write_fields};
use crate::Dialer;

/// Connects; what is written to the result as HTTP/1.1 goes on as HTTP/2.
pub(crate) fn connect(address: SocketAddr, dialer: Option<Dialer>) -> TcpStream {
    let tcp = TcpStream::connect(address).expect("the gateway listens");
    let (test, own) = super::ends();
    super::run(move || {
        Box::pin(async move {
            let (own, tcp) = (super::tokio_end(own), super::tokio_tcp(tcp));
            match dialer {
                None => speak(own, tcp, "http").await,
                Some(dialer) => {
                    let connector = tokio_rustls::TlsConnector::from(dialer.offering(&["h2"]).into_config());
                    let name = ServerName::IpAddress(address.ip().into());
                    if let Ok(tls) = connector.connect(name, tcp).await {
                        speak(own, tls, "https").await;
                    }
                }
            }
        })
    });
    test
}

async fn speak(
    own: tokio::net::UnixStream,
    gateway: impl AsyncRead + AsyncWrite + Unpin + 'static,
    scheme: &str,
) {
    let Ok((mut requests, connection)) = h2::client::handshake(gateway).await else { return };
    let connection = tokio::task::spawn_local(connection);
    let (from, mut to) = own.into_split();
    let mut from = Reader::new(from);
    while let Ok(head) = from.head().await {
        if exchange(&mut requests, head, scheme, &mut from, &mut to).await.is_none() {
            break;
        }
    }
    drop((requests, to));
    // A test that reads to the end waits for the gateway's.
    let _ = connection.await;
}

/// One exchange; nothing when the connection ends with it.
async fn exchange(
    requests: &mut SendRequest<Bytes>,
    head: Head,
    scheme: &str,
    from: &mut Reader<impl AsyncRead + Unpin>,
    to: &mut OwnedWriteHalf,
) -> Option<()> {
    let mut framing = content(&head.fields).unwrap_or(Content::None);
    let has_none = matches!(framing, Content::None);
    let (request, is_head) = request(head, scheme)?;
    let mut requests = requests.clone().ready().await.ok()?;
    let (response, mut body) = requests.send_request(request, has_none).ok()?;
    let upload = async {
        if !has_none {
            while let Ok(Some(piece)) = from.piece(&mut framing).await {
                if !send(&mut body, piece).await {
                    return std::future::pending().await;
                }
            }
            if framing != Content::None && framing != Content::Length(0) {
                // The client left within the content.
                return;
            }
            end(&mut body, from.trailers.take());
        }
        from.closed().await;
    };
    tokio::select! {
        biased;
        done = answer(response, is_head, to) => done?,
        // The client has gone.
        () = upload => return None,
    }
    // What is sent behind an answer belongs to no request.
    (framing == Content::None || framing == Content::Length(0)).then_some(())
}

fn request(head: Head, scheme: &str) -> Option<(Request<()>, bool)> {
    let mut words = head.line.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let authority = head.fields.get("host")?.to_str().ok()?.to_owned();
    let path = match target.split_once("://") {
        None => target,
        Some((_, rest)) => rest.find(['/', '?']).map_or("/", |at| &rest[at..]),
    };
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()?;
    let mut request = Request::builder().method(method).uri(uri).version(Version::HTTP_2).body(()).ok()?;
    *request.headers_mut() = without_connection(head.fields);
    Some((request, method == "HEAD"))
}

/// Writes the answer; nothing when it was cut, which ends the connection.
async fn answer(mut response: ResponseFuture, is_head: bool, to: &mut OwnedWriteHalf) -> Option<()> {
    let response = loop {
        let next = std::future::poll_fn(|cx| {
            if let Poll::Ready(Some(interim)) = response.poll_informational(cx) {
                return Poll::Ready(Ok(interim.map(|r| (r, None))));
            }
            std::pin::Pin::new(&mut response).poll(cx).map(|r| match r {
                Ok(response) => {
                    let (parts, body) = response.into_parts();
                    Ok(Ok((Response::from_parts(parts, ()), Some(body))))
                }
                Err(error) => Err(error),
            })
        });
        match next.await.ok()?.ok()? {
            (interim, None) => to.write_all(&head_of(&interim, Framing::Bare)).await.ok()?,
            (head, Some(body)) => break (head, body),
        }
    };
    let (head, mut body) = response;
    let has_length = head.headers().contains_key("content-length");
    let is_bare = is_head || matches!(head.status().as_u16(), 204 | 304);
    let framing = match (is_bare, has_length, body.is_end_stream()) {
        (true, ..) | (_, true, _) => Framing::Bare,
        (_, false, true) => Framing::Empty,
        (_, false, false) => Framing::Chunked,
    };
    to.write_all(&head_of(&head, framing)).await.ok()?;
    while let Some(piece) = body.data().await {
        let piece = piece.ok()?;
        let _ = body.flow_control().release_capacity(piece.len());
        match framing {
            Framing::Chunked if !piece.is_empty() => to.write_all(&chunk(&piece)).await.ok()?,
            _ => to.write_all(&piece).await.ok()?,
        }
    }
    let trailers = body.trailers().await.ok()?;
    if framing == Framing::Chunked {
        to.write_all(&last_chunk(trailers.as_ref())).await.ok()?;
    }
    Some(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// As the fields say.
    Bare,
    Empty,
    Chunked,
}

fn head_of(head: &Response<()>, framing: Framing) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {} -\r\n", head.status().as_u16()).into_bytes();
    write_fields(&mut out, head.headers());
    match framing {
        Framing::Bare => {}
        Framing::Empty => write_field(&mut out, "content-length", b"0"),
        Framing::Chunked => write_field(&mut out, "transfer-encoding", b"chunked"),
    }
    out.extend_from_slice(b"\r\n");
    out
}
