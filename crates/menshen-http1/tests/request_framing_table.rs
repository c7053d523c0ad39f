//! Where the body of a request ends: every way to say it twice, or unclearly, is refused.

mod support;

use menshen_http1::HeadError::{self, *};
use support::{check_rows, refused};

/// The name of the behaviour, the bytes, and why they are refused.
type Refused = (&'static str, &'static [u8], HeadError);

/// Field lines of a POST with a Host, and a smuggled request behind it.
const FRAMING: &[Refused] = &[
    ("both a length and chunked", b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", TwoFramings),
    ("both, the other way round", b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", TwoFramings),
    ("both, with length zero", b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", TwoFramings),
    ("two different lengths", b"Content-Length: 5\r\nContent-Length: 10\r\n", ContentLength),
    ("two equal lengths", b"Content-Length: 5\r\ncontent-length: 5\r\n", ContentLength),
    ("a list of lengths", b"Content-Length: 5, 10\r\n", ContentLength),
    ("a list of equal lengths", b"Content-Length: 5, 5\r\n", ContentLength),
    ("a signed length", b"Content-Length: +5\r\n", ContentLength),
    ("a negative zero", b"Content-Length: -0\r\n", ContentLength),
    ("a negative length", b"Content-Length: -5\r\n", ContentLength),
    ("a hexadecimal length", b"Content-Length: 0x5\r\n", ContentLength),
    ("a length with underscore", b"Content-Length: 1_0\r\n", ContentLength),
    ("a length with leading zeros", b"Content-Length: 005\r\n", ContentLength),
    ("a length with a fraction", b"Content-Length: 5.0\r\n", ContentLength),
    ("a length with space inside", b"Content-Length: 1 0\r\n", ContentLength),
    ("a quoted length", b"Content-Length: \"5\"\r\n", ContentLength),
    ("a length in other digits", b"Content-Length: \xd9\xa5\r\n", ContentLength),
    ("an empty length", b"Content-Length:\r\n", ContentLength),
    ("a length of blanks", b"Content-Length: \t \r\n", ContentLength),
    ("an empty length, then one", b"Content-Length:\r\nContent-Length: 59\r\n", ContentLength),
    ("a length, then an empty one", b"Content-Length: 59\r\nContent-Length:\r\n", ContentLength),
    ("a length beyond 64 bits", b"Content-Length: 18446744073709551616\r\n", ContentLength),
    ("a length of 40 digits", b"Content-Length: 1000000000000000000000000000000000000000\r\n", ContentLength),
    ("a space before the length's colon", b"Content-Length : 5\r\n", FieldLine),
    ("the coding identity", b"Transfer-Encoding: identity\r\n", TransferCoding),
    ("identity before chunked", b"Transfer-Encoding: identity, chunked\r\n", TransferCoding),
    ("gzip before chunked", b"Transfer-Encoding: gzip, chunked\r\n", TransferCoding),
    ("gzip alone", b"Transfer-Encoding: gzip\r\n", TransferCoding),
    ("chunked before identity", b"Transfer-Encoding: chunked, identity\r\n", TransferEncoding),
    ("chunked before an unknown coding", b"Transfer-Encoding: chunked, x\r\n", TransferEncoding),
    ("chunked twice", b"Transfer-Encoding: chunked,chunked\r\n", TransferEncoding),
    ("an empty member before chunked", b"Transfer-Encoding: ,chunked\r\n", TransferEncoding),
    ("an empty member behind chunked", b"Transfer-Encoding: chunked,\r\n", TransferEncoding),
    ("two coding fields", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", TransferEncoding),
    (
        "two coding fields, one other",
        b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
        TransferEncoding,
    ),
    ("an empty coding", b"Transfer-Encoding:\r\n", TransferEncoding),
    ("an unknown coding", b"Transfer-Encoding: xchunked\r\n", TransferCoding),
    ("a quoted coding", b"Transfer-Encoding: \"chunked\"\r\n", TransferEncoding),
    ("a coding with a parameter", b"Transfer-Encoding: chunked;q=1\r\n", TransferEncoding),
    ("two words as a coding", b"Transfer-Encoding: x chunked\r\n", TransferEncoding),
    ("a vertical tab before chunked", b"Transfer-Encoding: \x0bchunked\r\n", FieldValue),
    ("a form feed behind chunked", b"Transfer-Encoding: chunked\x0c\r\n", FieldValue),
    ("NUL behind chunked", b"Transfer-Encoding: chunked\0\r\n", FieldValue),
    ("a no-break space before chunked", b"Transfer-Encoding: \xa0chunked\r\n", TransferEncoding),
    ("a space before the colon", b"Transfer-Encoding : chunked\r\n", FieldLine),
    ("a tab before the colon", b"Transfer-Encoding\t: chunked\r\n", FieldLine),
    ("a folded coding", b"Transfer-Encoding:\r\n chunked\r\n", FieldLine),
    ("a folded second coding", b"Transfer-Encoding: x\r\n\tchunked\r\n", FieldLine),
    ("a bare CR before the coding", b"X: y\rTransfer-Encoding: chunked\r\n", FieldValue),
    ("a bare LF before the coding", b"X: y\nTransfer-Encoding: chunked\r\n", BareLineFeed),
    ("an alias with underscore", b"Transfer_Encoding: chunked\r\n", Underscore),
    ("another alias with underscore", b"Content_Length: 5\r\n", Underscore),
    ("an unknown expectation", b"Expect: 200-ok\r\n", Expect),
    ("an obfuscated expectation", b"Expect: y 100-continue\r\n", Expect),
    ("an empty expectation", b"Expect:\r\n", Expect),
    ("two expectations", b"Expect: 100-continue\r\nExpect: 100-continue\r\n", Expect),
    ("a list of expectations", b"Expect: 100-continue, x\r\n", Expect),
    ("an expectation with a parameter", b"Expect: 100-continue;x=y\r\n", Expect),
];

#[test]
fn a_body_whose_end_is_in_doubt_is_refused() {
    check_rows(FRAMING, |(name, lines, expected)| {
        let head =
            [b"POST /pub HTTP/1.1\r\nHost: a\r\n", *lines, b"\r\n0\r\n\r\nGET /admin HTTP/1.1\r\n"].concat();
        refused(name, &head, *expected)
    });
}
