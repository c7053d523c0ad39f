use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{CookieName, Target};
use crate::matching::Match;
use crate::quantity::{Duration, Percent};
use crate::span::Spanned;
use crate::text::{FromText, Refusal, text_type};

/// Groups of requests that go elsewhere, or that the service is to tell apart. Who is in none goes where the route leads.
/// Those whom `when` alone picks come first, then the shares.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Split {
    /// Who stays in a group: `client` (its address), `cookie:NAME` (newcomers get one), `header:NAME`, or nobody: `request` is
    /// a new draw each time. Who has no such header is in no share. Default: `client`.
    #[serde(default)]
    pub by: Option<Spanned<SplitBy>>,
    /// The groups by name, 1 to 64. The service and the log see the name.
    pub groups: Spanned<IndexMap<String, Spanned<SplitGroup>>>,
}

/// Some of the requests of a route. At least one of `when` and `share` is given; with both it is that share of those who match.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SplitGroup {
    /// Where it leads: the name of a service or a URL.
    pub to: Spanned<Target>,
    /// Who may be in it. Default: everybody.
    #[serde(default)]
    pub when: Option<Spanned<Match>>,
    /// How many are in it: `5%`, or `from 1% to 50% over 2h`, either one with `, stop if 5xx > 1%` behind it if it is to end when
    /// replies are bad. Default: all who match `when`.
    #[serde(default)]
    pub share: Option<Spanned<GroupShare>>,
}

/// What decides who stays in a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SplitBy {
    /// The client's address.
    Client,
    /// A cookie, which the gateway gives to those who have none.
    Cookie(CookieName),
    /// A field of the request.
    Header(Box<str>),
    /// Nothing: each request is drawn anew.
    Request,
}

impl FromText for SplitBy {
    const WHAT: &'static str = "`client`, `cookie:NAME`, `header:NAME` or `request`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text.split_once(':') {
            None if text == "client" => Ok(Self::Client),
            None if text == "request" => Ok(Self::Request),
            Some(("cookie", name)) => CookieName::from_text(name).map(Self::Cookie),
            Some(("header", name)) if !name.is_empty() => Ok(Self::Header(name.into())),
            _ => Err(Refusal::new(format!("`{text}` is nothing to stay in a group by"))
                .hint(format!("write {}", Self::WHAT))),
        }
    }
}

impl fmt::Display for SplitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Request => f.write_str("request"),
        }
    }
}

text_type!(SplitBy, "SplitBy", {
    "pattern": r"^(client|request|cookie:.+|header:.+)$",
    "description": "what decides who stays in a group",
    "examples": ["client", "cookie:visitor", "header:x-user", "request"]
});

/// How many are in a group: `5%`, `from 1% to 50% over 2h`, each with or without `, stop if 5xx > 1%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupShare {
    /// At first.
    pub from: Percent,
    /// In the end; not less.
    pub to: Percent,
    /// How long it takes to get there; nothing if it does not grow.
    pub over: Duration,
    /// The share of bad replies at which nobody is in the group any more.
    pub stop_above: Option<Percent>,
}

impl GroupShare {
    /// True when it changes by itself.
    pub fn grows(&self) -> bool {
        self.over != Duration::default()
    }
}

impl FromText for GroupShare {
    const WHAT: &'static str = "a share such as `5%` or `from 1% to 50% over 2h, stop if 5xx > 1%`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let rule = words.iter().position(|word| *word == "stop");
        let (size, rule) = words.split_at(rule.unwrap_or(words.len()));
        let stop_above = match rule {
            [] => None,
            ["stop", "if", "5xx", ">", above] => Some(threshold(above)?),
            _ => {
                return Err(Refusal::new(format!("`{}` is no rule to stop by", rule.join(" ")))
                    .hint("write for example `stop if 5xx > 1%`"));
            }
        };
        let size = size.join(" ");
        // A comma ends the phrase in `{ … }`; `and` does not.
        let bare = match rule {
            [] => &size[..],
            _ => size.strip_suffix(',').or_else(|| size.strip_suffix(" and")).unwrap_or(&size),
        };
        Ok(Self { stop_above, ..growth(bare)? })
    }

    fn from_number(number: &str) -> Result<Self, Refusal> {
        Percent::from_number(number).map(Self::fixed)
    }
}

impl GroupShare {
    fn fixed(share: Percent) -> Self {
        Self { from: share, to: share, over: Duration::default(), stop_above: None }
    }
}

/// `5%` or `from 1% to 50% over 2h`.
fn growth(text: &str) -> Result<GroupShare, Refusal> {
    let words: Vec<&str> = text.split(' ').collect();
    let ["from", from, "to", to, "over", over] = words[..] else {
        let is_long = words.len() > 1 || text.is_empty();
        let refused = || {
            Refusal::new(format!("`{text}` is not a share")).hint("write `5%` or `from 1% to 50% over 2h`")
        };
        return if is_long { Err(refused()) } else { Percent::from_text(text).map(GroupShare::fixed) };
    };
    let (from, to, over) = (Percent::from_text(from)?, Percent::from_text(to)?, Duration::from_text(over)?);
    if from >= to {
        return Err(Refusal::new(format!("a share that grows by itself cannot go from {from} to {to}"))
            .hint("write the smaller share first"));
    }
    if over == Duration::default() {
        return Err(Refusal::new("a share cannot grow in no time").hint(format!("write only `{to}`")));
    }
    Ok(GroupShare { from, to, over, stop_above: None })
}

fn threshold(text: &str) -> Result<Percent, Refusal> {
    let above = Percent::from_text(text)?;
    match above.fraction() < 1.0 {
        true => Ok(above),
        false => Err(Refusal::new("more than all replies cannot be bad").hint("write less than `100%`")),
    }
}

impl fmt::Display for GroupShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.grows() {
            true => write!(f, "from {} to {} over {}", self.from, self.to, self.over)?,
            false => write!(f, "{}", self.to)?,
        }
        match self.stop_above {
            Some(above) => write!(f, ", stop if 5xx > {above}"),
            None => Ok(()),
        }
    }
}

text_type!(GroupShare, "GroupShare", {
    "description": "how many are in a group: a share, or one that grows; it can stop when too many replies are bad",
    "examples": ["5%", "5% and stop if 5xx > 1%", "from 1% to 50% over 2h, stop if 5xx > 1%"]
});

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        text.parse::<GroupShare>().unwrap_err().message
    }

    #[test]
    fn shares_are_read_as_they_are_said() {
        for (text, canonical) in [
            ("5%", "5%"),
            ("0.5%,   stop if 5xx > 2.5%", "0.5%, stop if 5xx > 2.5%"),
            ("5% stop if 5xx > 1%", "5%, stop if 5xx > 1%"),
            ("from 1% to 50% over 2h", "from 1% to 50% over 2h"),
            (
                "from 0% to 100% over 1d12h and stop if 5xx > 1%",
                "from 0% to 100% over 1d12h, stop if 5xx > 1%",
            ),
        ] {
            assert_eq!(text.parse::<GroupShare>().unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(refusal("5"), "`5` is not a share");
        assert_eq!(refusal(""), "`` is not a share");
        assert_eq!(
            refusal("from 50% to 1% over 2h"),
            "a share that grows by itself cannot go from 50% to 1%"
        );
        assert_eq!(refusal("from 1% to 2% over 0s"), "a share cannot grow in no time");
        assert_eq!(refusal("1%, stop if 4xx > 1%"), "`stop if 4xx > 1%` is no rule to stop by");
        assert_eq!(refusal("1%, stop if 5xx > 100%"), "more than all replies cannot be bad");
        assert_eq!(refusal("1%, 2%"), "`1%, 2%` is not a share");
    }

    #[test]
    fn who_stays_is_named() {
        for text in ["client", "request", "cookie:visitor", "header:x-user"] {
            assert_eq!(text.parse::<SplitBy>().unwrap().to_string(), text);
        }
        for text in ["cookie", "cookie:", "cookie:a b", "header:", "path", ""] {
            assert!(text.parse::<SplitBy>().is_err(), "{text}");
        }
    }
}
