//! Bodies. There is no body phase: a filter that must see bytes adds a [`Transform`], so nobody else pays.

use bytes::Bytes;
use menshen_http1::Fields;

use crate::Failure;

/// Sees the content of a message piece by piece as it passes. Must not keep more than a bounded amount.
pub trait Transform {
    /// Takes a piece and writes what goes on to `out`.
    ///
    /// # Errors
    /// Any failure ends the exchange: with an error reply if none has started, else by cutting the connection.
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failure>;

    /// The content ended; writes what is left to `out`.
    ///
    /// # Errors
    /// As [`Transform::push`].
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Failure>;

    /// The content ended with these trailers, just before [`Transform::finish`]. What is taken out of them is not sent
    /// as trailers.
    ///
    /// # Errors
    /// As [`Transform::push`].
    fn trailers(&mut self, _trailers: &mut Fields, _out: &mut Vec<u8>) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether the length of the content may change; a transform that only looks says `Unchanged`.
    fn length(&self) -> Length {
        Length::Changed
    }
}

/// What a transform does to the length of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// As many bytes come out as go in.
    Unchanged,
    /// The length is not known in advance.
    Changed,
}

/// The transforms of one body, in the order in which the bytes pass.
#[derive(Default)]
pub struct Transforms {
    list: Vec<Box<dyn Transform>>,
    between: Vec<u8>,
}

impl Transforms {
    /// Adds a transform behind the others.
    pub fn push(&mut self, transform: Box<dyn Transform>) {
        self.list.push(transform);
    }

    /// True when bytes pass untouched.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What all of them together do to the length.
    pub fn length(&self) -> Length {
        let changed = self.list.iter().any(|t| t.length() == Length::Changed);
        if changed { Length::Changed } else { Length::Unchanged }
    }

    /// Forgets all transforms.
    pub fn clear(&mut self) {
        self.list.clear();
        self.between.clear();
    }

    /// Sends a piece through all of them; what comes out is added to `out`.
    ///
    /// # Errors
    /// The first failure of a transform.
    pub fn run(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        self.from(0, piece, out)
    }

    /// Ends content without trailers.
    ///
    /// # Errors
    /// The first failure of a transform.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.finish_with(&mut Fields::new(), out)
    }

    /// Ends the content; trailers that a transform takes are gone.
    ///
    /// # Errors
    /// The first failure of a transform.
    pub fn finish_with(&mut self, trailers: &mut Fields, out: &mut Vec<u8>) -> Result<(), Failure> {
        for i in 0..self.list.len() {
            let mut rest = Vec::new();
            if let Some(t) = self.list.get_mut(i) {
                t.trailers(trailers, &mut rest)?;
                t.finish(&mut rest)?;
            }
            if !rest.is_empty() {
                self.from(i + 1, &rest, out)?;
            }
        }
        Ok(())
    }

    /// Sends a piece through the transforms from number `first` on.
    fn from(&mut self, first: usize, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        let transforms = self.list.get_mut(first..).unwrap_or_default();
        let Some((last, before)) = transforms.split_last_mut() else {
            out.extend_from_slice(piece);
            return Ok(());
        };
        if before.is_empty() {
            return last.push(piece, out);
        }
        let mut current = std::mem::take(&mut self.between);
        current.clear();
        current.extend_from_slice(piece);
        for t in before {
            let mut next = Vec::with_capacity(current.len());
            t.push(&current, &mut next)?;
            current = next;
        }
        let result = last.push(&current, out);
        self.between = current;
        result
    }
}

impl std::fmt::Debug for Transforms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} transforms", self.list.len())
    }
}

/// The content of a reply.
#[derive(Debug, Default)]
pub enum Body {
    /// No content.
    #[default]
    Empty,
    /// Content held in memory.
    Full(Bytes),
    /// Content that the service is still sending; the exchange with it is kept beside the reply.
    Streaming,
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Doubler(u8);
    impl Transform for Doubler {
        fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
            for b in piece {
                out.extend([*b, self.0]);
            }
            Ok(())
        }
        fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
            out.push(b'.');
            Ok(())
        }
    }

    #[test]
    fn bytes_pass_through_transforms_in_order_and_the_ends_too() {
        let mut t = Transforms::default();
        let mut out = Vec::new();
        t.run(b"a", &mut out).unwrap();
        assert_eq!(out, b"a");
        t.push(Box::new(Doubler(b'1')));
        t.push(Box::new(Doubler(b'2')));
        t.run(b"b", &mut out).unwrap();
        t.finish(&mut out).unwrap();
        assert_eq!(out, b"ab212.2.");
    }
}
