//! Request heads: a verdict that stands, and one reading for everyone.
#![no_main]

use std::mem::MaybeUninit;

use libfuzzer_sys::fuzz_target;
use menshen_http1::{
    FieldName, HeadError, HeadLimits, NameSet, Parsed, RequestFraming, RequestHead, Underscores, valid_name,
    valid_value, write,
};

#[path = "../../crates/menshen-http1/tests/support/head_reference.rs"]
mod head_reference;
use head_reference::{read_plainly, words};

const LIMITS: HeadLimits = HeadLimits { head: 1024, fields: 20, target: 200 };

fuzz_target!(|data: &[u8]| {
    let [cut_high, cut_low, src @ ..] = data else { return };
    let cut = usize::from(u16::from_be_bytes([*cut_high, *cut_low])) % (src.len() + 1);
    // One head for all, as on a connection.
    let mut head = RequestHead::default();
    let early = head.parse(&src[..cut], &LIMITS, Underscores::Refuse);
    let dropped = head.parse(src, &LIMITS, Underscores::Drop);
    let allowed = head.parse(src, &LIMITS, Underscores::Allow);
    let whole = head.parse(src, &LIMITS, Underscores::Refuse);

    match early {
        Ok(Parsed::Complete(_)) => assert_eq!(early, whole),
        Err(_) => assert!(whole.is_err(), "refused early, then {whole:?}"),
        Ok(Parsed::Partial) => {}
    }
    match whole {
        Ok(Parsed::Complete(len)) => {
            assert_eq!((dropped, allowed), (whole, whole));
            assert!(len <= src.len() && len <= LIMITS.head);
            check_accepted(&head, &src[..len]);
        }
        Ok(Parsed::Partial) => {
            assert!(src.len() < LIMITS.head);
            assert!(dropped.is_ok() && allowed.is_ok());
            assert!(head.fields.is_empty() && head.target().is_empty());
        }
        Err(HeadError::Underscore) => {}
        // Fields that are dropped have no say in the framing; those that are refused hide what else is wrong.
        Err(e) => assert!(dropped == Err(e) && allowed == Err(e)),
    }
});

fn check_accepted(head: &RequestHead, src: &[u8]) {
    let plain = read_plainly(src).expect("only CRLF line ends and legal bytes");
    let [method, target, version] = words(plain.start).expect("three words");
    assert_eq!((head.method_text(), head.target()), (method, target));
    assert!(version == b"HTTP/1.1" || version == b"HTTP/1.0");
    assert!(target.len() <= LIMITS.target && target.iter().all(u8::is_ascii_graphic));
    assert!(head.fields.iter().map(|f| (f.name, f.value)).eq(plain.fields.iter().copied()));
    assert!(
        head.fields
            .iter()
            .all(|f| valid_name(f.name) && valid_value(f.value) && f.id == FieldName::of(f.name))
    );
    assert!(head.fields.len() <= LIMITS.fields);

    let mut places = [MaybeUninit::uninit(); 64];
    let mut other = httparse::Request::new(&mut []);
    let status = other.parse_with_uninit_headers(src, &mut places);
    assert_eq!(status, Ok(httparse::Status::Complete(src.len())));
    assert!(other.headers.iter().map(|h| (h.name.as_bytes(), h.value)).eq(plain.fields.iter().copied()));

    let count =
        |wanted: &str| plain.fields.iter().filter(|f| f.0.eq_ignore_ascii_case(wanted.as_bytes())).count();
    assert!(count("host") == 1 || (count("host") == 0 && version == b"HTTP/1.0"));
    assert_eq!(head.host().is_some(), count("host") == 1);
    assert_eq!(
        (count("content-length"), count("transfer-encoding")),
        match head.framing {
            RequestFraming::None => (0, 0),
            RequestFraming::Length(_) => (1, 0),
            RequestFraming::Chunked => (0, 1),
        }
    );
    written_again_it_has_one_framing(head);
}

fn written_again_it_has_one_framing(head: &RequestHead) {
    let mut again = Vec::new();
    write::request_line(&mut again, head.method_text(), head.target());
    write::end_to_end_fields(&mut again, &head.fields, NameSet::of(&[FieldName::HOST]));
    write::field(&mut again, b"host", b"a");
    match head.framing {
        RequestFraming::None => {}
        RequestFraming::Length(n) => write::content_length(&mut again, n),
        RequestFraming::Chunked => write::field(&mut again, b"transfer-encoding", b"chunked"),
    }
    again.extend_from_slice(b"\r\n");
    let limits = HeadLimits::default();
    let mut second = RequestHead::default();
    assert_eq!(second.parse(&again, &limits, Underscores::Refuse), Ok(Parsed::Complete(again.len())));
    assert_eq!(
        (second.framing, second.method_text(), second.target()),
        (head.framing, head.method_text(), head.target())
    );
    assert!(
        !second
            .fields
            .iter()
            .any(|f| FieldName::HOP_BY_HOP.contains(f.id) && f.id != FieldName::TRANSFER_ENCODING)
    );
}
