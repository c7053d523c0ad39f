//! Text with `{variables}` in it, for redirects, rewrites and fields.

mod escape;

use std::fmt;

use crate::Exchange;
use crate::client_address::Shown;
use crate::tls::TlsFact;

pub use escape::push_escaped;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This text.
    Text(Box<str>),
    /// A path variable of the route.
    Variable(Box<str>),
    /// A fact of the exchange.
    Fact(Fact),
    /// A request field.
    Header(Box<str>),
    /// A query parameter, as sent.
    Query(Box<str>),
}

/// What a template can say about an exchange, beside path variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The canonical path.
    Path,
    /// The query with its `?`, or nothing.
    Query,
    /// The host the client asked for, without port.
    Host,
    /// `http` or `https`.
    Scheme,
    /// The method.
    Method,
    /// The client's address.
    ClientAddress,
    /// The request id.
    RequestId,
    /// The name of the route.
    Route,
    /// Something about the client's TLS connection; nothing where there is none.
    Tls(TlsFact),
}

impl Fact {
    /// All facts with the names under which templates know them.
    pub const NAMES: [(&'static str, Self); 14] = [
        ("path", Self::Path),
        ("?query", Self::Query),
        ("host", Self::Host),
        ("scheme", Self::Scheme),
        ("method", Self::Method),
        ("client", Self::ClientAddress),
        ("request-id", Self::RequestId),
        ("route", Self::Route),
        ("tls.version", Self::Tls(TlsFact::Version)),
        ("tls.cipher", Self::Tls(TlsFact::Cipher)),
        ("tls.server-name", Self::Tls(TlsFact::ServerName)),
        ("tls.client.subject", Self::Tls(TlsFact::ClientSubject)),
        ("tls.client.fingerprint", Self::Tls(TlsFact::ClientFingerprint)),
        ("tls.client.san", Self::Tls(TlsFact::ClientNames)),
    ];
}

/// Why a template cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// A `{` without its `}`.
    Unclosed,
    /// A name that is neither a fact nor a variable of the route.
    Unknown(String),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclosed => f.write_str("a `{` has no `}`; write `{{` for a brace"),
            Self::Unknown(name) => {
                write!(f, "`{{{name}}}` is neither a variable of the path nor a known fact")
            }
        }
    }
}

/// Text with places to fill in: `{id}`, `{path}`, `{?query}`, `{header:accept}`, `{query:page}`; `{{` is a brace.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Template {
    pieces: Box<[Piece]>,
}

impl Template {
    /// Reads a template; `variables` are the names that the route's path binds, `None` to accept any.
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn parse(text: &str, variables: Option<&[Box<str>]>) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(open);
            plain.push_str(before);
            if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                plain.push_str(from.get(..1).unwrap_or_default());
                rest = after;
                continue;
            }
            let Some(inside) = from.strip_prefix('{') else {
                plain.push('}');
                rest = from.get(1..).unwrap_or_default();
                continue;
            };
            let (name, after) = inside.split_once('}').ok_or(TemplateError::Unclosed)?;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain).into()));
            }
            pieces.push(piece(name, variables)?);
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.into()));
        }
        Ok(Self { pieces: pieces.into() })
    }

    /// The text, where nothing has to be filled in.
    pub fn as_text(&self) -> Option<&str> {
        match &*self.pieces {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Fills in the places. Bytes that must not be in a field value are left out.
    pub fn fill(&self, exchange: &Exchange, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            fill_piece(piece, exchange, out);
        }
    }
}

fn fill_piece(piece: &Piece, exchange: &Exchange, out: &mut Vec<u8>) {
    match piece {
        Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
        Piece::Variable(name) => push_legal(out, exchange.variable(name).unwrap_or_default()),
        Piece::Header(name) => {
            push_legal(out, exchange.request.fields.get_named(name.as_bytes()).unwrap_or_default());
        }
        Piece::Query(name) => {
            push_legal(out, exchange.target.query_value(name.as_bytes()).unwrap_or_default())
        }
        Piece::Fact(fact) => fill_fact(*fact, exchange, out),
    }
}

fn piece(name: &str, variables: Option<&[Box<str>]>) -> Result<Piece, TemplateError> {
    if variables.is_some_and(|v| v.iter().any(|v| &**v == name)) {
        return Ok(Piece::Variable(name.into()));
    }
    if let Some(field) = name.strip_prefix("header:") {
        return Ok(Piece::Header(field.into()));
    }
    if let Some(parameter) = name.strip_prefix("query:") {
        return Ok(Piece::Query(parameter.into()));
    }
    if let Some((_, fact)) = Fact::NAMES.iter().find(|(n, _)| *n == name) {
        return Ok(Piece::Fact(*fact));
    }
    // Used by many routes: it may be a variable of any of them, but it must look like one.
    let is_plain =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if variables.is_none() && is_plain {
        return Ok(Piece::Variable(name.into()));
    }
    Err(TemplateError::Unknown(name.to_owned()))
}

fn fill_fact(fact: Fact, exchange: &Exchange, out: &mut Vec<u8>) {
    match fact {
        Fact::Path => out.extend_from_slice(exchange.target.path()),
        Fact::Query => {
            if let Some(query) = exchange.target.query() {
                out.push(b'?');
                out.extend_from_slice(query);
            }
        }
        Fact::Host => out.extend_from_slice(crate::condition::host_of(&exchange.request).unwrap_or_default()),
        Fact::Scheme => out.extend_from_slice(exchange.client.scheme.as_str().as_bytes()),
        Fact::Method => out.extend_from_slice(exchange.request.method_text()),
        Fact::ClientAddress => push_display(out, Shown(exchange.client.address)),
        Fact::RequestId => out.extend_from_slice(exchange.request_id().unwrap_or_default()),
        Fact::Route => out.extend_from_slice(exchange.route().name.as_bytes()),
        Fact::Tls(fact) => {
            let Some(facts) = &exchange.client.tls else { return };
            for (i, value) in fact.values(facts).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                push_legal(out, value.as_bytes());
            }
        }
    }
}

/// Adds a value's text.
pub fn push_display(out: &mut Vec<u8>, value: impl fmt::Display) {
    use std::io::Write;
    // Writing into memory cannot fail.
    let _ = write!(out, "{value}");
}

fn push_legal(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes.iter().filter(|b| **b == b'\t' || (**b >= 0x20 && **b != 0x7f)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_variables_facts_or_refused() {
        let variables = ["id".into()];
        let t = Template::parse("/v2/{id}{?query}", Some(&variables)).unwrap();
        assert_eq!(
            &*t.pieces,
            [Piece::Text("/v2/".into()), Piece::Variable("id".into()), Piece::Fact(Fact::Query)]
        );
        assert_eq!(Template::parse("{nope}", Some(&variables)), Err(TemplateError::Unknown("nope".into())));
        assert_eq!(Template::parse("{id", Some(&variables)), Err(TemplateError::Unclosed));
        assert!(Template::parse("{id}", None).is_ok());
        assert_eq!(Template::parse("{headr:x}", None), Err(TemplateError::Unknown("headr:x".into())));
        assert_eq!(Template::parse("a{{b}}", Some(&[])).unwrap().as_text(), Some("a{b}"));
    }
}
