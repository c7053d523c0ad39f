//! The way from the top of the document to a value: `routes.users.filters[0].cors`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in the document by names, as people would say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(Box<str>);

impl Path {
    /// The top of the document.
    pub fn root() -> Self {
        Self::default()
    }

    /// The value under `name`.
    #[must_use]
    pub fn key(&self, name: &str) -> Self {
        let mut text = String::with_capacity(self.0.len() + 1 + name.len());
        text.push_str(&self.0);
        push_key(&mut text, name);
        Self(text.into())
    }

    /// The item at `index`, counted from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0).into())
    }

    /// The text, empty for the top of the document.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Appends `.name` to the text of a path; a name with unusual characters is quoted.
pub(crate) fn push_key(text: &mut String, name: &str) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || c.is_alphanumeric();
    let plain = !name.is_empty() && name.chars().all(is_plain);
    if plain {
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(name);
    } else {
        text.push_str("[\"");
        text.push_str(name);
        text.push_str("\"]");
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Path {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Path {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&Path> for Path {
    fn from(path: &Path) -> Self {
        path.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_people_say_it() {
        let path = Path::root().key("routes").key("users").key("filters").index(0).key("cors");
        assert_eq!(path.as_str(), "routes.users.filters[0].cors");
    }

    #[test]
    fn unusual_names_are_quoted() {
        assert_eq!(Path::root().key("tests").key("GET /x").as_str(), "tests[\"GET /x\"]");
    }
}
