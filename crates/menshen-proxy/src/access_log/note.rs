//! What filters have to say about the line of one exchange.

use std::sync::Arc;

use crate::template::Template;
use crate::{Exchange, Finished};

/// Further members of a line: a name and how its value is made.
pub type LineFields = [(Box<str>, Template)];

/// Which exchanges get a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// All.
    #[default]
    All,
    /// Those that failed or whose status is 400 or above.
    Failed,
    /// None.
    Off,
}

/// A note that filters leave on an exchange for its line in the access log.
#[derive(Debug, Default)]
pub struct LineNote {
    /// Whether it gets one.
    pub lines: Lines,
    fields: Vec<Arc<LineFields>>,
}

impl LineNote {
    /// The note of this exchange, made now if there is none.
    pub fn of(exchange: &mut Exchange) -> Option<&mut Self> {
        if exchange.notes.get::<Self>().is_none() {
            exchange.notes.put(Self::default());
        }
        exchange.notes.get_mut()
    }

    /// Adds members; they take the place of older ones with the same names.
    pub fn add(&mut self, fields: Arc<LineFields>) {
        self.fields.push(fields);
    }
}

/// True when the exchange gets a line.
pub(super) fn wants_line(exchange: &Exchange, finished: &Finished) -> bool {
    match exchange.notes.get::<LineNote>().map(|n| n.lines).unwrap_or_default() {
        Lines::All => true,
        Lines::Failed => finished.failure.is_some() || finished.status >= 400,
        Lines::Off => false,
    }
}

/// The further members of a line: those of all lines, then those of the note; of one name only the last.
pub(super) fn fields<'a>(
    all: &'a LineFields,
    exchange: &'a Exchange,
) -> impl Iterator<Item = &'a (Box<str>, Template)> {
    let noted = exchange.notes.get::<LineNote>().into_iter().flat_map(|n| n.fields.iter().map(|f| &**f));
    let members = std::iter::once(all).chain(noted).flatten();
    let later = members.clone();
    members
        .enumerate()
        .filter(move |(i, (name, _))| later.clone().skip(i + 1).all(|(n, _)| n != name))
        .map(|(_, m)| m)
}
