//! Why the demo cannot go on.

use std::fmt;

/// One line that says what is wrong and what to do about it.
#[derive(Debug)]
pub struct Trouble(String);

impl Trouble {
    /// Trouble told in one line.
    pub fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}
