//! From a [`Node`] to a type, by serde, with every problem found in one go.
//!
//! A type says what it expects by `Deserialize`; this module says in people's words what is wrong and where. When a
//! value is refused, it is noted, left out, and the decoding is tried again without it, so that the next wrong value
//! is found as well. A custom error message may carry a hint after a line break:
//! `Error::custom("a duration needs a unit\nwrite `10s`")`.
//!
//! Types that are decoded should not use `#[serde(untagged)]` or `#[serde(flatten)]`: serde copies such values
//! before it looks at them, and their places are lost.

mod collection;
mod error;
mod protocol;
mod session;
mod value;
mod variant;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::node::{Key, Node};
use crate::path::Path;
use crate::problem::Problems;

pub use protocol::{Placed, Recovered};

/// Decodes `node`, which stands at the path `at`. Everything wrong goes to `problems`, also when a value could be
/// made: then what was wrong is left out of it. `None` if no value can be made.
pub fn decode<T: DeserializeOwned>(node: &Node, at: &Path, problems: &mut Problems) -> Option<T> {
    let session = session::Session::new(at, problems);
    let decoder = value::Decoder::new(node, &session);
    Recovered::<T>::deserialize(decoder).ok().and_then(|recovered| recovered.0)
}

/// Decodes an entry of the map at the path `at`: as [`decode`] would decode it with the whole map.
pub(crate) fn decode_entry<T: DeserializeOwned>(
    (key, value): (&Key, &Node),
    at: &Path,
    problems: &mut Problems,
) -> Option<T> {
    let session = session::Session::new(at, problems);
    let decode = || Recovered::<T>::deserialize(value::Decoder::new(value, &session));
    let recovered = session.enter(session::Step::Key(key), value.span, value, decode);
    recovered.ok().and_then(|recovered| recovered.0)
}

#[cfg(test)]
mod tests;
