//! Goodbyes (RFC 9113 §6.8), and what becomes of streams when a connection ends.

#[path = "support/connection.rs"]
#[allow(dead_code)] // of what the tests share
mod support;

use menshen_http2::frame::{flag, kind};
use menshen_http2::{Code, End, Stage};
use support::{Event, client, frame, frames, headers, open, receive, server, setting, written};

const POST: &[(&str, &str)] = &[(":method", "POST")];
const OK: &[(&str, &str)] = &[(":status", "200")];

fn goaway(last: u32) -> Vec<u8> {
    frame(kind::GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat())
}

/// The last streams of the GOAWAYs among what was to be written.
fn goodbyes(bytes: &[u8]) -> Vec<u32> {
    let told = frames(bytes);
    let goodbyes = told.iter().filter(|(head, _)| head.kind == kind::GOAWAY);
    goodbyes.map(|(_, payload)| u32::from_be_bytes(payload[..4].try_into().unwrap())).collect()
}

#[test]
fn a_server_that_leaves_serves_what_was_sent_before_the_client_knew() {
    let (mut server, mut log) = server(&[1]);
    server.leave();
    server.leave();
    let told = written(&mut server);
    assert_eq!(goodbyes(&told), [0x7fff_ffff], "once");
    receive(&mut server, &mut log, &headers(3, flag::END_STREAM, POST)).unwrap();
    assert!(matches!(log.events.last(), Some(Event::Request(3, ..))));
    let (_, ping) = frames(&told).pop().unwrap();
    receive(&mut server, &mut log, &frame(kind::PING, flag::ACK, 0, &ping)).unwrap();
    assert_eq!((server.stage(), goodbyes(&written(&mut server))), (Stage::Closing, vec![3]));
    let late = [headers(5, 0, POST), frame(kind::DATA, 0, 5, b"x")].concat();
    log.events.clear();
    assert_eq!(receive(&mut server, &mut log, &late), Ok(late.len()));
    assert_eq!((log.take(), server.open_streams()), (vec![], 2));
}

#[test]
fn an_answer_to_another_ping_is_no_answer_to_a_goodbye() {
    let (mut server, mut log) = server(&[1]);
    server.ask();
    server.leave();
    receive(&mut server, &mut log, &frame(kind::PING, flag::ACK, 0, b"anybody?")).unwrap();
    assert_eq!(server.stage(), Stage::Leaving);
    assert!(server.take_answer() && !server.take_answer());
}

#[test]
fn requests_that_a_goodbye_leaves_out_can_be_sent_again_and_the_others_go_on() {
    let (mut client, mut log) = client(3);
    receive(&mut client, &mut log, &goaway(3)).unwrap();
    assert_eq!(log.take(), [Event::Reset(5, Code::REFUSED_STREAM)]);
    assert!(client.is_leaving() && client.open(support::TestLane::default()).is_none());
    // Whatever comes for it is nobody's any more, and no reason to lose the others.
    let rest = [headers(5, flag::END_STREAM, OK), headers(3, flag::END_STREAM, OK)].concat();
    receive(&mut client, &mut log, &rest).unwrap();
    assert_eq!(log.events.last(), Some(&Event::End(3)));
}

#[test]
fn a_goodbye_that_leaves_out_what_was_answered_already_changes_nothing() {
    let (mut client, mut log) = client(3);
    receive(&mut client, &mut log, &headers(5, flag::END_STREAM, OK)).unwrap();
    log.events.clear();
    receive(&mut client, &mut log, &goaway(3)).unwrap();
    assert_eq!(log.take(), []);
}

#[test]
fn an_answer_that_came_before_the_end_of_the_connection_can_still_be_taken() {
    let (mut client, mut log) = client(2);
    let whole = [headers(1, 0, OK), frame(kind::DATA, flag::END_STREAM, 1, b"all")].concat();
    receive(&mut client, &mut log, &whole).unwrap();
    client.abandon();
    for id in [1, 3] {
        assert!(client.lane(id).is_some_and(|lane| lane.is_lost), "stream {id}");
        client.let_go(id, Code::CANCEL);
    }
    assert_eq!((client.open_streams(), client.is_leaving()), (0, true));
}

#[test]
fn the_streams_of_a_client_that_is_gone_are_gone() {
    let (mut server, _) = server(&[1, 3]);
    server.abandon();
    assert_eq!((server.open_streams(), server.stage()), (0, Stage::Over));
    assert!(server.lane(1).is_none());
}

#[test]
fn a_stream_that_a_service_resets_behind_a_whole_answer_is_whole() {
    let (mut client, mut log) = client(0);
    let id = open(&mut client, End::Later);
    let answer = [headers(id, flag::END_STREAM, OK), frame(kind::RST_STREAM, 0, id, &[0; 4])].concat();
    receive(&mut client, &mut log, &answer).unwrap();
    assert_eq!(log.events[1..], [Event::End(id), Event::Reset(id, Code::NO_ERROR)]);
    written(&mut client);
    client.let_go(id, Code::CANCEL);
    assert_eq!(written(&mut client), b"", "nobody is told what everybody knows");
}

#[test]
fn a_client_knows_how_many_streams_a_service_wants() {
    let (mut client, mut log) = client(0);
    assert_eq!(client.peer_streams(), u32::MAX);
    receive(&mut client, &mut log, &setting(3, 7)).unwrap();
    assert_eq!(client.peer_streams(), 7);
}
