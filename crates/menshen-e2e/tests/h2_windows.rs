//! Answers over HTTP/2 through windows of any size (RFC 9113 §5.2).

use menshen_e2e::frames::{END, H2, kind};
use menshen_e2e::{Origin, TestGateway, reply_with};

/// SETTINGS_INITIAL_WINDOW_SIZE.
const WINDOW: u16 = 4;

/// Content in which no two places look alike.
fn content(length: usize) -> Vec<u8> {
    (0u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).take(length).collect()
}

/// The content as a service sends it with a length, or in chunks of this size.
fn response(content: &[u8], chunk: Option<usize>, fields: &str) -> Vec<u8> {
    let mut bytes = match chunk {
        None => format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n", content.len()),
        Some(_) => format!("HTTP/1.1 200 OK\r\n{fields}Transfer-Encoding: chunked\r\n\r\n"),
    }
    .into_bytes();
    for piece in content.chunks(chunk.unwrap_or(usize::MAX)) {
        match chunk {
            None => bytes.extend_from_slice(piece),
            Some(_) => bytes.extend([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()),
        }
    }
    if chunk.is_some() {
        bytes.extend_from_slice(b"0\r\n\r\n");
    }
    bytes
}

/// Takes an answer whole; whenever the window is used up it opens by the next of these steps, over and over.
fn take(client: &mut H2, stream: u32, window: usize, steps: &[usize]) -> Vec<u8> {
    let (mut content, mut open) = (Vec::new(), window);
    let mut steps = steps.iter().cycle();
    loop {
        let frame = client.until("content", |f| f.kind == kind::DATA && f.stream == stream);
        content.extend_from_slice(&frame.payload);
        open -= frame.payload.len();
        if frame.flags & END != 0 {
            return content;
        }
        if open == 0 {
            open = *steps.next().expect("a step");
            client.window(stream, open as u32);
        }
    }
}

/// A gateway that speaks HTTP/2 to another one.
fn in_front_of(back: &TestGateway) -> TestGateway {
    let services = format!("services: {{ back: {{ protocol: h2c, endpoints: ['{}'] }} }}", back.address());
    TestGateway::start(&format!("{services}\nroutes: {{ all: {{ match: /**, to: back }} }}"), &[])
}

#[test]
fn an_answer_arrives_whole_however_its_window_opens() {
    let whole = content(300_000);
    for chunk in [None, Some(1), Some(1000), Some(100_000)] {
        // One byte at a time takes long; what is short then ends within the first bytes that were read, or behind them.
        let length = if chunk == Some(1) { 20_000 } else { whole.len() };
        let sent = response(&whole[..length], chunk, "");
        let origin = Origin::answering(move |_| sent.clone());
        let gateway = TestGateway::in_front_of(&origin);
        let front = in_front_of(&gateway);
        for (window, steps) in [
            (1, &[1, 2047, 2048, 2049, 40_000][..]),
            (1, &[7, 100_000]),
            (3000, &[3000]),
            (65_535, &[1, 16_384, 32_769]),
            (250_000, &[200_000]),
        ] {
            for (service, gateway) in [("HTTP/1.1", &gateway), ("HTTP/2", &front)] {
                let mut client = H2::connect(gateway.address(), &[(WINDOW, window)]);
                client.window(0, 0x7000_0000).get(1, "/");
                let came = take(&mut client, 1, window as usize, steps);
                let how = format!("{service}, chunks of {chunk:?}, a window of {window}, then {steps:?}");
                assert!(came == whole[..length], "{how}");
            }
        }
        assert_eq!(
            origin.connections(),
            1,
            "each answer was taken whole, so that the connection could be used again"
        );
    }
}

#[test]
fn the_end_of_an_answer_needs_no_window() {
    let origin = Origin::answering(|_| response(&[b'x'; 5000], Some(1000), ""));
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = H2::connect(gateway.address(), &[(WINDOW, 5000)]);
    client.get(1, "/");
    assert_eq!(take(&mut client, 1, 5001, &[]).len(), 5000);
}

#[test]
fn a_head_that_is_larger_than_what_is_read_ahead_arrives() {
    let fields: String = (0..40).map(|n| format!("X-Field-{n}: {}\r\n", "v".repeat(1000))).collect();
    let sent = reply_with("200 OK", &fields, &"y".repeat(5000));
    let origin = Origin::answering(move |_| sent.clone());
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = H2::connect(gateway.address(), &[(WINDOW, 0)]);
    client.get(1, "/");
    client.until("the head", |f| f.kind == kind::HEADERS && f.stream == 1);
    client.window(1, 10_000);
    assert_eq!(take(&mut client, 1, 10_000, &[]), [b'y'; 5000]);
}
