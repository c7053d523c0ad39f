//! Where a body ends (RFC 9112 §6).

use crate::{FieldName, Fields, HeadError, Method, Version};

/// How the content of a request is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RequestFraming {
    /// Neither Content-Length nor Transfer-Encoding: no content.
    #[default]
    None,
    /// Exactly this many bytes.
    Length(u64),
    /// A chunked body.
    Chunked,
}

/// How the content of a response is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ResponseFraming {
    /// The status or the request method rules out content (1xx, 204, 304, HEAD, success to CONNECT).
    #[default]
    None,
    /// Exactly this many bytes.
    Length(u64),
    /// A chunked body.
    Chunked,
    /// Everything until the connection closes.
    UntilClose,
}

impl RequestFraming {
    /// The framing that the fields of a request announce.
    ///
    /// # Errors
    /// Two framings, repeated or malformed ones, codings other than `chunked`, and chunked in HTTP/1.0.
    pub fn of(fields: &Fields, version: Version) -> Result<Self, HeadError> {
        let length = content_length(fields)?;
        let chunked = transfer_encoding(fields)?;
        match (length, chunked) {
            (Some(_), Some(_)) => Err(HeadError::TwoFramings),
            (None, Some(Chunked)) if version < Version::Http11 => Err(HeadError::TransferEncoding),
            (None, Some(Chunked)) => Ok(Self::Chunked),
            (Some(n), None) => Ok(Self::Length(n)),
            (None, None) => Ok(Self::None),
        }
    }
}

impl ResponseFraming {
    /// The framing of a response to a request with this method.
    ///
    /// # Errors
    /// As for [`RequestFraming::of`]; the message then cannot be trusted and the connection not be reused.
    pub fn of(fields: &Fields, version: Version, status: u16, method: Method) -> Result<Self, HeadError> {
        let length = content_length(fields)?;
        let chunked = transfer_encoding(fields)?;
        if length.is_some() && chunked.is_some() {
            return Err(HeadError::TwoFramings);
        }
        if chunked.is_some() && version < Version::Http11 {
            return Err(HeadError::TransferEncoding);
        }
        let is_tunnel = method == Method::Connect && matches!(status, 200..=299);
        if method == Method::Head || is_tunnel || matches!(status, 100..=199 | 204 | 304) {
            return Ok(Self::None);
        }
        Ok(match (length, chunked) {
            (Some(n), _) => Self::Length(n),
            (None, Some(Chunked)) => Self::Chunked,
            (None, None) => Self::UntilClose,
        })
    }
}

struct Chunked;

fn content_length(fields: &Fields) -> Result<Option<u64>, HeadError> {
    let mut values = fields.all(FieldName::CONTENT_LENGTH);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(HeadError::ContentLength);
    }
    parse_length(value).map(Some).ok_or(HeadError::ContentLength)
}

/// 1*DIGIT within u64 and without leading zeros, which no client writes and parsers read differently.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if value.len() > 1 && value.first() == Some(&b'0') {
        return None;
    }
    Some(value.iter().fold(0u64, |n, d| n * 10 + u64::from(d - b'0')))
}

fn transfer_encoding(fields: &Fields) -> Result<Option<Chunked>, HeadError> {
    let mut values = fields.all(FieldName::TRANSFER_ENCODING);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(HeadError::TransferEncoding);
    }
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(Some(Chunked));
    }
    let is_chunked = |m: &[u8]| m.trim_ascii().eq_ignore_ascii_case(b"chunked");
    let is_coding = |m: &[u8]| !m.is_empty() && m.iter().all(|b| crate::is_token_byte(*b));
    // Chunked before another coding, or twice, is not unknown but wrong (RFC 9112 §6.3).
    let chunked_is_not_last = value.split(|b| *b == b',').rev().skip(1).any(is_chunked);
    if !chunked_is_not_last && value.split(|b| *b == b',').map(<[u8]>::trim_ascii).all(is_coding) {
        return Err(HeadError::TransferCoding);
    }
    Err(HeadError::TransferEncoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, &str)]) -> Fields {
        let mut f = Fields::new();
        for (n, v) in list {
            f.append_named(n.as_bytes(), v.as_bytes());
        }
        f
    }

    #[test]
    fn a_response_has_no_content_where_status_or_method_rule_it_out() {
        let f = fields(&[("Content-Length", "5")]);
        let of = |status, method| ResponseFraming::of(&f, Version::Http11, status, method);
        assert_eq!(of(200, Method::Get), Ok(ResponseFraming::Length(5)));
        for (status, method) in
            [(200, Method::Head), (204, Method::Get), (304, Method::Get), (101, Method::Get)]
        {
            assert_eq!(of(status, method), Ok(ResponseFraming::None));
        }
    }

    #[test]
    fn a_response_without_length_ends_with_the_connection() {
        let framing = ResponseFraming::of(&Fields::new(), Version::Http11, 200, Method::Get);
        assert_eq!(framing, Ok(ResponseFraming::UntilClose));
    }

    #[test]
    fn a_response_with_two_framings_is_refused_even_to_head() {
        let f = fields(&[("Content-Length", "5"), ("Transfer-Encoding", "chunked")]);
        let framing = ResponseFraming::of(&f, Version::Http11, 200, Method::Head);
        assert_eq!(framing, Err(HeadError::TwoFramings));
    }

    #[test]
    fn the_largest_length_fits_and_one_digit_more_does_not() {
        assert_eq!(parse_length(b"9999999999999999999"), Some(9_999_999_999_999_999_999));
        assert_eq!(parse_length(b"18446744073709551616"), None);
    }
}
