//! Configuration is data: texts in, a typed [`Document`] and all [`Problems`] out. No I/O, no threads.
//!
//! ```text
//! sources ─► yaml ─► Node (spans) ─► decode ─► Document + Problems
//!              └───────► fmt ─► canonical text
//! ```
//!
//! - [`parse`] reads texts; [`Reader`] reads them again and again.
//! - [`decode()`] turns a [`Node`] into any serde type and notes every problem with its place.
//! - [`decode_filter`] does that for the config of a [`FilterItem`].
//! - [`schema`] is the JSON Schema of the document, [`fmt`] its canonical form.

pub mod decode;
pub mod document;
pub mod filter;
pub mod fmt;
pub mod matching;
pub mod node;
pub mod quantity;
pub mod schema;
pub mod yaml;

mod one_or_many;
mod path;
mod problem;
pub mod source;
mod span;
mod suggest;
mod text;

pub use decode::decode;
pub use document::{Document, Entry, Named};
pub use filter::{FilterItem, decode_filter};
pub use node::Node;
pub use one_or_many::OneOrMany;
pub use path::Path;
pub use problem::{Problem, Problems, Severity};
pub use source::{Reader, Source, parse};
pub use span::{FileId, Span, Spanned};
pub use suggest::{did_you_mean, hint};
pub use text::Refusal;
