use std::fmt;

use crate::text::{FromText, Refusal, text_type};

/// A number that counts for each worker by itself: `64 per worker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PerWorker(pub u32);

impl FromText for PerWorker {
    const WHAT: &'static str = "a number such as `64 per worker`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let number = text.strip_suffix("per worker").map(str::trim_end).unwrap_or_default();
        number.parse().map(Self).map_err(|_| Refusal::new(format!("expected {}, found `{text}`", Self::WHAT)))
    }

    fn from_number(number: &str) -> Result<Self, Refusal> {
        Err(Refusal::new("each worker has its own").hint(format!("write `{number} per worker`")))
    }
}

impl fmt::Display for PerWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per worker", self.0)
    }
}

text_type!(PerWorker, "PerWorker", {
    "pattern": r"^[0-9]+ per worker$",
    "description": "a number that counts for each worker by itself: 64 per worker",
    "examples": ["64 per worker"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_must_be_named() {
        assert_eq!("64 per worker".parse::<PerWorker>().unwrap(), PerWorker(64));
        assert_eq!(
            "64".parse::<PerWorker>().unwrap_err().message,
            "expected a number such as `64 per worker`, found `64`"
        );
    }
}
