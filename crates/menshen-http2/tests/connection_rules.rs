//! What a peer may send and what not (RFC 9113 §4 to §6), and what becomes of it.

#[path = "support/connection.rs"]
#[allow(dead_code)] // of what the tests share
mod support;

use menshen_http2::frame::{MAX_PAYLOAD, flag, kind};
use menshen_http2::{Code, Connection, End, Role, Room, Stage};
use support::{
    Event, Log, OFFER, TestLane, client, frame, frames, greeted, headers, open, receive, server, setting,
    window_update, written,
};

const POST: &[(&str, &str)] = &[(":method", "POST")];
const OK: &[(&str, &str)] = &[(":status", "200")];
const END: u8 = flag::END_STREAM;
const WHOLE: u8 = flag::END_HEADERS;

/// What becomes of these frames after the greeting, an open stream 1 and an ended stream 3.
fn judged(bytes: &[u8]) -> Result<(), Code> {
    let (mut server, mut log) = server(&[1]);
    receive(&mut server, &mut log, &headers(3, END, POST)).expect("a request");
    let n = receive(&mut server, &mut log, bytes)?;
    assert_eq!(n, bytes.len());
    Ok(())
}

#[test]
fn frames_of_the_wrong_size_are_frame_size_errors() {
    let too_much = [0; MAX_PAYLOAD + 1];
    for (name, bytes) in [
        ("DATA over the limit", frame(kind::DATA, 0, 1, &too_much)),
        ("HEADERS over the limit", frame(kind::HEADERS, WHOLE, 5, &too_much)),
        ("unknown over the limit", frame(0xff, 0, 0, &too_much)),
        ("DATA without its pad length", frame(kind::DATA, flag::PADDED, 1, &[])),
        ("HEADERS without their priority", frame(kind::HEADERS, 0x24, 5, &[0; 4])),
        ("HEADERS without their pad length", frame(kind::HEADERS, 0x0c, 5, &[])),
        ("short PRIORITY", frame(kind::PRIORITY, 0, 1, &[0; 4])),
        ("long RST_STREAM", frame(kind::RST_STREAM, 0, 1, &[0; 5])),
        ("SETTINGS of half a setting", frame(kind::SETTINGS, 0, 0, &[0; 3])),
        ("acknowledgement of something", frame(kind::SETTINGS, flag::ACK, 0, &[0; 6])),
        ("short PING", frame(kind::PING, 0, 0, &[0; 7])),
        ("short GOAWAY", frame(kind::GOAWAY, 0, 0, &[0; 7])),
        ("short WINDOW_UPDATE", frame(kind::WINDOW_UPDATE, 0, 0, &[0; 3])),
    ] {
        assert_eq!(judged(&bytes), Err(Code::FRAME_SIZE_ERROR), "{name}");
    }
}

#[test]
fn offences_end_the_connection_with_the_code_that_names_them() {
    let (odd, closed, flow) = (Code::PROTOCOL_ERROR, Code::STREAM_CLOSED, Code::FLOW_CONTROL_ERROR);
    for (name, bytes, code) in [
        ("DATA on the connection", frame(kind::DATA, 0, 0, b"x"), odd),
        ("DATA that is all padding", frame(kind::DATA, flag::PADDED, 1, &[1]), odd),
        ("DATA on an idle stream", frame(kind::DATA, 0, 5, b"x"), odd),
        ("DATA after the end", frame(kind::DATA, 0, 3, b"x"), closed),
        ("HEADERS on the connection", frame(kind::HEADERS, 5, 0, &[0x82]), odd),
        ("HEADERS on a stream of ours", frame(kind::HEADERS, 5, 6, &[0x82]), odd),
        ("HEADERS after the end", frame(kind::HEADERS, 5, 3, &[0x82]), closed),
        ("HEADERS with too much padding", frame(kind::HEADERS, 0x0d, 5, &[2, 0x82]), odd),
        ("HEADERS that depend on themselves", frame(kind::HEADERS, 0x25, 5, &[0, 0, 0, 5, 1]), odd),
        ("a field block cut short", frame(kind::HEADERS, 5, 5, b"\x40"), Code::COMPRESSION_ERROR),
        ("an entry that is not there", frame(kind::HEADERS, 5, 5, b"\xbe"), Code::COMPRESSION_ERROR),
        ("broken Huffman code", frame(kind::HEADERS, 5, 5, b"\x00\x81\xff\x00"), Code::COMPRESSION_ERROR),
        ("trailers that are not the end", frame(kind::HEADERS, WHOLE, 1, &[]), odd),
        ("PRIORITY on the connection", frame(kind::PRIORITY, 0, 0, &[0; 5]), odd),
        ("PRIORITY on itself", frame(kind::PRIORITY, 0, 1, &[0x80, 0, 0, 1, 1]), odd),
        ("RST_STREAM on the connection", frame(kind::RST_STREAM, 0, 0, &[0; 4]), odd),
        ("RST_STREAM on an idle stream", frame(kind::RST_STREAM, 0, 5, &[0; 4]), odd),
        ("SETTINGS on a stream", frame(kind::SETTINGS, 0, 1, &[]), odd),
        ("push that is neither on nor off", setting(2, 2), odd),
        ("CONNECT that is neither on nor off", setting(8, 2), odd),
        ("a window too large", setting(4, 1 << 31), flow),
        ("a frame size too small", setting(5, 16_383), odd),
        ("a frame size too large", setting(5, 1 << 24), odd),
        ("a promise", frame(kind::PUSH_PROMISE, 4, 1, &[0, 0, 0, 2, 0x82]), odd),
        ("PING on a stream", frame(kind::PING, 0, 1, &[0; 8]), odd),
        ("GOAWAY on a stream", frame(kind::GOAWAY, 0, 1, &[0; 8]), odd),
        ("WINDOW_UPDATE of nothing", window_update(1, 0), odd),
        ("WINDOW_UPDATE of a reserved bit", window_update(0, 1 << 31), odd),
        ("WINDOW_UPDATE on an idle stream", window_update(5, 1), odd),
        ("WINDOW_UPDATE of too much", window_update(3, 0x7fff_ffff), flow),
        ("WINDOW_UPDATE of too much for all", window_update(0, 0x7fff_ffff), flow),
        (
            "a window grown too large by settings",
            [window_update(1, 1), setting(4, 0x7fff_ffff)].concat(),
            flow,
        ),
        ("CONTINUATION of nothing", frame(kind::CONTINUATION, WHOLE, 1, &[0x82]), odd),
        ("more than the window of a stream", frame(kind::DATA, 0, 1, &[0; 16_384]).repeat(4), flow),
    ] {
        assert_eq!(judged(&bytes), Err(code), "{name}");
    }
    let ack = frame(kind::SETTINGS, flag::ACK, 0, &[]);
    assert_eq!(judged(&ack.repeat(2)), Err(odd), "two acknowledgements");
    let block = frame(kind::HEADERS, 0, 5, &[0x82]);
    for (name, other) in [
        ("another kind", frame(kind::PRIORITY, 0, 1, &[0; 5])),
        ("DATA", frame(kind::DATA, 0, 1, b"x")),
        ("an unknown kind", frame(0xff, 0, 5, &[])),
        ("another stream", frame(kind::CONTINUATION, WHOLE, 7, &[0x82])),
    ] {
        assert_eq!(judged(&[block.clone(), other].concat()), Err(odd), "{name} within a field block");
    }
    let endless = [block, frame(kind::CONTINUATION, 0, 5, &[0; 16_384]).repeat(2)].concat();
    assert_eq!(judged(&endless), Err(Code::ENHANCE_YOUR_CALM), "a block without end");
}

#[test]
fn what_the_protocol_allows_passes() {
    let trailers = headers(1, END, &[("a", "b")]);
    for (name, bytes) in [
        ("DATA of padding", frame(kind::DATA, flag::PADDED, 1, &[2, 0, 0])),
        ("trailers", [trailers, frame(kind::RST_STREAM, 0, 1, &[0; 4])].concat()),
        ("no trailers after all", frame(kind::HEADERS, 5, 1, b"")),
        ("padding and a priority", frame(kind::HEADERS, 0x2d, 5, &[2, 0, 0, 0, 3, 255, 0x82, 0, 0])),
        ("a late window update", window_update(3, 1)),
        ("a priority for later", frame(kind::PRIORITY, 0, 99, &[0, 0, 0, 1, 1])),
        ("settings", [setting(4, 0), setting(5, (1 << 24) - 1), setting(0xfafa, u32::MAX)].concat()),
        ("an unknown frame", frame(0xff, 0xff, 0, &[1; 8])),
        ("flags that mean nothing", frame(kind::PING, 0xfe, 0, &[0; 8])),
        ("a reset after the end", frame(kind::RST_STREAM, 0, 3, &[0; 4])),
        (
            "a field block in pieces",
            [
                frame(kind::HEADERS, END, 5, &[0x82]),
                frame(kind::CONTINUATION, 0, 5, b""),
                frame(kind::CONTINUATION, WHOLE, 5, b""),
            ]
            .concat(),
        ),
    ] {
        assert_eq!(judged(&bytes), Ok(()), "{name}");
    }
}

#[test]
fn the_preface_and_then_settings_come_first() {
    let fresh = || Connection::<TestLane>::new(Role::Server, OFFER, Vec::new());
    for first in [frame(kind::PING, 0, 0, &[0; 8]), frame(kind::SETTINGS, flag::ACK, 0, &[])] {
        let bytes = [menshen_http2::PREFACE, &first].concat();
        assert_eq!(receive(&mut fresh(), &mut Log::default(), &bytes), Err(Code::PROTOCOL_ERROR));
    }
    let wrong = receive(&mut fresh(), &mut Log::default(), b"PRI * HTTP/1");
    assert_eq!(wrong, Err(Code::PROTOCOL_ERROR));
    assert!(fresh().is_within(b""), "nothing has come yet");
    assert!(!greeted(Role::Server, OFFER).is_within(b""));
    let (mut server, mut log) = server(&[]);
    receive(&mut server, &mut log, &frame(kind::HEADERS, 0, 1, &[0x82])).unwrap();
    assert!(server.is_within(b""), "a field block is not complete");
}

#[test]
fn a_message_becomes_events_in_its_order() {
    let (mut server, mut log) = server(&[]);
    let bytes = [
        headers(1, 0, POST),
        frame(kind::DATA, flag::PADDED, 1, b"\x02body\0\0"),
        frame(kind::DATA, 0, 1, b" of it"),
        headers(1, END, &[("a", "b")]),
    ];
    receive(&mut server, &mut log, &bytes.concat()).unwrap();
    let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let expected = [
        Event::Request(1, vec![field(":method", "POST")], false),
        Event::Content(1, b"body of it".to_vec()),
        Event::Trailers(1, vec![field("a", "b")]),
        Event::End(1),
    ];
    assert_eq!(log.take(), expected);
    assert!(server.send_content(1, b"answer", End::Now));
    assert_eq!(server.open_streams(), 0, "both have ended");
}

#[test]
fn a_malformed_message_costs_its_stream_and_what_is_on_its_way_is_no_offence() {
    let (mut server, mut log) = server(&[1]);
    let flawed = headers(3, 0, &[(":flaw", "")]);
    let late = [frame(kind::DATA, 0, 3, b"late"), headers(3, END, &[("a", "b")])];
    receive(&mut server, &mut log, &[vec![flawed], late.to_vec()].concat().concat()).unwrap();
    assert_eq!(log.take(), []);
    let told = frames(&written(&mut server));
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].0.kind, told[0].0.stream, told[0].1[3]), (kind::RST_STREAM, 3, 1));
    assert_eq!(server.open_streams(), 1);
}

#[test]
fn a_response_that_is_too_long_costs_its_stream_once_and_not_the_connection() {
    let (mut client, mut log) = client(2);
    let bytes = [
        headers(1, 0, &[(":status", "200"), ("left", "3")]),
        frame(kind::DATA, 0, 1, b"too much"),
        frame(kind::DATA, 0, 1, b"and more"),
        headers(1, END, &[("a", "b")]),
        headers(3, END, OK),
    ];
    // Byte for byte, so that the flaw is in the middle of a frame.
    let mut held = Vec::new();
    for byte in bytes.concat() {
        held.push(byte);
        let n = receive(&mut client, &mut log, &held).expect("no offence");
        held.drain(..n);
    }
    assert_eq!(frames(&written(&mut client)).len(), 1, "one reset");
    assert!(log.events.contains(&Event::Reset(1, Code::PROTOCOL_ERROR)));
    assert!(log.events.contains(&Event::End(3)));
    client.let_go(1, Code::CANCEL);
    assert_eq!(written(&mut client), b"", "it was told already");
    let late = frame(kind::DATA, END, 1, b"still more");
    assert_eq!(receive(&mut client, &mut log, &late), Ok(late.len()));
}

#[test]
fn answers_to_requests_that_were_taken_back_long_ago_are_thrown_away() {
    let (mut client, mut log) = client(0);
    let first = open(&mut client, End::Now);
    client.let_go(first, Code::CANCEL);
    for _ in 0..1000 {
        let id = open(&mut client, End::Now);
        client.let_go(id, Code::CANCEL);
    }
    let late = [headers(first, 0, OK), frame(kind::DATA, END, first, b"late")].concat();
    assert_eq!(receive(&mut client, &mut log, &late), Ok(late.len()));
    assert_eq!(log.take(), []);
}

#[test]
fn content_for_streams_that_a_server_has_reset_is_thrown_away_however_many_others_have_ended() {
    let (mut server, mut log) = server(&[1]);
    server.reset(1, Code::NO_ERROR);
    for id in (3..1003).step_by(2) {
        receive(&mut server, &mut log, &headers(id, END, POST)).unwrap();
        assert!(server.send_fields(id, End::Now, |_, _| {}));
    }
    let late = frame(kind::DATA, 0, 1, b"late");
    assert_eq!(receive(&mut server, &mut log, &late), Ok(late.len()));
}

#[test]
fn a_number_that_was_passed_over_is_closed() {
    let (mut server, mut log) = server(&[5]);
    assert_eq!(receive(&mut server, &mut log, &headers(3, END, POST)), Err(Code::PROTOCOL_ERROR));
}

#[test]
fn too_many_streams_are_refused_and_then_too_many_refusals_end_the_connection() {
    let ids: Vec<u32> = (0..OFFER.streams).map(|n| 2 * n + 1).collect();
    let (mut server, mut log) = server(&ids);
    let more = (0..).map(|n| 2 * (OFFER.streams + n) + 1);
    let refused = more.take_while(|id| receive(&mut server, &mut log, &headers(*id, END, POST)).is_ok());
    assert_eq!(refused.count(), 64);
    let told = frames(&written(&mut server));
    assert!(told.iter().all(|(head, code)| head.kind == kind::RST_STREAM && code[3] == 7));
    assert_eq!(server.open_streams(), ids.len());
}

#[test]
fn the_table_of_fields_stays_right_over_blocks_that_nobody_looks_at() {
    let (mut server, mut log) = server(&[1]);
    server.reset(1, Code::CANCEL);
    // A literal that enters the table, on a stream that is no more; then its index on another.
    let bytes = [frame(kind::HEADERS, 5, 1, b"\x40\x01a\x01b"), frame(kind::HEADERS, 5, 3, b"\xbe")];
    receive(&mut server, &mut log, &bytes.concat()).unwrap();
    assert_eq!(log.take(), [Event::Request(3, vec![(b"a".to_vec(), b"b".to_vec())], true),]);
}

#[test]
fn a_field_block_larger_than_a_frame_is_sent_in_pieces() {
    let (mut server, _) = server(&[1]);
    let long = vec![b'~'; 40_000];
    let sent = server.send_fields(1, End::Now, |e, out| {
        e.field(b"a", &long, menshen_http2::hpack::Indexing::Plain, out);
    });
    assert!(sent);
    let told = frames(&written(&mut server));
    let shape: Vec<_> = told.iter().map(|(head, _)| (head.kind, head.flags)).collect();
    assert_eq!(shape, [(kind::HEADERS, END), (kind::CONTINUATION, 0), (kind::CONTINUATION, WHOLE)]);
}

#[test]
fn content_before_the_head_of_a_response_and_a_head_after_it_are_offences() {
    let (mut one, mut log) = client(1);
    assert_eq!(receive(&mut one, &mut log, &frame(kind::DATA, 0, 1, b"x")), Err(Code::PROTOCOL_ERROR));
    let (mut two, mut log) = client(1);
    let twice = headers(1, 0, OK).repeat(2);
    assert_eq!(receive(&mut two, &mut log, &twice), Err(Code::PROTOCOL_ERROR));
    let (mut three, mut log) = client(1);
    let interim = [headers(1, 0, &[(":status", "100")]), headers(1, 0, OK)].concat();
    assert_eq!(receive(&mut three, &mut log, &interim), Ok(interim.len()));
}

#[test]
fn an_offence_is_told_and_nothing_follows() {
    let (mut server, mut log) = server(&[1]);
    server.end(Code::PROTOCOL_ERROR);
    assert_eq!((server.stage(), server.open_streams()), (Stage::Over, 0));
    assert_eq!(server.reason(), Some(Code::PROTOCOL_ERROR));
    assert!(!server.send_content(1, b"x", End::Now));
    assert_eq!(receive(&mut server, &mut log, &headers(3, END, POST)), Ok(0));
    assert_eq!(frames(&written(&mut server)).len(), 1);
}

#[test]
fn floods_end_and_a_service_that_takes_back_every_request_is_none() {
    let flood = |bytes: &[u8]| judged(&bytes.repeat(5_000));
    for (name, bytes) in [
        ("PING", frame(kind::PING, 0, 0, &[0; 8])),
        ("SETTINGS", setting(4, 1)),
        ("empty DATA", frame(kind::DATA, 0, 1, b"")),
        ("WINDOW_UPDATE", window_update(1, 1)),
    ] {
        assert_eq!(flood(&bytes), Err(Code::ENHANCE_YOUR_CALM), "{name}");
    }
    let (mut server, mut log) = server(&[]);
    let rapid =
        (0..5_000).map(|n| [headers(2 * n + 1, END, POST), frame(kind::RST_STREAM, 0, 2 * n + 1, &[0; 4])]);
    let resets = rapid.take_while(|pair| receive(&mut server, &mut log, &pair.concat()).is_ok()).count();
    assert!((100..=200).contains(&resets), "{resets} resets");
    let (mut client, mut log) = client(0);
    for _ in 0..5_000 {
        let id = open(&mut client, End::Later);
        let answer = [headers(id, END, OK), frame(kind::RST_STREAM, 0, id, &[0; 4])].concat();
        receive(&mut client, &mut log, &answer).expect("every request may be taken back");
        client.let_go(id, Code::CANCEL);
    }
}

#[test]
fn whoever_gets_short_messages_may_measure_the_line_with_each_of_them() {
    let (mut server, mut log) = server(&[1]);
    let measure = [frame(kind::PING, 0, 0, &[0; 8]), window_update(0, 10)].concat();
    for _ in 0..20_000 {
        match server.room(1, 10) {
            Room::Bytes(n) => assert!(server.send_content(1, &[b'x'; 10][..n], End::Later)),
            _ => receive(&mut server, &mut log, &window_update(1, 60_000)).map(drop).expect("no flood"),
        }
        receive(&mut server, &mut log, &measure).expect("no flood");
        written(&mut server);
    }
}

#[test]
fn a_window_that_opens_byte_by_byte_is_a_flood() {
    let (mut server, mut log) = server(&[1]);
    receive(&mut server, &mut log, &setting(4, 0)).unwrap();
    let drips = (0..10_000).take_while(|_| {
        let is_taken = receive(&mut server, &mut log, &window_update(1, 1)).is_ok();
        if is_taken && server.room(1, 100) == Room::Bytes(1) {
            server.send_content(1, b"x", End::Later);
        }
        written(&mut server);
        is_taken
    });
    assert!(drips.count() < 3_000);
}
