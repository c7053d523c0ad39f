use std::fmt;

use super::{Duration, number_and_unit};
use crate::text::{FromText, Refusal, text_type};

/// So many per time: `100/s`, `10/m`, `5000/day`, `20/30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many; at least 1.
    pub amount: u64,
    /// In which time; more than 0.
    pub per: Duration,
}

const NAMES: [(&str, &str); 9] = [
    ("second", "1s"),
    ("sec", "1s"),
    ("minute", "1m"),
    ("min", "1m"),
    ("hour", "1h"),
    ("day", "1d"),
    ("week", "7d"),
    ("s", "1s"),
    ("m", "1m"),
];

impl FromText for Rate {
    const WHAT: &'static str = "a rate such as `100/s`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let refused = || {
            Refusal::new(format!("`{text}` is not a rate"))
                .hint("write for example `100/s`, `10/m` or `5000/day`")
        };
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::from_number(text);
        }
        let (amount, per) = text.split_once('/').ok_or_else(refused)?;
        let amount: u64 = amount.parse().map_err(|_| refused())?;
        let named = NAMES.into_iter().find(|(name, _)| *name == per).map(|(_, duration)| duration.to_owned());
        let per = match named {
            Some(duration) => duration,
            None if number_and_unit(per).0.is_empty() => format!("1{per}"),
            None => per.to_owned(),
        };
        let per = Duration::from_text(&per).map_err(|_| refused())?;
        if amount == 0 || per == Duration::default() {
            return Err(Refusal::new("a rate of zero").hint("to let nothing pass, remove the route"));
        }
        Ok(Self { amount, per })
    }

    fn from_number(number: &str) -> Result<Self, Refusal> {
        Err(Refusal::new("a rate needs a time").hint(format!("write `{number}/s` or `{number}/m`")))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = self.per.to_string();
        let unit = per.strip_prefix('1').filter(|unit| !unit.starts_with(|c: char| c.is_ascii_digit()));
        let simple = unit.filter(|unit| unit.chars().all(char::is_alphabetic));
        write!(f, "{}/{}", self.amount, simple.unwrap_or(&per))
    }
}

text_type!(Rate, "Rate", {
    "pattern": r"^[0-9]+/([0-9]*(d|h|m|s|ms|us))+$|^[0-9]+/(second|sec|minute|min|hour|day|week)$",
    "description": "so many per time: 100/s, 10/m, 5000/day, 20/30s",
    "examples": ["100/s", "10/m", "5000/day"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_written() {
        for (text, canonical) in [
            ("100/s", "100/s"),
            ("5000/day", "5000/d"),
            ("10/m", "10/m"),
            ("20/30s", "20/30s"),
            ("1/week", "1/7d"),
        ] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        assert_eq!("100".parse::<Rate>().unwrap_err().hint.unwrap(), "write `100/s` or `100/m`");
        assert_eq!("0/s".parse::<Rate>().unwrap_err().message, "a rate of zero");
        assert!("1/parsec".parse::<Rate>().is_err());
        assert!("/s".parse::<Rate>().is_err());
    }
}
