//! The content of a reply for a client that speaks gRPC-Web: the frames of the service, and its trailers as the last one.

use menshen_proxy::http1::Fields;
use menshen_proxy::{Failure, Transform};

use super::base64::Encoder;
use super::kind::Form;
use super::message::{Frame, Frames};

/// The flag of the frame that holds trailers.
const TRAILERS: u8 = 0x80;

/// Writes content as the client reads it.
pub(super) struct Content {
    frames: Frames,
    /// For Base64.
    encoder: Option<Encoder>,
}

impl Content {
    pub(super) fn new(form: Form) -> Self {
        Self { frames: Frames::default(), encoder: (form == Form::Text).then(Encoder::default) }
    }
}

impl Transform for Content {
    fn push(&mut self, mut piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        while !piece.is_empty() {
            let (n, frame) = self.frames.pass(piece);
            let (passed, rest) = piece.split_at(n.min(piece.len()));
            match &mut self.encoder {
                Some(encoder) => {
                    encoder.push(passed, out);
                    // With its padding a message can be read as soon as all of it is sent.
                    if frame == Frame::Ended {
                        encoder.flush(out);
                    }
                }
                None => out.extend_from_slice(passed),
            }
            piece = rest;
        }
        Ok(())
    }

    fn trailers(&mut self, trailers: &mut Fields, out: &mut Vec<u8>) -> Result<(), Failure> {
        if trailers.is_empty() {
            return Ok(());
        }
        // Behind half a message the client would take them for the rest of it.
        if self.frames.is_under_way() {
            return Err(Failure::BadResponseBody);
        }
        let mut frame = Vec::new();
        trailers_frame(trailers, &mut frame);
        trailers.clear();
        self.push(&frame, out)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        if let Some(encoder) = &mut self.encoder {
            encoder.flush(out);
        }
        Ok(())
    }
}

/// Writes trailers as a frame: lines of HTTP/1, names in lower case.
pub(super) fn trailers_frame(trailers: &Fields, out: &mut Vec<u8>) {
    let mut lines = Vec::new();
    for field in trailers.iter() {
        lines.extend(field.name.iter().map(u8::to_ascii_lowercase));
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(field.value);
        lines.extend_from_slice(b"\r\n");
    }
    out.push(TRAILERS);
    out.extend_from_slice(&u32::try_from(lines.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(&lines);
}
