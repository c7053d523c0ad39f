use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::one_or_many::OneOrMany;
use crate::text::{FromText, Refusal, text_type};

/// A window of time; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct TimeWindow {
    /// From this moment on.
    pub after: Option<Timestamp>,
    /// Until just before this moment.
    pub before: Option<Timestamp>,
    /// Each day between two times; a window such as `22:00-06:00` goes over midnight.
    pub daily: Option<Daily>,
    /// On these days; a daily window that goes over midnight belongs to the day on which it starts. Default: all.
    pub days: OneOrMany<Day>,
    /// The time zone of `daily` and `days` by its IANA name, such as `Europe/Berlin`. Default: `UTC`.
    pub zone: Option<String>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A moment, as RFC 3339 writes it: `2026-12-01T00:00:00Z` or `2026-12-01T00:00:00+01:00`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timestamp {
    text: Box<str>,
    unix: i64,
}

impl Timestamp {
    /// Whole seconds since 1970 in UTC.
    pub fn unix_seconds(&self) -> i64 {
        self.unix
    }
}

impl FromText for Timestamp {
    const WHAT: &'static str = "a moment such as `2026-12-01T00:00:00Z`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let unix = seconds(text).ok_or_else(|| {
            Refusal::new(format!("`{text}` is not a moment")).hint(
                "write date, time and offset, as in `2026-12-01T00:00:00Z` or `2026-12-01T00:00:00+01:00`",
            )
        })?;
        Ok(Self { text: text.into(), unix })
    }
}

/// The digits at `from..to` as a number within the range.
fn digits(text: &str, from: usize, to: usize, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let digits = text.get(from..to).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|number| range.contains(number))
}

fn seconds(text: &str) -> Option<i64> {
    let punctuation = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !punctuation.iter().all(|(at, mark)| text.as_bytes().get(*at) == Some(mark)) {
        return None;
    }
    let (year, month) = (digits(text, 0, 4, 1970..=9999)?, digits(text, 5, 7, 1..=12)?);
    let day = digits(text, 8, 10, 1..=days_of(year, month))?;
    let (hour, minute) = (digits(text, 11, 13, 0..=23)?, digits(text, 14, 16, 0..=59)?);
    let second = digits(text, 17, 19, 0..=59)?;
    let offset = match text.get(19..)? {
        "Z" => 0,
        zone if zone.len() == 6 && zone.as_bytes().get(3) == Some(&b':') => {
            let size = digits(zone, 1, 3, 0..=23)? * 3600 + digits(zone, 4, 6, 0..=59)? * 60;
            match zone.as_bytes().first() {
                Some(b'+') => size,
                Some(b'-') => -size,
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the date.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let years = year - 1970;
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    years * 365 + leaps(year - 1) - leaps(1969) + months + day - 1
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

text_type!(Timestamp, "Timestamp", {
    "format": "date-time",
    "description": "a moment with its offset",
    "examples": ["2026-12-01T00:00:00Z"]
});

/// A part of the day: `09:00-17:00`. It may go over midnight: `22:00-06:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Daily {
    /// Minutes after midnight at which it starts.
    pub from: u16,
    /// Minutes after midnight at which it has ended; up to 24:00.
    pub to: u16,
}

impl FromText for Daily {
    const WHAT: &'static str = "a part of the day such as `09:00-17:00`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let refused = || {
            Refusal::new(format!("`{text}` is not a part of the day")).hint("write for example `09:00-17:00`")
        };
        let minutes = |text: &str| {
            let time = (text.len() == 5 && text.as_bytes().get(2) == Some(&b':')).then_some(text)?;
            let minutes = digits(time, 0, 2, 0..=24)? * 60 + digits(time, 3, 5, 0..=59)?;
            u16::try_from(minutes).ok().filter(|minutes| *minutes <= 24 * 60)
        };
        let (from, to) = text.split_once('-').ok_or_else(refused)?;
        let from = minutes(from.trim()).filter(|from| *from < 24 * 60).ok_or_else(refused)?;
        let to = minutes(to.trim()).ok_or_else(refused)?;
        if from == to {
            return Err(Refusal::new(format!("`{text}` is empty")).hint("the whole day is `00:00-24:00`"));
        }
        Ok(Self { from, to })
    }
}

impl fmt::Display for Daily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

text_type!(Daily, "Daily", {
    "pattern": r"^[0-9]{2}:[0-9]{2} ?- ?[0-9]{2}:[0-9]{2}$",
    "description": "a part of the day; may go over midnight",
    "examples": ["09:00-17:00"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_counted_from_1970() {
        let unix = |text: &str| text.parse::<Timestamp>().unwrap().unix_seconds();
        assert_eq!(unix("1970-01-01T00:00:00Z"), 0);
        assert_eq!(unix("2000-02-29T12:34:56Z"), 951_827_696);
        assert_eq!(unix("2026-12-01T00:00:00+01:00"), 1_796_079_600);
        assert_eq!(unix("2100-03-01T00:00:00Z"), 4_107_542_400);
    }

    #[test]
    fn moments_without_offset_are_refused() {
        for text in
            ["2026-12-01T00:00:00", "2026-12-01", "2026-02-29T00:00:00Z", "2026-12-01 00:00:00Z", "yesterday"]
        {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn parts_of_the_day_may_go_over_midnight() {
        assert_eq!("22:00-06:00".parse::<Daily>().unwrap(), Daily { from: 1320, to: 360 });
        assert_eq!("00:00-24:00".parse::<Daily>().unwrap().to_string(), "00:00-24:00");
        for text in ["9-17", "24:00-25:00", "09:00", "09:00-09:00", "24:01-25:00"] {
            assert!(text.parse::<Daily>().is_err(), "{text}");
        }
    }
}
