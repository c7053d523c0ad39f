//! A second reader of heads, as plain as the grammar and independent of httparse: split at CRLF, split at the
//! first colon. It is shared with the fuzz targets.

/// A head as the plain reader sees it.
#[derive(Debug, PartialEq, Eq)]
pub struct PlainHead<'a> {
    /// The start line.
    pub start: &'a [u8],
    /// Names and values, the latter without spaces and tabs around them.
    pub fields: Vec<(&'a [u8], &'a [u8])>,
}

/// Reads a whole head. `None` unless every byte of it has its place in the grammar of RFC 9112 §2.1.
pub fn read_plainly(head: &[u8]) -> Option<PlainHead<'_>> {
    let lines = head.strip_suffix(b"\r\n\r\n")?;
    let mut lines = split_at_crlf(lines);
    if lines.iter().any(|line| line.iter().any(|b| matches!(b, b'\r' | b'\n' | 0))) {
        return None;
    }
    let start = lines.remove(0);
    let fields = lines.into_iter().map(read_field).collect::<Option<_>>()?;
    Some(PlainHead { start, fields })
}

/// The three words of a request line, exactly one space between them.
pub fn words(start: &[u8]) -> Option<[&[u8]; 3]> {
    let words: Vec<&[u8]> = start.split(|b| *b == b' ').collect();
    <[&[u8]; 3]>::try_from(words).ok().filter(|w| w.iter().all(|w| !w.is_empty()))
}

fn read_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|b| *b == b':')?;
    let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let is_text = |b: &u8| matches!(b, b'\t' | 0x20..=0x7e | 0x80..);
    (!name.is_empty() && name.iter().all(is_token) && value.iter().all(is_text)).then_some((name, value))
}

/// Without optional whitespace (RFC 9110 §5.6.3) at either end.
pub fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn split_at_crlf(text: &[u8]) -> Vec<&[u8]> {
    let (mut lines, mut from) = (Vec::new(), 0);
    for (at, pair) in text.windows(2).enumerate() {
        if pair == b"\r\n" {
            lines.push(&text[from..at]);
            from = at + 2;
        }
    }
    lines.push(&text[from..]);
    lines
}
