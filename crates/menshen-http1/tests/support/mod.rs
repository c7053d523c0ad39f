//! What the tables and properties share.
#![allow(dead_code)] // each test file uses its own part

pub mod chunked_reference;
pub mod head_reference;

use menshen_http1::{
    HeadError, HeadLimits, Method, Parsed, RequestFraming, RequestHead, ResponseHead, Underscores, Version,
};

/// Reads a request head with the default limits; `None` when it is not complete.
pub fn request(src: &[u8]) -> Result<Option<(RequestHead, usize)>, HeadError> {
    request_within(src, &HeadLimits::default())
}

/// Reads a request head with these limits.
pub fn request_within(src: &[u8], limits: &HeadLimits) -> Result<Option<(RequestHead, usize)>, HeadError> {
    let mut head = RequestHead::default();
    Ok(match head.parse(src, limits, Underscores::Refuse)? {
        Parsed::Partial => None,
        Parsed::Complete(len) => Some((head, len)),
    })
}

/// Reads a response head with the default limits.
pub fn response(src: &[u8], method: Method) -> Result<Option<(ResponseHead, usize)>, HeadError> {
    let mut head = ResponseHead::default();
    Ok(match head.parse(src, method, &HeadLimits::default())? {
        Parsed::Partial => None,
        Parsed::Complete(len) => Some((head, len)),
    })
}

/// What was read of a request, in one line: `GET / 1.1 fields=1 none keep-alive upgrade continue`.
pub fn request_facts(head: &RequestHead) -> String {
    let mut facts = format!(
        "{} {} {} fields={} {}",
        String::from_utf8_lossy(head.method_text()),
        String::from_utf8_lossy(head.target()),
        if head.version == Version::Http11 { "1.1" } else { "1.0" },
        head.fields.len(),
        match head.framing {
            RequestFraming::None => "none".to_owned(),
            RequestFraming::Length(n) => format!("length={n}"),
            RequestFraming::Chunked => "chunked".to_owned(),
        },
    );
    for (holds, word) in [
        (head.keep_alive, " keep-alive"),
        (head.wants_upgrade, " upgrade"),
        (head.expects_continue, " continue"),
    ] {
        facts.push_str(if holds { word } else { "" });
    }
    facts
}

/// What was read of a response, in one line.
pub fn response_facts(head: &ResponseHead) -> String {
    format!(
        "{} {} {} fields={} {:?}{}",
        if head.version == Version::Http11 { "1.1" } else { "1.0" },
        head.status,
        String::from_utf8_lossy(head.reason()),
        head.fields.len(),
        head.framing,
        if head.keep_alive { " keep-alive" } else { "" },
    )
}

/// Checks all rows of a table and names every one that does not hold.
pub fn check_rows<R>(rows: &[R], check: impl Fn(&R) -> Result<(), String>) {
    let wrong: Vec<String> = rows.iter().filter_map(|row| check(row).err()).collect();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// Checks that a request head is refused for this reason, and that nothing then speaks for going on.
pub fn refused(name: &str, src: &[u8], expected: HeadError) -> Result<(), String> {
    let mut head = RequestHead::default();
    match head.parse(src, &HeadLimits::default(), Underscores::Refuse) {
        Err(e) if e != expected => Err(format!("{name}: {} instead of {}", e.code(), expected.code())),
        Err(_) if head.keep_alive || head.wants_upgrade || head.expects_continue => {
            Err(format!("{name}: refused, but goes on: {}", request_facts(&head)))
        }
        Err(_) => Ok(()),
        Ok(Parsed::Complete(_)) => Err(format!("{name}: accepted as {}", request_facts(&head))),
        Ok(Parsed::Partial) => Err(format!("{name}: waits for more of {}", show(src))),
    }
}

/// A readable form of raw bytes.
pub fn show(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    if text.len() > 200 { format!("{}... ({} bytes)", &text[..200], bytes.len()) } else { text }
}
