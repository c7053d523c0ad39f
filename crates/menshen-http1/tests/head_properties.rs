//! What holds for every head.

mod support;

use std::mem::MaybeUninit;

use menshen_http1::{
    FieldName, HeadLimits, Method, NameSet, Parsed, RequestFraming, RequestHead, ResponseHead, Underscores,
    valid_name, valid_value, write,
};
use proptest::prelude::*;
use proptest::sample::Index;
use support::head_reference::{read_plainly, words};
use support::{request, show};

type Lines = Vec<(String, Vec<u8>)>;

/// Field values: every legal byte, no blanks around.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![8 => 0x20u8..=0x7e, 2 => 0x80u8..=0xff, 1 => Just(b'\t')];
    prop::collection::vec(byte, 0..60).prop_map(|v| v.trim_ascii().to_vec())
}

/// Field names that say nothing about framing or routing.
fn name() -> impl Strategy<Value = String> {
    prop_oneof!["X-[!#$%&'*+.^`|~0-9A-Za-z-]{1,20}", "(Accept|cookie|VIA|Date|Set-Cookie)"]
}

fn framing() -> impl Strategy<Value = RequestFraming> {
    prop_oneof![
        Just(RequestFraming::None),
        Just(RequestFraming::Chunked),
        (0u64..1 << 62).prop_map(RequestFraming::Length),
    ]
}

fn put_framing(out: &mut Vec<u8>, framing: RequestFraming) {
    match framing {
        RequestFraming::None => {}
        RequestFraming::Length(n) => write::content_length(out, n),
        RequestFraming::Chunked => write::field(out, b"Transfer-Encoding", b"chunked"),
    }
}

fn written(method: &str, target: &[u8], fields: &Lines, framing: RequestFraming) -> Vec<u8> {
    let head = RequestHead::new(method, target);
    let mut out = Vec::new();
    write::request_line(&mut out, head.method_text(), head.target());
    write::field(&mut out, b"Host", b"a");
    for (name, value) in fields {
        write::field(&mut out, name.as_bytes(), value);
    }
    put_framing(&mut out, framing);
    out.extend_from_slice(b"\r\n");
    out
}

prop_compose! {
    fn good_head()(
        method in "(GET|POST|[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12})",
        target in "[!\"$-~]{1,80}",
        fields in prop::collection::vec((name(), value()), 0..20),
        framing in framing(),
    ) -> Vec<u8> {
        written(&method, target.as_bytes(), &fields, framing)
    }
}

const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\r",
    b"\n",
    b" ",
    b"\t",
    b"\0",
    b":",
    b",",
    b"#",
    b"\x7f",
    b"\xff",
    b"_",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0005\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: x, chunked\r\n",
    b"\r\nHost: b",
    b"\r\n b",
    b"Expect: 100-continue\r\n",
];

/// A good head with bytes changed, left out or put in.
fn mutated_head() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(PIECES).prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..3),
    ];
    (good_head(), prop::collection::vec((any::<Index>(), 0usize..3, piece), 0..4)).prop_map(
        |(mut head, edits)| {
            for (at, cut, piece) in edits {
                let at = at.index(head.len() + 1);
                let end = (at + cut).min(head.len());
                head.splice(at..end, piece);
            }
            head
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_parsers_panic(src in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = request(&src);
        let _ = support::response(&src, Method::Get);
    }

    #[test]
    fn a_written_request_is_read_as_it_was_meant(
        method in "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}",
        target in "[!\"$-~]{1,200}",
        fields in prop::collection::vec((name(), value()), 0..40),
        framing in framing(),
    ) {
        let wire = written(&method, target.as_bytes(), &fields, framing);
        let (head, len) = request(&wire).unwrap().expect("a whole head");
        prop_assert_eq!(len, wire.len());
        prop_assert_eq!((head.method_text(), head.target()), (method.as_bytes(), target.as_bytes()));
        prop_assert_eq!(head.method(), Method::of(method.as_bytes()));
        prop_assert_eq!(head.framing, framing);
        let read: Lines =
            head.fields.iter().skip(1).map(|f| (String::from_utf8_lossy(f.name).into(), f.value.to_vec())).collect();
        prop_assert_eq!(&read[..fields.len()], &fields[..]);
        prop_assert_eq!(read.len(), fields.len() + usize::from(framing != RequestFraming::None));
    }

    #[test]
    fn a_written_reply_is_read_as_it_was_meant(
        status in 100u16..=999,
        fields in prop::collection::vec((name(), value()), 0..40),
    ) {
        let mut head = ResponseHead::new(status);
        for (name, value) in &fields {
            head.fields.append_named(name.as_bytes(), value);
        }
        let mut wire = Vec::new();
        write::status_line(&mut wire, &head);
        write::end_to_end_fields(&mut wire, &head.fields, NameSet::default());
        wire.extend_from_slice(b"\r\n");
        let (read, len) = support::response(&wire, Method::Get).unwrap().expect("a whole head");
        prop_assert_eq!((len, read.status, read.reason()), (wire.len(), status, head.reason()));
        prop_assert!(read.fields.iter().eq(head.fields.iter()));
    }

    #[test]
    fn what_is_accepted_is_read_alike_by_everyone_and_has_one_framing_when_written_again(
        src in prop_oneof![mutated_head(), good_head()],
    ) {
        let Ok(Some((head, len))) = request(&src) else { return Ok(()) };
        let plain = read_plainly(&src[..len]);
        prop_assert!(plain.is_some(), "only CRLF line ends and legal bytes: {}", show(&src));
        let plain = plain.expect("checked above");
        let [method, target, _version] = words(plain.start).expect("three words");
        prop_assert_eq!((head.method_text(), head.target()), (method, target));
        prop_assert!(head.fields.iter().map(|f| (f.name, f.value)).eq(plain.fields.iter().copied()));

        let mut places = [MaybeUninit::uninit(); 128];
        let mut other = httparse::Request::new(&mut []);
        let status = other.parse_with_uninit_headers(&src, &mut places);
        prop_assert_eq!(status, Ok(httparse::Status::Complete(len)));
        prop_assert!(other.headers.iter().map(|h| (h.name.as_bytes(), h.value)).eq(plain.fields.iter().copied()));

        prop_assert!(head.fields.iter().all(|f| valid_name(f.name) && valid_value(f.value)));
        let mut again = Vec::new();
        write::request_line(&mut again, head.method_text(), head.target());
        write::end_to_end_fields(&mut again, &head.fields, NameSet::default());
        put_framing(&mut again, head.framing);
        again.extend_from_slice(b"\r\n");
        let plain = read_plainly(&again).expect("written well");
        let is_framing = |name: &[u8]| {
            matches!(FieldName::of(name), FieldName::CONTENT_LENGTH | FieldName::TRANSFER_ENCODING)
        };
        let framings = plain.fields.iter().filter(|(name, _)| is_framing(name)).count();
        prop_assert_eq!(framings, usize::from(head.framing != RequestFraming::None));
        if plain.fields.iter().any(|(name, _)| FieldName::of(name) == FieldName::HOST) {
            let (second, _) = request(&again).unwrap().expect("a whole head");
            prop_assert_eq!(second.framing, head.framing);
        }
    }

    #[test]
    fn the_verdict_does_not_depend_on_how_the_bytes_arrive(src in mutated_head(), cut in any::<Index>()) {
        let limits = HeadLimits { target: 60, head: 600, fields: 16 };
        let parse = |src: &[u8]| RequestHead::default().parse(src, &limits, Underscores::Refuse);
        let (early, whole) = (parse(&src[..cut.index(src.len() + 1)]), parse(&src));
        match early {
            Ok(Parsed::Complete(_)) => prop_assert_eq!(early, whole),
            Err(_) => prop_assert!(whole.is_err(), "refused early with {early:?}, then {whole:?}"),
            Ok(Parsed::Partial) => {}
        }
        if let Ok(Parsed::Complete(len)) = whole {
            prop_assert_eq!(parse(&[&src[..len], b"GET /next"].concat()), whole);
        }
    }
}
