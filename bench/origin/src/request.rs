//! As much of a request head as the origin needs.

use memchr::memmem;

/// A request head found at the start of a buffer.
pub struct Head<'a> {
    /// The target, as sent.
    pub path: &'a [u8],
    /// The value of `x-generation`, if the gateway sent one.
    pub generation: Option<&'a [u8]>,
    /// How many bytes of the buffer the head takes.
    pub length: usize,
    /// How many body bytes follow it.
    pub body: usize,
}

/// What a buffer begins with.
pub enum Parsed<'a> {
    /// More bytes are needed.
    Partial,
    /// A complete head.
    Complete(Head<'a>),
    /// Something this origin does not speak, such as a chunked request body.
    Unsupported,
}

/// Reads the head at the start of `buffer`.
pub fn parse(buffer: &[u8]) -> Parsed<'_> {
    let Some(end) = memmem::find(buffer, b"\r\n\r\n") else { return Parsed::Partial };
    let head = &buffer[..end + 2];
    let Some(line) = memchr::memchr(b'\r', head).map(|stop| &head[..stop]) else {
        return Parsed::Unsupported;
    };
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Parsed::Unsupported };
    let fields = &head[line.len()..];
    let body = match method {
        b"GET" => 0,
        _ if field(fields, b"transfer-encoding").is_some() => return Parsed::Unsupported,
        _ => field(fields, b"content-length").and_then(number).unwrap_or(0),
    };
    // Only the replies that show it pay for looking it up.
    let generation = if path.starts_with(b"/generation") { field(fields, b"x-generation") } else { None };
    Parsed::Complete(Head { path, generation, length: end + 4, body })
}

/// The value of the field with this name; `fields` starts with the line end before the first field.
fn field<'a>(fields: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    fields.split(|&byte| byte == b'\n').find_map(|line| {
        let (left, right) = line.split_at_checked(name.len())?;
        let value = right.strip_prefix(b":")?;
        left.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(bytes: &[u8]) -> Head<'_> {
        match parse(bytes) {
            Parsed::Complete(head) => head,
            _ => panic!("not a complete head"),
        }
    }

    #[test]
    fn a_get_has_no_body() {
        let head = complete(b"GET /16k HTTP/1.1\r\nhost: a\r\n\r\nrest");
        assert_eq!((head.path, head.body, head.length), (&b"/16k"[..], 0, 30));
    }

    #[test]
    fn a_post_names_its_length_in_any_case() {
        let head = complete(b"POST /s HTTP/1.1\r\nHost: a\r\nContent-LENGTH:  65536 \r\n\r\n");
        assert_eq!(head.body, 65536);
    }

    #[test]
    fn the_generation_is_seen() {
        let head = complete(b"GET /generation HTTP/1.1\r\nX-Generation: B\r\n\r\n");
        assert_eq!(head.generation, Some(&b"B"[..]));
    }

    #[test]
    fn half_a_head_is_partial() {
        assert!(matches!(parse(b"GET / HTTP/1.1\r\nhost: a\r\n"), Parsed::Partial));
    }

    #[test]
    fn a_chunked_body_is_refused() {
        assert!(matches!(
            parse(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Parsed::Unsupported
        ));
    }
}
