//! How much may be sent, in both directions (RFC 9113 §5.2, §6.9), and whose turn it is.

#[path = "support/connection.rs"]
#[allow(dead_code)] // of what the tests share
mod support;

use menshen_http2::frame::{MAX_PAYLOAD, flag, kind};
use menshen_http2::{Code, Connection, End, Role, Room};
use support::{
    Log, OFFER, TestLane, client, frame, frames, greeted, headers, open, receive, server, setting,
    window_update, written,
};

/// Sends as much as there is room for on a stream; how much.
fn send_all(connection: &mut Connection<TestLane>, id: u32) -> usize {
    let mut sent = 0;
    while let Room::Bytes(n) = connection.room(id, MAX_PAYLOAD) {
        assert!(connection.send_content(id, &vec![b'x'; n], End::Later));
        sent += n;
        written(connection);
    }
    sent
}

/// The window updates among what was to be written: of which stream, and by how much.
fn updates(connection: &mut Connection<TestLane>) -> Vec<(u32, u32)> {
    let told = frames(&written(connection));
    let updates = told.iter().filter(|(head, _)| head.kind == kind::WINDOW_UPDATE);
    updates.map(|(head, n)| (head.stream, u32::from_be_bytes(n[..].try_into().unwrap()))).collect()
}

#[test]
fn no_more_is_sent_than_the_windows_of_the_stream_and_of_the_connection_allow() {
    let (mut server, mut log) = server(&[1, 3]);
    assert_eq!((server.window(1), server.window(5)), (65_535, 0));
    assert_eq!(send_all(&mut server, 1), 65_535);
    assert_eq!((server.window(1), server.window(3)), (0, 0));
    assert_eq!(server.room(3, 1), Room::Wait, "the window of the connection is shut");
    let woken = server.lane(3).unwrap().woken;
    receive(&mut server, &mut log, &window_update(0, 10)).unwrap();
    assert_eq!(server.lane(3).unwrap().woken, woken + 1);
    assert_eq!(send_all(&mut server, 3), 10);
    receive(&mut server, &mut log, &[window_update(0, 100), window_update(1, 20)].concat()).unwrap();
    assert_eq!((send_all(&mut server, 1), send_all(&mut server, 3)), (0, 100), "3 has waited longer");
    receive(&mut server, &mut log, &window_update(0, 100)).unwrap();
    assert_eq!((send_all(&mut server, 1), send_all(&mut server, 3)), (20, 80));
}

#[test]
fn settings_change_the_windows_of_open_streams_also_below_nothing() {
    let (mut server, mut log) = server(&[1]);
    assert!(server.send_content(1, &[0; 1000], End::Later));
    receive(&mut server, &mut log, &setting(4, 600)).unwrap();
    assert_eq!(server.room(1, 1), Room::Wait, "400 bytes too many are under way");
    assert_eq!(server.window(1), 0);
    let woken = server.lane(1).unwrap().woken;
    receive(&mut server, &mut log, &window_update(1, 400)).unwrap();
    assert_eq!(server.room(1, 1), Room::Wait, "and now none too many");
    receive(&mut server, &mut log, &window_update(1, 5)).unwrap();
    assert!(server.lane(1).unwrap().woken > woken);
    assert_eq!(server.room(1, 100), Room::Bytes(5));
    let woken = server.lane(1).unwrap().woken;
    receive(&mut server, &mut log, &setting(4, 700)).unwrap();
    assert!(server.lane(1).unwrap().woken > woken);
    assert_eq!(server.room(1, 1000), Room::Bytes(105));
}

#[test]
fn whoever_stands_in_the_queue_when_its_window_shuts_keeps_nobody_waiting() {
    let (mut server, mut log) = server(&[1, 3, 5]);
    assert_eq!(send_all(&mut server, 5), 65_535);
    assert_eq!((server.room(1, 1), server.room(3, 1)), (Room::Wait, Room::Wait));
    receive(&mut server, &mut log, &[setting(4, 0), window_update(3, 9), window_update(0, 9)].concat())
        .unwrap();
    assert_eq!((server.room(1, 1), server.room(3, 99)), (Room::Wait, Room::Bytes(9)));
}

#[test]
fn content_is_credited_once_when_half_a_window_of_it_was_used() {
    let (mut server, mut log) = server(&[1]);
    let half = OFFER.stream_window as usize / 2;
    let data = frame(kind::DATA, 0, 1, &[0; MAX_PAYLOAD]).repeat(3);
    receive(&mut server, &mut log, &data).unwrap();
    assert_eq!(updates(&mut server), [], "nothing was used");
    server.used(1, half - 1);
    assert_eq!(updates(&mut server), []);
    server.used(1, 1);
    assert_eq!(updates(&mut server), [(1, half as u32)]);
    server.used(1, 1_000_000);
    let rest = 3 * MAX_PAYLOAD - half;
    assert!(rest < half, "no more was there than that");
    assert_eq!(updates(&mut server), []);
    // 49152 of all were used, and half the window of the connection are 50000.
    receive(&mut server, &mut log, &frame(kind::DATA, 0, 1, &[0; 848])).unwrap();
    server.used(1, 848);
    assert_eq!(updates(&mut server), [(0, 50_000)]);
}

#[test]
fn a_stream_that_is_allowed_more_gets_it_once_it_uses_what_it_has() {
    let (mut server, mut log) = server(&[1]);
    let half = OFFER.stream_window as usize / 2;
    server.allow(1, 80_000);
    assert_eq!(updates(&mut server), [], "who gets little is told nothing");
    receive(&mut server, &mut log, &frame(kind::DATA, 0, 1, &[0; MAX_PAYLOAD]).repeat(3)).unwrap();
    server.used(1, half);
    let more = (80_000 - 65_535 + half) as u32;
    assert_eq!(updates(&mut server), [(1, more)]);
    server.allow(1, 0);
    server.used(1, 3 * MAX_PAYLOAD - half);
    assert_eq!(updates(&mut server), [], "65535 are offered still, and more than half of them may come");
    receive(&mut server, &mut log, &frame(kind::DATA, 0, 1, &[0; MAX_PAYLOAD]).repeat(2)).unwrap();
    server.used(1, 2 * MAX_PAYLOAD);
    let open = 80_000 - 3 * MAX_PAYLOAD + half - 2 * MAX_PAYLOAD;
    assert_eq!(updates(&mut server).first(), Some(&(1, (65_535 - open) as u32)));
}

#[test]
fn padding_counts_and_is_used_at_once() {
    let (mut server, mut log) = server(&[1]);
    let padded = [&[255][..], &[b'x'; 100], &[0; 255]].concat();
    for _ in 0..195 {
        receive(&mut server, &mut log, &frame(kind::DATA, flag::PADDED, 1, &padded)).unwrap();
    }
    assert_eq!(log.content(1).len(), 19_500);
    assert_eq!(updates(&mut server), [(1, 32_768)], "128 times 256 bytes");
    server.used(1, 19_500);
    assert_eq!(updates(&mut server).len(), 2);
}

#[test]
fn what_was_not_used_of_a_stream_that_is_no_more_makes_room_for_others() {
    for is_reset_within_a_frame in [false, true] {
        let (mut server, mut log) = server(&[1, 3]);
        let data = frame(kind::DATA, 0, 1, &[0; MAX_PAYLOAD]).repeat(3);
        let (first, rest) = data.split_at(if is_reset_within_a_frame { 40_000 } else { data.len() });
        receive(&mut server, &mut log, first).unwrap();
        server.reset(1, Code::CANCEL);
        receive(&mut server, &mut log, rest).unwrap();
        server.used(1, 49_152);
        receive(&mut server, &mut log, &frame(kind::DATA, 0, 1, &[0; 848])).unwrap();
        assert_eq!(updates(&mut server), [(0, 50_000)], "each byte once");
    }
}

#[test]
fn a_peer_that_sends_more_than_all_streams_may_have_is_told() {
    let (mut server, mut log) = server(&[1, 3]);
    let mut send = |id, n| receive(&mut server, &mut log, &frame(kind::DATA, 0, id, &vec![0; n]));
    for id in [1, 1, 1, 3, 3, 3] {
        send(id, 16_384).unwrap();
    }
    assert_eq!(send(1, 1_697), Err(Code::FLOW_CONTROL_ERROR));
}

#[test]
fn streams_without_end_get_equal_shares_of_a_peer_that_takes_little() {
    let ids: Vec<u32> = (0..10).map(|n| 2 * n + 1).collect();
    let (mut server, mut log) = server(&ids);
    let open_wide: Vec<u8> = ids.iter().flat_map(|id| window_update(*id, 1 << 30)).collect();
    receive(&mut server, &mut log, &open_wide).unwrap();
    receive(&mut server, &mut log, &window_update(0, 1 << 30)).unwrap();
    let mut sent = vec![0_usize; ids.len()];
    let mut woken: Vec<usize> = vec![usize::MAX; ids.len()];
    for _ in 0..1_000 {
        // Tasks run when they are woken, each for as long as it can.
        for (n, id) in ids.iter().enumerate() {
            if std::mem::replace(&mut woken[n], server.lane(*id).unwrap().woken)
                == server.lane(*id).unwrap().woken
            {
                continue;
            }
            while let Room::Bytes(bytes) = server.room(*id, 1_000_000) {
                assert!(server.send_content(*id, &vec![0; bytes], End::Later));
                sent[n] += bytes;
            }
        }
        assert!(server.out.len() < 5 * MAX_PAYLOAD);
        written(&mut server);
    }
    let (least, most) = (sent.iter().min().unwrap(), sent.iter().max().unwrap());
    assert!(*least > 50 * MAX_PAYLOAD && most - least <= 5 * MAX_PAYLOAD, "{sent:?}");
}

#[test]
fn a_stream_that_yields_its_turn_or_is_no_more_keeps_nobody_waiting() {
    for gone in ["yields", "is let go", "is reset by the service", "is left out by a goodbye"] {
        let (mut client, mut log) = (greeted(Role::Client, OFFER), Log::default());
        let ids: Vec<u32> = (0..3).map(|_| open(&mut client, End::Later)).collect();
        assert_eq!(send_all(&mut client, ids[0]), 65_535);
        assert_eq!((client.room(ids[1], 1), client.room(ids[2], 1)), (Room::Wait, Room::Wait));
        // The last stream comes first, so that a goodbye can leave it out.
        let (holder, waiting) = (ids[2], ids[1]);
        client.yield_turn(waiting);
        assert_eq!(client.room(waiting, 1), Room::Wait);
        receive(&mut client, &mut log, &window_update(0, 100)).unwrap();
        let woken = client.lane(waiting).unwrap().woken;
        match gone {
            "yields" => client.yield_turn(holder),
            "is let go" => client.let_go(holder, Code::CANCEL),
            "is reset by the service" => {
                let reset = frame(kind::RST_STREAM, 0, holder, &[0; 4]);
                receive(&mut client, &mut log, &reset).map(drop).unwrap();
            }
            _ => {
                let goodbye = frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 3, 0, 0, 0, 0]);
                receive(&mut client, &mut log, &goodbye).map(drop).unwrap();
            }
        }
        assert_eq!(client.lane(waiting).unwrap().woken, woken + 1, "{gone}");
        assert_eq!(client.room(waiting, 100), Room::Bytes(100), "{gone}");
    }
}

#[test]
fn there_is_no_room_on_a_stream_that_has_ended() {
    let (mut client, mut log) = client(1);
    assert_eq!(client.room(1, 1), Room::Gone);
    assert_eq!(client.room(3, 1), Room::Gone);
    let id = open(&mut client, End::Later);
    receive(&mut client, &mut log, &[setting(4, 0), frame(kind::RST_STREAM, 0, id, &[0; 4])].concat())
        .unwrap();
    assert_eq!(client.room(id, 1), Room::Gone);
}

#[test]
fn an_end_needs_no_window() {
    let (mut server, mut log) = server(&[1]);
    receive(&mut server, &mut log, &setting(4, 0)).unwrap();
    assert_eq!(server.room(1, 1), Room::Wait);
    assert!(server.send_content(1, b"", End::Now));
}

#[test]
fn heads_wait_for_no_window() {
    let (mut server, mut log) = server(&[]);
    receive(&mut server, &mut log, &[setting(4, 0), headers(1, 0, &[])].concat()).unwrap();
    assert!(server.send_fields(1, End::Now, |_, _| {}));
}
