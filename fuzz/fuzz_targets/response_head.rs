//! Response heads: a verdict that stands, and one reading for everyone.
#![no_main]
#![allow(dead_code)] // of the shared readers

use std::mem::MaybeUninit;

use libfuzzer_sys::fuzz_target;
use menshen_http1::{
    FieldName, HeadLimits, Method, NameSet, Parsed, ResponseFraming, ResponseHead, valid_name, valid_value,
    write,
};

#[path = "../../crates/menshen-http1/tests/support/head_reference.rs"]
mod head_reference;
use head_reference::read_plainly;

const LIMITS: HeadLimits = HeadLimits { head: 1024, fields: 20, target: 0 };

fuzz_target!(|data: &[u8]| {
    let [method, cut_high, cut_low, src @ ..] = data else { return };
    let method = [Method::Get, Method::Head, Method::Connect][usize::from(method % 3)];
    let cut = usize::from(u16::from_be_bytes([*cut_high, *cut_low])) % (src.len() + 1);
    // One head for both, as on a connection.
    let mut head = ResponseHead::default();
    let early = head.parse(&src[..cut], method, &LIMITS);
    let whole = head.parse(src, method, &LIMITS);
    match early {
        Ok(Parsed::Complete(_)) => assert_eq!(early, whole),
        Err(_) => assert!(whole.is_err(), "refused early, then {whole:?}"),
        Ok(Parsed::Partial) => {}
    }
    match whole {
        Ok(Parsed::Complete(len)) => {
            assert!(len <= src.len() && len <= LIMITS.head);
            check_accepted(&head, &src[..len], method);
        }
        Ok(Parsed::Partial) => assert!(src.len() < LIMITS.head && head.fields.is_empty() && !head.keep_alive),
        Err(_) => {}
    }
});

fn check_accepted(head: &ResponseHead, src: &[u8], method: Method) {
    let plain = read_plainly(src).expect("only CRLF line ends and legal bytes");
    assert!(head.fields.iter().map(|f| (f.name, f.value)).eq(plain.fields.iter().copied()));
    assert!(
        head.fields
            .iter()
            .all(|f| valid_name(f.name) && valid_value(f.value) && f.id == FieldName::of(f.name))
    );
    assert!(head.fields.len() <= LIMITS.fields);
    let code = plain.start.get(8..12).expect("a status code");
    assert_eq!(code, format!(" {}", head.status).as_bytes());
    assert!(matches!(plain.start.get(12), None | Some(b' ')));
    assert!((100..=999).contains(&head.status));

    let mut places = [MaybeUninit::uninit(); 64];
    let mut other = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let status = config.parse_response_with_uninit_headers(&mut other, src, &mut places);
    assert_eq!((status, other.code), (Ok(httparse::Status::Complete(src.len())), Some(head.status)));
    assert!(other.headers.iter().map(|h| (h.name.as_bytes(), h.value)).eq(plain.fields.iter().copied()));

    let count =
        |wanted: &str| plain.fields.iter().filter(|f| f.0.eq_ignore_ascii_case(wanted.as_bytes())).count();
    let announced = (count("content-length"), count("transfer-encoding"));
    match head.framing {
        ResponseFraming::None => {
            let no_content = matches!(head.status, 100..=199 | 204 | 304);
            assert!(method != Method::Get || no_content);
        }
        ResponseFraming::Length(_) => assert_eq!(announced, (1, 0)),
        ResponseFraming::Chunked => assert_eq!(announced, (0, 1)),
        ResponseFraming::UntilClose => assert_eq!((announced, head.keep_alive), ((0, 0), false)),
    }
    assert!(announced.0 + announced.1 <= 1);
    written_again_it_is_the_same(head, method);
}

fn written_again_it_is_the_same(head: &ResponseHead, method: Method) {
    let mut again = Vec::new();
    write::status_line(&mut again, head);
    write::end_to_end_fields(&mut again, &head.fields, NameSet::of(&[]));
    match head.framing {
        ResponseFraming::None | ResponseFraming::UntilClose => {}
        ResponseFraming::Length(n) => write::content_length(&mut again, n),
        ResponseFraming::Chunked => write::field(&mut again, b"transfer-encoding", b"chunked"),
    }
    again.extend_from_slice(b"\r\n");
    let mut second = ResponseHead::default();
    assert_eq!(second.parse(&again, method, &HeadLimits::default()), Ok(Parsed::Complete(again.len())));
    assert_eq!((second.status, second.framing, second.reason()), (head.status, head.framing, head.reason()));
}
