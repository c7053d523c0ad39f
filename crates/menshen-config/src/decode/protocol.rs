//! What serde cannot say: types of this crate ask the [`Decoder`] for places, whole nodes and second tries by asking
//! for a tuple struct of a name that no other type has.

mod attempts;
mod items;
mod node;
mod place;

use serde::de::Visitor;

use super::collection::Items;
use super::error::Error;
use super::value::Decoder;

pub use attempts::Recovered;
pub use place::Placed;
pub(super) use place::SpannedKey;

use attempts::{Attempts, MAX_ATTEMPTS};
use items::Single;
use node::NodeParts;
use place::PlacedParts;

const PLACED: &str = "$menshen::Placed";
const NODE: &str = "$menshen::Node";
const ITEMS: &str = "$menshen::Items";
const ATTEMPTS: &str = "$menshen::Attempts";

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) enum Question {
    Placed,
    Node,
    Items,
    Attempts,
}

/// The question behind the name of a tuple struct, if it is one.
pub(super) fn asked(name: &'static str) -> Option<Question> {
    match name {
        PLACED => Some(Question::Placed),
        NODE => Some(Question::Node),
        ITEMS => Some(Question::Items),
        ATTEMPTS => Some(Question::Attempts),
        _ => None,
    }
}

impl Question {
    pub(super) fn answer<'n, V: Visitor<'n>>(
        self,
        decoder: Decoder<'n, '_, '_>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Question::Placed => visitor.visit_seq(PlacedParts { decoder, next: 0 }),
            Question::Node => visitor.visit_seq(NodeParts { decoder, next: 0 }),
            Question::Items => {
                // Nothing written is no item.
                match decoder.node.as_list() {
                    Some(items) => visitor.visit_seq(Items::new(items, decoder.session)),
                    None => visitor.visit_seq(Single { item: (!decoder.node.is_null()).then_some(decoder) }),
                }
            }
            Question::Attempts => visitor.visit_seq(Attempts { decoder, left: MAX_ATTEMPTS }),
        }
    }
}
