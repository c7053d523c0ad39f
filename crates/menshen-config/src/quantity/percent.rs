use std::fmt;

use crate::text::{FromText, Refusal, text_type};

/// A share from `0%` to `100%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// From 0 to 1.
    pub fn fraction(self) -> f64 {
        self.0 / 100.0
    }
}

impl FromText for Percent {
    const WHAT: &'static str = "a share such as `12.5%`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let refused = || Refusal::new(format!("`{text}` is not a share")).hint("write for example `12.5%`");
        let number = text.strip_suffix('%').ok_or_else(refused)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(refused());
        }
        let share: f64 = number.parse().map_err(|_| refused())?;
        if share > 100.0 {
            return Err(Refusal::new(format!("`{text}` is more than everything")).hint("the most is `100%`"));
        }
        Ok(Self(share))
    }

    fn from_number(number: &str) -> Result<Self, Refusal> {
        Err(Refusal::new("a share needs a `%`").hint(format!("write `{number}%`")))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

text_type!(Percent, "Percent", {
    "pattern": r"^[0-9]+(\.[0-9]+)?%$",
    "description": "a share from 0% to 100%",
    "examples": ["12.5%"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_carry_their_sign() {
        assert_eq!("12.5%".parse::<Percent>().unwrap().fraction(), 0.125);
        assert_eq!("12.5%".parse::<Percent>().unwrap().to_string(), "12.5%");
        assert!("101%".parse::<Percent>().is_err());
        assert!("NaN%".parse::<Percent>().is_err());
        assert!("10".parse::<Percent>().is_err());
    }
}
