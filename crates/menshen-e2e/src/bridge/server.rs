//! From the gateway to a test's service.

use std::net::TcpStream;
use std::rc::Rc;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::message::{Content, Reader, chunk, content, end, last_chunk, send, without_connection};
use super::message::{write_field, write_fields};
use crate::Keeper;

/// Serves a connection of the gateway: each of its streams becomes a connection of its own, which `open` takes.
pub(crate) fn serve(tcp: TcpStream, keeper: Option<&Keeper>, open: impl Fn(TcpStream) + Send + 'static) {
    let config = keeper.map(|k| k.0.clone());
    super::run(move || {
        Box::pin(async move {
            let tcp = super::tokio_tcp(tcp);
            match config {
                None => speak(tcp, Rc::new(open)).await,
                Some(config) => {
                    if let Ok(tls) = tokio_rustls::TlsAcceptor::from(config).accept(tcp).await {
                        speak(tls, Rc::new(open)).await;
                    }
                }
            }
        })
    });
}

async fn speak(gateway: impl AsyncRead + AsyncWrite + Unpin + 'static, open: Rc<dyn Fn(TcpStream)>) {
    let Ok(mut connection) = h2::server::handshake(gateway).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let open = open.clone();
        tokio::task::spawn_local(async move {
            let (service, own) = super::ends();
            open(service);
            if exchange(request, &mut respond, super::tokio_end(own)).await.is_none() {
                respond.send_reset(h2::Reason::INTERNAL_ERROR);
            }
        });
    }
}

/// One exchange; nothing when the service did not answer in full.
async fn exchange(
    request: Request<RecvStream>,
    respond: &mut SendResponse<Bytes>,
    service: tokio::net::UnixStream,
) -> Option<()> {
    let (from, mut to) = service.into_split();
    let mut from = Reader::new(from);
    let (parts, mut body) = request.into_parts();
    let is_chunked = !parts.headers.contains_key("content-length") && !body.is_end_stream();
    to.write_all(&head_of(&parts, is_chunked)).await.ok()?;
    let is_head = parts.method == "HEAD";
    let upload = async {
        while let Some(piece) = body.data().await {
            // The gateway took the request back.
            let Ok(piece) = piece else { return };
            let _ = body.flow_control().release_capacity(piece.len());
            let bytes = if is_chunked && !piece.is_empty() { chunk(&piece) } else { piece.to_vec() };
            if to.write_all(&bytes).await.is_err() {
                return std::future::pending().await;
            }
        }
        let Ok(trailers) = body.trailers().await else { return };
        if is_chunked {
            let _ = to.write_all(&last_chunk(trailers.as_ref())).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        biased;
        done = answer(&mut from, respond, is_head) => done,
        () = upload => None,
    }
}

fn head_of(parts: &http::request::Parts, is_chunked: bool) -> Vec<u8> {
    let path = parts.uri.path_and_query().map_or("*", |p| p.as_str());
    let mut out = format!("{} {path} HTTP/1.1\r\n", parts.method).into_bytes();
    if let Some(authority) = parts.uri.authority() {
        write_field(&mut out, "host", authority.as_str().as_bytes());
    }
    write_fields(&mut out, &parts.headers);
    if is_chunked {
        write_field(&mut out, "transfer-encoding", b"chunked");
    }
    out.extend_from_slice(b"\r\n");
    out
}

async fn answer(
    from: &mut Reader<impl AsyncRead + Unpin>,
    respond: &mut SendResponse<Bytes>,
    is_head: bool,
) -> Option<()> {
    let (status, fields, framing) = loop {
        let head = tokio::select! {
            head = from.head() => head.ok()?,
            _ = std::future::poll_fn(|cx| respond.poll_reset(cx)) => return None,
        };
        let status: StatusCode = head.line.split(' ').nth(1)?.parse().ok()?;
        let (framing, fields) = (content(&head.fields), without_connection(head.fields));
        if !status.is_informational() {
            break (status, fields, framing);
        }
        respond.send_informational(response(status, fields)).ok()?;
    };
    let mut framing = match framing {
        _ if is_head || matches!(status.as_u16(), 204 | 304) => Content::None,
        Some(content) => content,
        None => Content::ToTheEnd,
    };
    let is_empty = matches!(framing, Content::None | Content::Length(0));
    let mut stream = respond.send_response(response(status, fields), is_empty).ok()?;
    if is_empty {
        return Some(());
    }
    loop {
        let piece = tokio::select! {
            piece = from.piece(&mut framing) => piece.ok(),
            _ = std::future::poll_fn(|cx| stream.poll_reset(cx)) => return None,
        };
        match piece {
            Some(Some(piece)) => {
                if !send(&mut stream, piece).await {
                    return None;
                }
            }
            Some(None) => break,
            // It was cut.
            None => {
                stream.send_reset(h2::Reason::INTERNAL_ERROR);
                return None;
            }
        }
    }
    end(&mut stream, from.trailers.take());
    Some(())
}

fn response(status: StatusCode, fields: HeaderMap) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}
