//! Text of a page with places to fill in. What comes from a request is escaped.

use menshen_config::did_you_mean;
use menshen_proxy::Exchange;
use menshen_proxy::template::{Fact, Template};

use super::Occasion;
use crate::{Setup, scratch};

/// What a value is escaped for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// HTML and XML.
    Markup,
    /// Inside of a JSON string.
    Json,
    /// Nothing is special.
    Plain,
}

impl Format {
    /// The format of content of this type.
    pub(super) fn of(content_type: &str) -> Self {
        let name = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if name.ends_with("json") {
            Self::Json
        } else if name.ends_with("html") || name.ends_with("xml") {
            Self::Markup
        } else {
            Self::Plain
        }
    }
}

/// The places of the occasion itself.
const OWN: [(&str, Piece); 4] =
    [("status", Piece::Status), ("code", Piece::Code), ("title", Piece::Title), ("detail", Piece::Detail)];

#[derive(Clone, Debug)]
enum Piece {
    Text(Box<str>),
    Status,
    Code,
    Title,
    Detail,
    Fact(Template),
}

/// A text in pieces.
#[derive(Clone, Debug)]
pub(super) struct Text {
    format: Format,
    pieces: Box<[Piece]>,
}

impl Text {
    /// Reads a text. Braces around anything but a known name stay as they are: pages hold styles and scripts.
    pub(super) fn read(text: &str, format: Format, field: &str, setup: &mut Setup<'_>) -> Self {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once('{') {
            plain.push_str(before);
            let name = from.split_once('}').map(|(name, _)| name);
            match name.and_then(|name| piece(name, field, setup).map(|piece| (name, piece))) {
                Some((name, piece)) => {
                    pieces.push(Piece::Text(std::mem::take(&mut plain).into()));
                    pieces.push(piece);
                    rest = from.get(name.len() + 1..).unwrap_or_default();
                }
                None => {
                    plain.push('{');
                    rest = from;
                }
            }
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain.into()));
        Self { format, pieces: pieces.into() }
    }

    /// Fills in the places.
    pub(super) fn fill(&self, exchange: &Exchange, occasion: &Occasion, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Status => {
                    out.extend_from_slice(itoa::Buffer::new().format(occasion.status).as_bytes())
                }
                Piece::Code => self.escape(occasion.code.as_bytes(), out),
                Piece::Title => self.escape(occasion.title.as_bytes(), out),
                Piece::Detail => self.escape(occasion.detail.as_bytes(), out),
                Piece::Fact(template) => scratch::with(|value| {
                    template.fill(exchange, value);
                    self.escape(value, out);
                }),
            }
        }
    }

    fn escape(&self, value: &[u8], out: &mut Vec<u8>) {
        for c in String::from_utf8_lossy(value).chars() {
            match (self.format, c) {
                (Format::Json, '"') => out.extend_from_slice(b"\\\""),
                (Format::Json, '\\') => out.extend_from_slice(b"\\\\"),
                (Format::Markup, '&') => out.extend_from_slice(b"&amp;"),
                (Format::Markup, '<') => out.extend_from_slice(b"&lt;"),
                (Format::Markup, '>') => out.extend_from_slice(b"&gt;"),
                (Format::Markup, '"') => out.extend_from_slice(b"&quot;"),
                (Format::Markup, '\'') => out.extend_from_slice(b"&#39;"),
                (_, c) if c.is_control() => out.push(b' '),
                (_, c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
}

/// The place with this name. Something near to a name is probably meant as one, which is worth a warning.
fn piece(name: &str, field: &str, setup: &mut Setup<'_>) -> Option<Piece> {
    if let Some((_, piece)) = OWN.iter().find(|(own, _)| *own == name) {
        return Some(piece.clone());
    }
    let is_variable = setup.variables.is_some_and(|list| list.iter().any(|v| &**v == name));
    let is_fact = Fact::NAMES.iter().any(|(fact, _)| *fact == name);
    let argument = name.strip_prefix("header:").or_else(|| name.strip_prefix("query:"));
    let is_asked = argument.is_some_and(|a| menshen_proxy::http1::valid_name(a.as_bytes()));
    if is_variable || is_fact || is_asked {
        return Template::parse(&format!("{{{name}}}"), setup.variables).ok().map(Piece::Fact);
    }
    let is_word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let known = OWN.iter().map(|(own, _)| *own).chain(Fact::NAMES.iter().map(|(fact, _)| *fact));
    if let Some(near) = did_you_mean(name, known).filter(|_| is_word) {
        setup.warn(field, format!("`{{{name}}}` is sent as it stands; was `{{{near}}}` meant?"));
    }
    None
}
