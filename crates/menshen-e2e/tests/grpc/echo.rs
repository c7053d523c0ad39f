//! Metadata that a service sends back: in the head and in the trailers, as the interop cases want it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, HeaderName, HeaderValue, Response};

/// Comes back in the head.
pub const INITIAL: &str = "x-grpc-test-echo-initial";
/// Comes back in the trailers.
pub const TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// What is to be sent back.
pub struct Echo {
    initial: Option<HeaderValue>,
    trailing: Option<HeaderValue>,
}

/// What a request asks to be sent back.
pub fn asked_for(fields: &HeaderMap) -> Echo {
    Echo { initial: fields.get(INITIAL).cloned(), trailing: fields.get(TRAILING).cloned() }
}

impl Echo {
    pub fn add_to(self, mut response: Response<Body>) -> Response<Body> {
        if let Some(value) = self.initial {
            response.headers_mut().insert(INITIAL, value);
        }
        response.map(|body| Body::new(WithTrailer { body, trailer: self.trailing }))
    }
}

/// Content with one more trailer.
struct WithTrailer {
    body: Body,
    trailer: Option<HeaderValue>,
}

impl http_body::Body for WithTrailer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
            && let Some(value) = self.trailer.take()
        {
            trailers.insert(HeaderName::from_static(TRAILING), value);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
