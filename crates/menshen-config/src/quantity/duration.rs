use std::fmt;

use super::number_and_unit;
use crate::text::{FromText, Refusal, text_type};

/// A length of time with its unit: `250ms`, `10s`, `5m`, `2h`, `1d`, or several as in `1m30s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub std::time::Duration);

/// Microseconds per unit, the longest first.
const UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1000),
    ("us", 1),
];

impl Duration {
    /// So many seconds.
    pub const fn seconds(n: u64) -> Self {
        Self(std::time::Duration::from_secs(n))
    }

    /// So many milliseconds.
    pub const fn milliseconds(n: u64) -> Self {
        Self(std::time::Duration::from_millis(n))
    }

    /// As the standard library has it.
    pub const fn get(self) -> std::time::Duration {
        self.0
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl FromText for Duration {
    const WHAT: &'static str = "a duration such as `10s`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let refused = || Refusal::new(format!("`{text}` is not a duration"));
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::from_number(text);
        }
        let (mut rest, mut micros, mut smaller_than) = (text, 0_u64, u64::MAX);
        while !rest.is_empty() {
            let (number, after) = number_and_unit(rest);
            let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            let number: u64 =
                number.parse().map_err(|_| refused().hint("write for example `10s` or `1m30s`"))?;
            let Some((_, length)) = UNITS.into_iter().find(|(name, _)| *name == unit) else {
                return Err(
                    refused().hint("units are `us`, `ms`, `s`, `m`, `h` and `d`, as in `250ms` or `1m30s`")
                );
            };
            if length >= smaller_than {
                return Err(refused().hint("write the longer unit first, each once, as in `1m30s`"));
            }
            smaller_than = length;
            let part = number.checked_mul(length).ok_or_else(|| refused().hint("it is too long"))?;
            micros = micros.checked_add(part).ok_or_else(|| refused().hint("it is too long"))?;
            rest = after;
        }
        if text.is_empty() {
            return Err(refused().hint("write for example `10s`"));
        }
        Ok(Self(std::time::Duration::from_micros(micros)))
    }

    fn from_number(number: &str) -> Result<Self, Refusal> {
        Err(Refusal::new("a duration needs a unit").hint(format!("write `{number}s` or `{number}ms`")))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, length) in UNITS {
            if rest >= length {
                write!(f, "{}{unit}", rest / length)?;
                rest %= length;
            }
        }
        Ok(())
    }
}

text_type!(Duration, "Duration", {
    "pattern": r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?([0-9]+us)?$",
    "description": "a length of time with its unit: 250ms, 10s, 5m, 2h, 1d, or several as in 1m30s",
    "examples": ["10s", "250ms", "1m30s"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_with_units() {
        for text in ["250ms", "10s", "5m", "2h", "1d", "1m30s", "1s500ms", "0s", "7us"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
        assert_eq!("90s".parse::<Duration>().unwrap().to_string(), "1m30s");
    }

    #[test]
    fn what_is_no_duration_is_refused_with_a_hint() {
        let hint = |text: &str| text.parse::<Duration>().unwrap_err().hint.unwrap();
        assert_eq!(hint("10"), "write `10s` or `10ms`");
        assert_eq!(hint("10 s"), "units are `us`, `ms`, `s`, `m`, `h` and `d`, as in `250ms` or `1m30s`");
        assert_eq!(hint("30s1m"), "write the longer unit first, each once, as in `1m30s`");
        assert_eq!(hint("99999999999999999d"), "it is too long");
        assert_eq!(hint(""), "write for example `10s`");
        assert_eq!(hint("-1s"), "write for example `10s` or `1m30s`");
    }
}
