//! How large a request head may be, and how early that is known.

mod support;

use menshen_http1::{HeadError, HeadLimits, MAX_FIELDS};
use support::{request, request_within};

const LIMITS: HeadLimits = HeadLimits { head: 1024, fields: 10, target: 100 };

/// A head of exactly `len` bytes.
fn head_of(len: usize) -> Vec<u8> {
    let mut head = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
    head.resize(len - 4, b'x');
    head.extend_from_slice(b"\r\n\r\n");
    head
}

fn head_with_fields(count: usize) -> Vec<u8> {
    let mut head = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
    for _ in 1..count {
        head.extend_from_slice(b"a:\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn head_with_target(method: &str, len: usize) -> Vec<u8> {
    format!("{method} /{} HTTP/1.1\r\nHost: a\r\n\r\n", "t".repeat(len - 1)).into_bytes()
}

fn error(src: &[u8], limits: &HeadLimits) -> Option<HeadError> {
    request_within(src, limits).err()
}

#[test]
fn a_head_of_the_limit_passes_and_one_byte_more_does_not() {
    for limit in [64, 1024, HeadLimits::default().head] {
        let limits = HeadLimits { head: limit, ..HeadLimits::default() };
        let (_, len) = request_within(&head_of(limit), &limits).unwrap().unwrap();
        assert_eq!(len, limit);
        assert_eq!(error(&head_of(limit + 1), &limits), Some(HeadError::HeadTooLarge));
    }
}

#[test]
fn bytes_behind_a_head_do_not_count_against_it() {
    let mut src = head_of(LIMITS.head);
    src.resize(LIMITS.head * 3, b'x');
    assert_eq!(request_within(&src, &LIMITS).unwrap().unwrap().1, LIMITS.head);
}

#[test]
fn a_head_without_end_waits_below_the_limit_and_is_refused_at_it() {
    let endless = head_of(LIMITS.head * 2);
    assert!(request_within(&endless[..LIMITS.head - 1], &LIMITS).unwrap().is_none());
    assert_eq!(error(&endless[..LIMITS.head], &LIMITS), Some(HeadError::HeadTooLarge));
}

#[test]
fn a_method_without_end_is_refused_at_the_limit_of_the_head() {
    let endless = vec![b'A'; LIMITS.head];
    assert!(request_within(&endless[..LIMITS.head - 1], &LIMITS).unwrap().is_none());
    assert_eq!(error(&endless, &LIMITS), Some(HeadError::HeadTooLarge));
}

#[test]
fn as_many_fields_as_the_limit_pass_and_one_more_does_not() {
    assert_eq!(request_within(&head_with_fields(10), &LIMITS).unwrap().unwrap().0.fields.len(), 10);
    assert_eq!(error(&head_with_fields(11), &LIMITS), Some(HeadError::TooManyFields));
    assert_eq!(request(&head_with_fields(100)).unwrap().unwrap().0.fields.len(), 100);
    assert_eq!(error(&head_with_fields(101), &HeadLimits::default()), Some(HeadError::TooManyFields));
}

#[test]
fn no_configuration_allows_more_fields_than_the_most() {
    let limits = HeadLimits { fields: usize::MAX, ..HeadLimits::default() };
    assert_eq!(
        request_within(&head_with_fields(MAX_FIELDS), &limits).unwrap().unwrap().0.fields.len(),
        MAX_FIELDS
    );
    assert_eq!(error(&head_with_fields(MAX_FIELDS + 1), &limits), Some(HeadError::TooManyFields));
}

#[test]
fn too_many_fields_are_found_before_the_head_ends() {
    let mut head = head_with_fields(11);
    head.truncate(head.len() - 2);
    assert_eq!(error(&head, &LIMITS), Some(HeadError::TooManyFields));
}

#[test]
fn a_target_of_the_limit_passes_and_one_byte_more_does_not() {
    for method in ["GET", "PROPPATCH", &"M".repeat(200)] {
        assert!(request_within(&head_with_target(method, 100), &LIMITS).unwrap().is_some());
        assert_eq!(error(&head_with_target(method, 101), &LIMITS), Some(HeadError::TargetTooLong));
    }
}

#[test]
fn a_target_that_is_too_long_is_found_with_the_first_byte_too_many() {
    for method in ["GET", "PROPPATCH", &"M".repeat(200)] {
        let head = head_with_target(method, 101);
        for n in 0..head.len() {
            let expected = (n > method.len() + 1 + 100).then_some(HeadError::TargetTooLong);
            assert_eq!(error(&head[..n], &LIMITS), expected, "after {n} bytes");
        }
    }
}

#[test]
fn a_target_of_the_limit_is_never_refused_half_way() {
    for method in ["GET", &"M".repeat(53), &"M".repeat(54), &"M".repeat(200)] {
        let head = head_with_target(method, 100);
        assert!(
            (0..head.len()).all(|n| error(&head[..n], &LIMITS).is_none()),
            "{} bytes of method",
            method.len()
        );
    }
}

#[test]
fn a_limit_of_nothing_lets_nothing_pass() {
    let nothing = HeadLimits { head: 0, fields: 0, target: 0 };
    assert_eq!(error(&head_of(64), &nothing), Some(HeadError::HeadTooLarge));
    let no_fields = HeadLimits { fields: 0, ..HeadLimits::default() };
    assert_eq!(error(&head_of(64), &no_fields), Some(HeadError::TooManyFields));
    let no_target = HeadLimits { target: 0, ..HeadLimits::default() };
    assert_eq!(error(&head_of(64), &no_target), Some(HeadError::TargetTooLong));
}
