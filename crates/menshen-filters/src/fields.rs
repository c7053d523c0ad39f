//! Names and values of header fields as they stand in a configuration, checked before any request comes.

use menshen_config::{Path, Span};
use menshen_proxy::Exchange;
use menshen_proxy::http1::{FieldName, valid_name, valid_value};
use menshen_proxy::template::Template;

use crate::Setup;

/// Which message a field belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The request on its way to the service.
    Request,
    /// The reply on its way to the client.
    Reply,
}

/// Reads a name; one that is not legal, or that the gateway writes itself, is reported.
pub(crate) fn name(
    text: &str,
    message: Message,
    at: Span,
    path: &Path,
    setup: &mut Setup<'_>,
) -> Option<Box<[u8]>> {
    if !valid_name(text.as_bytes()) {
        let problem = setup.problems.error(at, path, format!("`{text}` is not the name of a header field"));
        problem.hint("names have letters, digits and hyphens, as in `x-api-version`");
        return None;
    }
    if let Some(hint) = why_not(FieldName::of(text.as_bytes()), message) {
        setup.problems.error(at, path, format!("the gateway writes `{text}` itself")).hint(hint);
        return None;
    }
    Some(text.as_bytes().into())
}

/// What to do instead, for fields that no filter can change.
fn why_not(id: FieldName, message: Message) -> Option<&'static str> {
    if id == FieldName::CONTENT_LENGTH || id == FieldName::TRANSFER_ENCODING {
        return Some("it follows from the content that is sent");
    }
    if FieldName::HOP_BY_HOP.contains(id) {
        return Some("it belongs to one connection and is never passed on");
    }
    if message == Message::Reply {
        return None;
    }
    match id {
        FieldName::HOST => Some("write `host:` in the route"),
        FieldName::EXPECT => Some("it is answered and passed on as the content needs it"),
        FieldName::VIA => Some("every gateway adds itself, so that loops are found"),
        FieldName::FORWARDED
        | FieldName::X_FORWARDED_FOR
        | FieldName::X_FORWARDED_HOST
        | FieldName::X_FORWARDED_PORT
        | FieldName::X_FORWARDED_PREFIX
        | FieldName::X_FORWARDED_PROTO
        | FieldName::X_FORWARDED_SERVER
        | FieldName::X_REAL_IP => {
            Some("write `forwarded:` in the route to say what services are told about clients")
        }
        _ => None,
    }
}

/// The value of a field: the same for all exchanges, or made for each.
#[derive(Debug)]
pub(crate) enum Value {
    /// These bytes.
    Fixed(Box<[u8]>),
    /// To be filled in.
    Made(Template),
}

impl Value {
    /// Reads a template; what cannot be a field value is reported.
    pub(crate) fn read(text: &str, at: Span, path: &Path, setup: &mut Setup<'_>) -> Option<Self> {
        let template = match Template::parse(text, setup.variables) {
            Ok(template) => template,
            Err(e) => {
                setup.problems.error(at, path, e.to_string());
                return None;
            }
        };
        if text.bytes().any(|b| b != b'\t' && b.is_ascii_control()) {
            setup.problems.error(
                at,
                path,
                "a header field cannot hold line breaks or other control characters",
            );
            return None;
        }
        match template.as_text() {
            Some(fixed) if valid_value(fixed.as_bytes()) => Some(Self::Fixed(fixed.as_bytes().into())),
            Some(_) => {
                let problem =
                    setup.problems.error(at, path, "a header field cannot begin or end with a space");
                problem.hint("take the space away");
                None
            }
            None => Some(Self::Made(template)),
        }
    }

    /// The bytes for this exchange; none where a template comes out empty.
    pub(crate) fn of<'a>(&'a self, exchange: &Exchange, scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        match self {
            Self::Fixed(bytes) => Some(bytes),
            Self::Made(template) => {
                scratch.clear();
                template.fill(exchange, scratch);
                Some(scratch.trim_ascii()).filter(|v| !v.is_empty())
            }
        }
    }
}
