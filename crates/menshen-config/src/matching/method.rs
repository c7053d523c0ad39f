use std::fmt;

use crate::suggest;
use crate::text::{FromText, Refusal, text_type};

/// A request method such as `GET`. Methods are written in capitals.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Method(Box<str>);

const COMMON: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

impl Method {
    /// The method as it stands in a request.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromText for Method {
    const WHAT: &'static str = "a method such as `GET`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        if COMMON.contains(&text) {
            return Ok(Self(text.into()));
        }
        let refused = Refusal::new(format!("`{text}` is not a method"));
        let capitals = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') && !text.is_empty();
        // A strange word may be a method of somebody's own, but a slip must not make a route that never matches.
        match suggest::did_you_mean(text, COMMON).filter(|near| near.len().abs_diff(text.len()) < 2) {
            Some(near) => Err(refused.hint(format!("did you mean `{near}`?"))),
            None if capitals => Ok(Self(text.into())),
            None => Err(refused.hint("methods are written in capitals, as in `GET`")),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(Method, "Method", {
    "pattern": "^[A-Z-]+$",
    "description": "a request method",
    "examples": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_written_in_capitals() {
        assert_eq!("GET".parse::<Method>().unwrap().as_str(), "GET");
        assert_eq!("PROPFIND".parse::<Method>().unwrap().as_str(), "PROPFIND");
        assert_eq!("get".parse::<Method>().unwrap_err().hint.unwrap(), "did you mean `GET`?");
        assert_eq!("PSOT".parse::<Method>().unwrap_err().hint.unwrap(), "did you mean `POST`?");
        assert!("a b".parse::<Method>().is_err());
    }
}
