//! What a check by gRPC says and hears (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>).

use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use menshen_proxy::GrpcStatus;

use super::exchange::{AGENT, Wire};

/// The longest answer: a message of some bytes with its head.
const ANSWER: usize = 1024;
/// grpc.health.v1.HealthCheckResponse with the status SERVING, in front of what later versions may add.
const SERVING: &[u8] = &[0x08, 1];

/// Asks whether a service of gRPC is served; the server as a whole if it has no name.
///
/// # Errors
/// Why it is not well, in a few words.
pub(super) async fn ask(
    wire: Box<dyn Wire>,
    origin: &str,
    service: &str,
    timeout: Duration,
) -> Result<(), String> {
    let (mut sender, connection) =
        h2::client::handshake(wire).await.map_err(|e| format!("no HTTP/2: {e}"))?;
    let request = http::Request::post(format!("{origin}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", format!("{}m", timeout.as_millis().min(99_999_999)))
        .header("user-agent", AGENT)
        .body(())
        .map_err(|e| e.to_string())?;
    let (answer, mut content) =
        sender.send_request(request, false).map_err(|e| format!("cannot ask: {e}"))?;
    content.send_data(question(service), true).map_err(|e| format!("cannot ask: {e}"))?;
    let heard = async {
        let answer = answer.await.map_err(|e| format!("no answer: {e}"))?;
        hear(answer, service).await
    };
    tokio::select! {
        heard = heard => heard,
        end = connection => Err(format!("no answer: {}", end.err().map_or("it closes".to_owned(), |e| e.to_string()))),
    }
}

/// grpc.health.v1.HealthCheckRequest as a message of gRPC. No more than 255 bytes of a name are sent.
fn question(service: &str) -> Bytes {
    let name = service.as_bytes();
    let name = name.get(..255).unwrap_or(name);
    let mut message = Vec::new();
    if let (Some(length), false) = (u8::try_from(name.len()).ok(), name.is_empty()) {
        message.push(0x0a);
        // A varint.
        match length {
            0..128 => message.push(length),
            _ => message.extend([length, 1]),
        }
        message.extend_from_slice(name);
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), &message].concat().into()
}

async fn hear(answer: http::Response<RecvStream>, service: &str) -> Result<(), String> {
    let (head, mut body) = answer.into_parts();
    let kind = head.headers.get("content-type").map(http::HeaderValue::as_bytes).unwrap_or_default();
    if head.status != 200 || !kind.starts_with(b"application/grpc") {
        return Err(format!("it answers {} and no gRPC", head.status.as_u16()));
    }
    let mut message = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(|e| format!("its answer breaks off: {e}"))?;
        let _ = body.flow_control().release_capacity(piece.len());
        message.extend_from_slice(&piece);
        if message.len() > ANSWER {
            return Err("its answer has no end".to_owned());
        }
    }
    let trailers = body.trailers().await.map_err(|e| format!("its answer breaks off: {e}"))?;
    // A call that fails at once has its status in the head.
    let status = trailers.as_ref().and_then(|t| t.get("grpc-status")).or(head.headers.get("grpc-status"));
    let status = status.and_then(|s| s.to_str().ok()?.trim().parse().ok()).and_then(GrpcStatus::numbered);
    let name = if service.is_empty() { "the server" } else { service };
    match status {
        Some(GrpcStatus::OK) if message.get(5..).is_some_and(|m| m.starts_with(SERVING)) => Ok(()),
        Some(GrpcStatus::OK) => Err(format!("{name} is not serving")),
        Some(status) if status.name() == "unimplemented" => {
            Err("it does not offer grpc.health.v1.Health".to_owned())
        }
        Some(status) if status.name() == "not-found" => Err(format!("it knows no health of {name}")),
        Some(status) => Err(format!("it answers `{}`", status.name())),
        None => Err("its answer has no status of gRPC".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_a_message_of_grpc_with_the_name() {
        assert_eq!(&*question(""), [0, 0, 0, 0, 0]);
        assert_eq!(&*question("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = question(&"x".repeat(200));
        assert_eq!((long.len(), &long[..8]), (5 + 3 + 200, &[0, 0, 0, 0, 203, 0x0a, 200, 1][..]));
    }
}
