//! Streams of the client: JSON values, or content of any type, → messages as they come.

use std::cell::RefCell;
use std::rc::Rc;

use menshen_proxy::{Failure, Transform};
use prost_reflect::prost::Message;

use super::frames;
use super::problem::Wrong;
use super::request::Head;
use super::values::{Refused, Values};

/// Makes a message of each JSON value.
pub(super) struct ToMessages {
    values: Values,
    messages: Messages,
}

/// Makes messages of content of any type, one of each piece (google/api/httpbody.proto).
pub(super) struct ToPieces {
    /// The most content of one message, in bytes.
    limit: usize,
    messages: Messages,
}

/// The messages that a client sends.
struct Messages {
    head: Head,
    sent: u64,
    /// Where what is wrong is told.
    wrong: Rc<RefCell<Option<Wrong>>>,
}

impl Messages {
    fn new(head: Head, wrong: Rc<RefCell<Option<Wrong>>>) -> Self {
        Self { head, sent: 0, wrong }
    }

    fn write(&mut self, content: &[u8], out: &mut Vec<u8>) -> Result<(), Wrong> {
        let message = self.head.message(content)?;
        frames::write(&message.encode_to_vec(), out);
        self.head.settle();
        self.sent += 1;
        Ok(())
    }

    /// The same, and what is wrong is told with the number of the message.
    fn write_element(&mut self, json: &[u8], out: &mut Vec<u8>) -> Result<(), Wrong> {
        self.write(json, out).map_err(|wrong| wrong.within(self.sent))
    }

    fn refuse(&self, refused: Refused) -> Failure {
        match refused {
            Refused::TooLarge => Failure::BodyTooLarge,
            Refused::Wrong(wrong) => {
                self.wrong.replace(Some(wrong));
                Failure::BadContent
            }
        }
    }
}

impl ToMessages {
    /// With values of at most so many bytes.
    pub(super) fn new(head: Head, limit: usize, wrong: Rc<RefCell<Option<Wrong>>>) -> Self {
        Self { values: Values::up_to(limit), messages: Messages::new(head, wrong) }
    }
}

impl Transform for ToMessages {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        let result = self.values.push(piece, |json| self.messages.write_element(json, out));
        result.map_err(|refused| self.messages.refuse(refused))
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let result = self.values.finish(|json| self.messages.write_element(json, out));
        result.map_err(|refused| self.messages.refuse(refused))
    }
}

impl ToPieces {
    /// With messages of at most so many bytes of content.
    pub(super) fn new(head: Head, limit: usize, wrong: Rc<RefCell<Option<Wrong>>>) -> Self {
        Self { limit: limit.max(1), messages: Messages::new(head, wrong) }
    }
}

impl Transform for ToPieces {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        let result = piece.chunks(self.limit).try_for_each(|piece| self.messages.write(piece, out));
        result.map_err(|wrong| self.messages.refuse(wrong.into()))
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        // The first message has the type and what stands in the path, also where there is no content.
        if self.messages.sent > 0 {
            return Ok(());
        }
        let result = self.messages.write(b"", out);
        result.map_err(|wrong| self.messages.refuse(wrong.into()))
    }
}
