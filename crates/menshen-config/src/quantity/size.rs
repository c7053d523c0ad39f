use std::fmt;

use super::number_and_unit;
use crate::text::{FromText, Refusal, text_type};

/// A number of bytes with its unit: `512B`, `64KiB`, `10MB`. `KiB` is 1024 bytes, `KB` is 1000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1000),
    ("B", 1),
];

impl Size {
    /// So many units of 1024 bytes.
    pub const fn kib(n: u64) -> Self {
        Self(n * 1024)
    }

    /// So many units of 1024 × 1024 bytes.
    pub const fn mib(n: u64) -> Self {
        Self(n * 1024 * 1024)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromText for Size {
    const WHAT: &'static str = "a size such as `64KiB`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let refused = || Refusal::new(format!("`{text}` is not a size"));
        let (number, unit) = number_and_unit(text);
        if number.is_empty() {
            return Err(refused().hint("write for example `512B`, `64KiB` or `10MB`"));
        }
        if unit.is_empty() {
            return Self::from_number(number);
        }
        let Some((_, length)) = UNITS.into_iter().find(|(name, _)| *name == unit) else {
            let near = UNITS
                .into_iter()
                .find(|(name, _)| name.to_lowercase().starts_with(&unit.trim().to_lowercase()));
            return Err(match near {
                Some((near, _)) => refused().hint(format!("write `{number}{near}`")),
                None => {
                    refused().hint("units are `B`, `KB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`, `TB` and `TiB`")
                }
            });
        };
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(length));
        bytes.map(Self).ok_or_else(|| refused().hint("it is too large"))
    }

    fn from_number(number: &str) -> Result<Self, Refusal> {
        Err(Refusal::new("a size needs a unit")
            .hint(format!("write `{number}B`, `{number}KiB` or `{number}MiB`")))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.into_iter().find(|(_, length)| self.0 >= *length && self.0.is_multiple_of(*length));
        let (name, length) = unit.unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / length)
    }
}

text_type!(Size, "Size", {
    "pattern": r"^[0-9]+([KMGT]i?)?B$",
    "description": "a number of bytes with its unit: 512B, 64KiB, 10MB",
    "examples": ["64KiB", "10MB", "512B"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_with_units() {
        for text in ["64KiB", "10MB", "512B", "3GiB", "0B", "1025B"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("1024KiB".parse::<Size>().unwrap().to_string(), "1MiB");
    }

    #[test]
    fn what_is_no_size_is_refused_with_a_hint() {
        let hint = |text: &str| text.parse::<Size>().unwrap_err().hint.unwrap();
        assert_eq!(hint("10"), "write `10B`, `10KiB` or `10MiB`");
        assert_eq!(hint("10m"), "write `10MiB`");
        assert_eq!(hint("10 kb"), "write `10KB`");
        assert_eq!(hint("ten"), "write for example `512B`, `64KiB` or `10MB`");
        assert_eq!(hint("99999999TiB"), "it is too large");
    }
}
