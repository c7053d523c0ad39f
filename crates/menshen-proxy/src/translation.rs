//! Requests that a filter translates into another protocol: what the service is asked for, and how much is held for it.
//!
//! Content is not held for anybody else: the plain path only looks whether there is a translation.

use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::Bytes;
use menshen_http1::{RequestFraming, ResponseHead};

use crate::call::Call;
use crate::downstream::{Content, Downstream};
use crate::kept::Kept;
use crate::wait::{Wait, Watch};
use crate::{Body, Exchange, Failure, Reply, grpc};

/// What a service is asked for instead of what the client asked for. Content that is held passes
/// [`Exchange::transforms`] before the service is called, so that what is wrong with it costs no call.
#[derive(Clone, Debug)]
pub struct Translation {
    /// The target, asked for by POST.
    pub target: Box<[u8]>,
    /// The most content that the client may send, in bytes, where all of it is held; more is [`Failure::BodyTooLarge`].
    /// `None` for content that is not held, and passes as it comes.
    pub request_limit: Option<u64>,
    /// How much of a gRPC reply is there before the `post` filters see it.
    pub reply: Held,
    /// The most content of a reply that is held, in bytes; more is [`Failure::ReplyTooLarge`].
    pub reply_limit: u64,
    /// What was read of a reply of which the first message is held. It passes the reply's transforms too.
    pub begun: Bytes,
}

/// How much of a reply is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing: the head is passed on at once.
    Nothing,
    /// All of it: content and trailers, which are added to the head's fields.
    Whole,
    /// The first message, in [`Translation::begun`]. A reply that ends before is held whole.
    FirstMessage,
}

/// Reads all content of a request, and keeps what the transforms make of it.
pub(crate) async fn hold_request<D: Downstream>(
    exchange: &mut Exchange,
    client: &mut D,
    limit: u64,
) -> Result<(), Failure> {
    let limit = limit.min(exchange.body_limit);
    if matches!(exchange.request.framing, RequestFraming::Length(n) if n > limit) {
        return Err(Failure::BodyTooLarge);
    }
    client.limit_content(limit);
    if std::mem::take(&mut exchange.request.expects_continue) && !client.content_is_ended() {
        client.interim(exchange, &ResponseHead::new(100)).await?;
    }
    let (mut content, mut watch) = (Vec::new(), Watch::new());
    poll_fn(|cx| {
        loop {
            match client.poll_content(cx) {
                Poll::Ready(Ok(Content::Data)) => {
                    content.extend_from_slice(client.content());
                    client.consume(client.content().len());
                }
                Poll::Ready(Ok(Content::End)) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(failure)) => return Poll::Ready(Err(failure)),
                Poll::Pending => break,
            }
        }
        watch.poll(cx, Wait::ClientBody, content.len() as u64, client.deadline(), exchange).map(Err)
    })
    .await?;
    let mut changed = Vec::new();
    exchange.transforms.run(&content, &mut changed)?;
    exchange.transforms.finish(&mut changed)?;
    exchange.transforms.clear();
    exchange.request.framing = RequestFraming::Length(changed.len() as u64);
    exchange.kept = Some(Box::new(Kept::whole(changed)));
    Ok(())
}

/// Reads what is held of a gRPC reply. True when that was all of it.
pub(crate) async fn hold_reply<D: Downstream>(
    exchange: &mut Exchange,
    client: &mut D,
    call: &mut Call,
    reply: &mut Reply,
) -> Result<bool, Failure> {
    let Some(Translation { reply: held, reply_limit, begun, .. }) = exchange.translation.as_deref_mut()
    else {
        return Ok(false);
    };
    // What an attempt before this one has read.
    begun.clear();
    let (held, limit) = (*held, *reply_limit);
    if held == Held::Nothing || !call.has_content() || !grpc::is_grpc(&reply.head.fields) {
        return Ok(false);
    }
    let (mut content, mut watch) = (Vec::new(), Watch::new());
    let end = poll_fn(|cx| {
        if let Poll::Ready(end) = poll_held(cx, call, held, limit, &mut content) {
            return Poll::Ready(end);
        }
        let pumped = call.poll_pump(cx, exchange, client);
        if let Poll::Ready(Err(failure)) = pumped {
            return Poll::Ready(Err(failure));
        }
        if client.content_is_ended() && client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Failure::ClientGone));
        }
        watch.poll(cx, Wait::BetweenBytes, call.moved(), client.deadline(), exchange).map(Err)
    })
    .await?;
    if end == Content::Data {
        if let Some(translation) = &mut exchange.translation {
            translation.begun = Bytes::from(content);
        }
        return Ok(false);
    }
    for field in call.take_trailers(exchange).iter() {
        reply.head.fields.append_named(field.name, field.value);
    }
    reply.body = Body::Full(Bytes::from(content));
    Ok(true)
}

/// Ready with `Data` when the first message is there and no more is wanted, with `End` when all is held.
fn poll_held(
    cx: &mut Context<'_>,
    call: &mut Call,
    held: Held,
    limit: u64,
    content: &mut Vec<u8>,
) -> Poll<Result<Content, Failure>> {
    loop {
        let wanted = if held == Held::FirstMessage { missing(content) } else { usize::MAX };
        if wanted == 0 {
            return Poll::Ready(Ok(Content::Data));
        }
        match call.poll_content(cx) {
            Poll::Ready(Ok(Content::Data)) => {
                let piece = call.content();
                let piece = piece.get(..wanted).unwrap_or(piece);
                if (content.len() + piece.len()) as u64 > limit {
                    return Poll::Ready(Err(Failure::ReplyTooLarge));
                }
                content.extend_from_slice(piece);
                let n = piece.len();
                call.consume(n);
            }
            other => return other,
        }
    }
}

/// The bytes that are missing to the first message, or to its head: a flag and a length of four bytes.
fn missing(content: &[u8]) -> usize {
    const HEAD: usize = 5;
    match content.split_first_chunk::<HEAD>() {
        None => HEAD - content.len(),
        Some(([_, length @ ..], message)) => {
            (u32::from_be_bytes(*length) as usize).saturating_sub(message.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_message_is_read_to_its_last_byte_and_no_further() {
        let content = [0, 0, 0, 1, 2, 7, 7, 7];
        assert_eq!((missing(&[]), missing(&content[..4]), missing(&content[..5])), (5, 1, 0x102));
        assert_eq!((missing(&[0; 5]), missing(&[&content[..5], &[7; 0x102]].concat())), (0, 0));
    }
}
