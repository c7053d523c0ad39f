//! What holds for every chunked body, however it is written and cut.

mod support;

use menshen_http1::FieldName;
use proptest::prelude::*;
use proptest::sample::Index;
use support::chunked_reference::{Outcome, decode_by_grammar, decode_in_pieces};

/// A body as it may be sent: the bytes, the content, and how many trailers.
#[derive(Debug, Clone)]
struct Sent {
    wire: Vec<u8>,
    content: Vec<u8>,
    trailers: Vec<(String, String)>,
}

prop_compose! {
    fn extension()(
        name in "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}",
        value in prop_oneof![
            Just(String::new()),
            "=[0-9A-Za-z.]{1,8}",
            "=\"([ -!#-\\[\\]-~\t]|\\\\[ -~]){0,12}\"",
        ],
    ) -> String {
        format!(";{name}{value}")
    }
}

prop_compose! {
    fn chunk()(
        data in prop::collection::vec(any::<u8>(), 1..300),
        upper in any::<bool>(),
        zeros in 0usize..12,
        extensions in prop::collection::vec(extension(), 0..3),
    ) -> (Vec<u8>, Vec<u8>) {
        let size = if upper { format!("{:X}", data.len()) } else { format!("{:x}", data.len()) };
        let mut wire = format!("{}{size}{}\r\n", "0".repeat(zeros), extensions.concat()).into_bytes();
        wire.extend_from_slice(&data);
        wire.extend_from_slice(b"\r\n");
        (wire, data)
    }
}

prop_compose! {
    fn body()(
        chunks in prop::collection::vec(chunk(), 0..8),
        extension in prop::option::of(extension()),
        trailers in prop::collection::vec(("X-[A-Za-z0-9-]{1,8}", "([!-~]([ -~\t]{0,20}[!-~])?)?"), 0..5),
    ) -> Sent {
        let (mut wire, mut content) = (Vec::new(), Vec::new());
        for (bytes, data) in chunks {
            wire.extend(bytes);
            content.extend(data);
        }
        wire.extend(format!("0{}\r\n", extension.unwrap_or_default()).into_bytes());
        for (name, value) in &trailers {
            wire.extend(format!("{name}: {value}\t \r\n").into_bytes());
        }
        wire.extend(b"\r\n");
        Sent { wire, content, trailers }
    }
}

const BYTES: &[u8] = b"\r\n;:=\" 0\0\x0b\x0c";

const PARTS: &[&[u8]] = &[
    b"\r\n",
    b"0",
    b"5",
    b"1\r\nx\r\n",
    b"a",
    b";",
    b"=",
    b"\"",
    b"\\",
    b":",
    b"X: y\r\n",
    b" ",
    b"\r",
    b"\n",
    b"0\r\n",
];

/// Bytes that often come near to a chunked body.
fn nearly_a_body() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => prop::sample::select(PARTS).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..4),
        2 => chunk().prop_map(|(wire, _)| wire),
    ];
    prop::collection::vec(part, 0..16).prop_map(|parts| parts.concat())
}

fn cut<'a>(wire: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|i| i.index(wire.len() + 1)).collect();
    at.extend([0, wire.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_body_is_its_content_however_it_is_cut(
        sent in body(),
        behind in prop::collection::vec(any::<u8>(), 0..20),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let wire = [&sent.wire[..], &behind].concat();
        let (decoder, outcome) = decode_in_pieces(cut(&wire, &cuts));
        let expected = Outcome::Whole { content: sent.content, trailer_lines: sent.trailers.len(), len: sent.wire.len() };
        prop_assert_eq!(&outcome, &Ok(expected));
        prop_assert_eq!(outcome, Ok(decode_by_grammar(&wire)));
        let read: Vec<(String, String)> = decoder
            .trailers()
            .iter()
            .map(|f| (String::from_utf8_lossy(f.name).into(), String::from_utf8_lossy(f.value).into()))
            .collect();
        prop_assert_eq!(read.len(), sent.trailers.len());
        for (read, sent) in read.iter().zip(&sent.trailers) {
            prop_assert_eq!(read, sent);
        }
    }

    #[test]
    fn anything_is_read_as_the_grammar_reads_it(
        wire in nearly_a_body(),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        agrees_with_the_grammar(&wire, &cuts)?;
    }

    #[test]
    fn a_body_with_one_byte_changed_is_read_as_the_grammar_reads_it(
        sent in body(),
        at in any::<Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(BYTES)],
        cuts in prop::collection::vec(any::<Index>(), 0..6),
    ) {
        let mut wire = sent.wire;
        let at = at.index(wire.len());
        wire[at] = byte;
        agrees_with_the_grammar(&wire, &cuts)?;
    }
}

fn agrees_with_the_grammar(wire: &[u8], cuts: &[Index]) -> Result<(), TestCaseError> {
    let (decoder, in_pieces) = decode_in_pieces(cut(wire, cuts));
    let (_, at_once) = decode_in_pieces([wire]);
    prop_assert_eq!(&in_pieces, &at_once, "pieces matter");
    let kept = decoder.trailers();
    prop_assert!(
        !kept.iter().any(|f| FieldName::HOP_BY_HOP.contains(f.id) || f.id == FieldName::CONTENT_LENGTH)
    );
    match (in_pieces, decode_by_grammar(wire)) {
        (Err(_), Outcome::Refused) => {}
        (
            Ok(Outcome::Whole { content, len, trailer_lines }),
            Outcome::Whole { content: expected, len: end, trailer_lines: lines },
        ) => {
            prop_assert_eq!((content, len), (expected, end));
            prop_assert!(trailer_lines <= lines, "some trailers are dropped, none are made");
        }
        (ours, grammar) => prop_assert_eq!(ours, Ok(grammar)),
    }
    Ok(())
}
