//! Which content is worth compressing.

use schemars::JsonSchema;
use serde::Deserialize;

/// Media types: `application/json`, `text/*`, `*+json` for all that end so, or `*`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("examples" = ["application/json", "text/*", "*+json"]))]
pub(super) struct Media {
    start: Box<[u8]>,
    end: Box<[u8]>,
    is_whole: bool,
}

const DEFAULT: [&str; 12] = [
    "text/*",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/wasm",
    "application/x-ndjson",
    "application/manifest+json",
    "*+json",
    "*+xml",
    "*+text",
    "font/ttf",
    "image/bmp",
];

/// Text, scripts, data in text form, and what else shrinks.
pub(super) fn default() -> Vec<Media> {
    DEFAULT.iter().filter_map(|t| Media::try_from((*t).to_owned()).ok()).collect()
}

impl TryFrom<String> for Media {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (start, end) = text.split_once('*').unwrap_or((&text, ""));
        let legal = |t: &str| {
            t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"/+-._".contains(&b))
        };
        let has_slash = text.matches('/').count() == 1 && !text.starts_with('/');
        if !legal(start) || !legal(end) || !(has_slash || text.starts_with("*+") || text == "*") {
            let hint = "write for example `application/json`, `text/*` or `*+json`";
            return Err(format!("`{text}` is not a media type\n{hint}"));
        }
        Ok(Self { start: start.as_bytes().into(), end: end.as_bytes().into(), is_whole: !text.contains('*') })
    }
}

impl Media {
    /// True when content of this Content-Type is meant, whatever its parameters.
    pub(super) fn matches(&self, content_type: &[u8]) -> bool {
        let name = content_type.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
        let Some((start, rest)) = name.split_at_checked(self.start.len()) else { return false };
        if !start.eq_ignore_ascii_case(&self.start) {
            return false;
        }
        match rest.len().checked_sub(self.end.len()).and_then(|at| rest.split_at_checked(at)) {
            Some((between, end)) => {
                end.eq_ignore_ascii_case(&self.end) && (!self.is_whole || between.is_empty())
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_data_are_worth_it_and_pictures_are_not() {
        let worth = |t: &str| default().iter().any(|m| m.matches(t.as_bytes()));
        for t in [
            "text/html; charset=utf-8",
            "Application/JSON",
            "application/problem+json",
            "image/svg+xml",
            "text/event-stream",
        ] {
            assert!(worth(t), "{t}");
        }
        for t in ["image/png", "application/jsonp", "video/mp4", "application/grpc", "application/zip", ""] {
            assert!(!worth(t), "{t}");
        }
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in ["json", "text/html; charset=utf-8", "text/*/*", "TEXT/HTML", "a/b/c", ""] {
            assert!(Media::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert!(Media::try_from("*".to_owned()).unwrap().matches(b"image/png"));
    }
}
