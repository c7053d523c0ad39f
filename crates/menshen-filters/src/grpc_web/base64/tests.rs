use proptest::prelude::*;

use super::*;

fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Failure> {
    let (mut decoder, mut out) = (Decoder::default(), Vec::new());
    for piece in pieces {
        decoder.push(piece, &mut out)?;
    }
    decoder.finish(&mut out).map(|()| out)
}

fn encoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::default(), Vec::new());
    pieces.into_iter().for_each(|piece| encoder.push(piece, &mut out));
    encoder.flush(&mut out);
    out
}

/// The test vectors of RFC 4648 §10.
const VECTORS: [(&str, &str); 7] = [
    ("", ""),
    ("f", "Zg=="),
    ("fo", "Zm8="),
    ("foo", "Zm9v"),
    ("foob", "Zm9vYg=="),
    ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
];

#[test]
fn the_vectors_of_the_standard_hold_however_they_are_split() {
    for (plain, text) in VECTORS.map(|(p, t)| (p.as_bytes(), t.as_bytes())) {
        for at in 0..=text.len() {
            assert_eq!(decoded([&text[..at], &text[at..]]), Ok(plain.to_vec()));
        }
        for at in 0..=plain.len() {
            assert_eq!(encoded([&plain[..at], &plain[at..]]), text);
        }
    }
}

#[test]
fn padding_may_stand_where_a_writer_has_flushed() {
    assert_eq!(decoded([&b"Zg==Zm8=Zm9vZg=="[..]]), Ok(b"ffofoof".to_vec()));
}

#[test]
fn what_no_encoder_writes_is_refused() {
    for text in ["Zm9v\n", "Zm 9", "Zm9-", "Z===", "=Zm9", "Zm=v", "Zh==", "Zm9=", "====", "Zg==="] {
        assert_eq!(decoded([text.as_bytes()]), Err(Failure::BadContent), "{text:?}");
    }
    for text in ["Z", "Zm", "Zm9", "Zm9vZ", "Zg="] {
        assert_eq!(decoded([text.as_bytes()]), Err(Failure::BodyTruncated), "{text:?}");
    }
}

proptest! {
    #[test]
    fn what_was_encoded_comes_back_whatever_the_pieces(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12),
        size in 1_usize..9,
    ) {
        let (mut encoder, mut text) = (Encoder::default(), Vec::new());
        for (n, piece) in pieces.iter().enumerate() {
            encoder.push(piece, &mut text);
            if n % 3 == 0 {
                encoder.flush(&mut text);
            }
        }
        encoder.flush(&mut text);
        prop_assert_eq!(decoded(text.chunks(size)), Ok(pieces.concat()));
    }

    #[test]
    fn any_text_is_decoded_or_refused_the_same_way_however_it_is_split(
        text in "[A-Da-d+/=]{0,24}",
        size in 1_usize..9,
    ) {
        prop_assert_eq!(decoded(text.as_bytes().chunks(size)), decoded([text.as_bytes()]));
    }
}
