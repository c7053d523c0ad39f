//! Connections under anything: bytes that mean nothing, cut anywhere; and two ends that talk to each other.

#[path = "support/connection.rs"]
#[allow(dead_code)] // of what the tests share
mod support;

use std::collections::BTreeMap;

use menshen_http2::frame::{MAX_PAYLOAD, flag, kind};
use menshen_http2::hpack::Encoder;
use menshen_http2::{Code, Connection, End, Offer, Role, Room};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Event, Log, OFFER, TestLane, frame, frames, headers, in_pieces, setting, window_update};

/// A frame that makes sense more often than not.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let id = prop_oneof![Just(0_u32), (0_u32..8).prop_map(|n| 2 * n + 1), 0_u32..20];
    let id = id.boxed();
    let fields = prop_oneof![
        Just(&[(":method", "POST")][..]),
        Just(&[(":status", "200")][..]),
        Just(&[(":status", "100")][..]),
        Just(&[(":flaw", "")][..]),
        Just(&[][..]),
    ];
    prop_oneof![
        4 => (id.clone(), fields, 0_u8..2).prop_map(|(id, fields, ends)| headers(id, ends, fields)),
        4 => (id.clone(), prop_oneof![0_u8..2, 8_u8..10], vec(0_u8..40, 0..300))
            .prop_map(|(id, flags, content)| frame(kind::DATA, flags, id, &content)),
        1 => (id.clone(), 0_u32..3).prop_map(|(id, bytes)| window_update(id, bytes)),
        1 => (id.clone(), 0_u32..14).prop_map(|(id, code)| frame(kind::RST_STREAM, 0, id, &code.to_be_bytes())),
        1 => (0_u16..9, prop_oneof![0_u32..3, Just(65_535), any::<u32>()]).prop_map(|(name, n)| setting(name, n)),
        1 => (0_u8..2, any::<[u8; 8]>()).prop_map(|(flags, data)| frame(kind::PING, flags, 0, &data)),
        1 => (id.clone(), 0_u8..6, vec(any::<u8>(), 0..9)).prop_map(|(id, f, b)| frame(kind::HEADERS, f, id, &b)),
        1 => (id.clone(), 0_u8..6).prop_map(|(id, f)| frame(kind::CONTINUATION, f, id, &[0x82])),
        1 => (0_u8..12, any::<u8>(), id, vec(any::<u8>(), 0..20)).prop_map(|(k, f, id, b)| frame(k, f, id, &b)),
        1 => vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn bytes_mean_the_same_wherever_they_are_cut(
        frames in vec(any_frame(), 0..40),
        sizes in vec(prop_oneof![1_usize..4, 1_usize..400], 1..20),
        role in prop_oneof![Just(Role::Server), Just(Role::Client)],
    ) {
        let bytes = frames.concat();
        let whole = in_pieces(role, &bytes, &[usize::MAX]);
        prop_assert_eq!(&in_pieces(role, &bytes, &sizes), &whole);
        prop_assert_eq!(&in_pieces(role, &bytes, &[1]), &whole);
    }

    #[test]
    fn two_ends_understand_each_other(
        steps in vec((0_u8..12, any::<u8>(), any::<u16>()), 0..200),
        windows in (65_535_u32..200_000, 65_535_u32..300_000, 65_535_u32..200_000, 65_535_u32..300_000),
    ) {
        let mut talk = Talk::new(windows);
        for (what, which, amount) in steps {
            talk.step(what, usize::from(which), usize::from(amount));
        }
        talk.finish();
    }
}

/// What one side is to send and has got, on one stream.
#[derive(Default)]
struct Message {
    /// Bytes still to be sent, and how many were.
    left: usize,
    sent: usize,
    is_sent: bool,
    /// Bytes that have come, and how many of them were used.
    come: usize,
    used: usize,
    woken: usize,
    has_ended: bool,
    is_reset: bool,
}

/// One end, and what is on its way to the other.
struct Side {
    connection: Connection<TestLane>,
    log: Log,
    messages: BTreeMap<u32, Message>,
    line: Vec<u8>,
    acknowledged: usize,
    held: Vec<u8>,
}

impl Side {
    fn new(role: Role, windows: (u32, u32)) -> Self {
        let offer = Offer { stream_window: windows.0, connection_window: windows.1, ..OFFER };
        Self {
            connection: Connection::new(role, offer, Vec::new()),
            log: Log::default(),
            messages: BTreeMap::new(),
            line: Vec::new(),
            acknowledged: 0,
            held: Vec::new(),
        }
    }

    /// Takes what is to be written. Settings that the test has made up are acknowledged to nobody.
    fn flush(&mut self) {
        let out = std::mem::take(&mut self.connection.out);
        self.connection.drained();
        let is_preface = out.starts_with(menshen_http2::PREFACE);
        let (preface, out) = out.split_at(if is_preface { menshen_http2::PREFACE.len() } else { 0 });
        self.line.extend_from_slice(preface);
        for (head, payload) in frames(out) {
            if head.kind == kind::SETTINGS && head.has(flag::ACK) {
                self.acknowledged += 1;
                if self.acknowledged > 1 {
                    continue;
                }
            }
            assert_ne!(head.kind, kind::GOAWAY, "nobody has done anything wrong");
            self.line.extend(frame(head.kind, head.flags, head.stream, &payload));
        }
    }

    /// Takes the first bytes that are on their way here.
    fn take(&mut self, line: &mut Vec<u8>, n: usize) {
        let n = n.min(line.len());
        self.held.extend(line.drain(..n));
        let taken = support::receive(&mut self.connection, &mut self.log, &self.held);
        self.held.drain(..taken.expect("nobody has done anything wrong"));
        for event in self.log.take() {
            match event {
                Event::Request(id, ..) => {
                    self.messages.entry(id).or_default();
                    let status = |e: &mut Encoder, out: &mut Vec<u8>| e.status(200, out);
                    self.connection.send_fields(id, End::Later, status);
                }
                Event::Content(id, content) => {
                    let message = self.messages.entry(id).or_default();
                    let expected = (message.come..).map(|at| byte(id, at));
                    assert!(content.iter().copied().zip(expected).all(|(a, b)| a == b), "stream {id}");
                    message.come += content.len();
                }
                Event::End(id) => self.messages.entry(id).or_default().has_ended = true,
                Event::Response(..) | Event::Trailers(..) | Event::Reset(..) => {}
            }
        }
    }

    /// The task of a stream runs: sends at most `most` bytes. False when it waits.
    fn send(&mut self, id: u32, most: usize) -> bool {
        let Some(message) = self.messages.get_mut(&id) else { return false };
        let wanted = message.left.min(most);
        if message.is_sent {
            return false;
        }
        if message.left == 0 {
            message.is_sent = true;
            return self.connection.send_content(id, b"", End::Now);
        }
        match self.connection.room(id, wanted) {
            Room::Bytes(n) => {
                let content: Vec<u8> = (message.sent..message.sent + n).map(|at| byte(id, at)).collect();
                (message.sent, message.left) = (message.sent + n, message.left - n);
                message.is_sent = message.left == 0;
                let end = if message.is_sent { End::Now } else { End::Later };
                assert!(self.connection.send_content(id, &content, end));
                true
            }
            Room::Wait => false,
            Room::Gone => {
                message.is_reset = true;
                false
            }
        }
    }

    fn use_some(&mut self, id: u32, most: usize) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        let n = (message.come - message.used).min(most);
        message.used += n;
        // Who uses it changes its mind all the time about how much more it would like.
        self.connection.allow(id, message.used.wrapping_mul(7919) % 200_000);
        self.connection.used(id, n);
    }

    /// Runs the tasks that were woken, until none is.
    fn run_woken(&mut self) -> bool {
        let ids: Vec<u32> = self.messages.keys().copied().collect();
        let mut has_run = false;
        for id in ids {
            let Some(woken) = self.connection.lane(id).map(|lane| lane.woken + 1) else { continue };
            let before = self.messages.get_mut(&id).map(|m| std::mem::replace(&mut m.woken, woken));
            if before != Some(woken) {
                has_run = true;
                self.use_some(id, usize::MAX);
                while self.send(id, MAX_PAYLOAD) {}
            }
        }
        has_run
    }

    fn reset(&mut self, id: u32) {
        if let Some(message) = self.messages.get_mut(&id) {
            message.is_reset = true;
            self.connection.let_go(id, Code::CANCEL);
        }
    }
}

fn byte(id: u32, at: usize) -> u8 {
    (at as u32).wrapping_mul(31).wrapping_add(id).to_le_bytes()[0] ^ (at >> 8) as u8
}

/// Two ends that talk.
struct Talk {
    client: Side,
    server: Side,
    windows: (u32, u32, u32, u32),
}

impl Talk {
    fn new(windows: (u32, u32, u32, u32)) -> Self {
        let client = Side::new(Role::Client, (windows.0, windows.1));
        let server = Side::new(Role::Server, (windows.2, windows.3));
        Self { client, server, windows }
    }

    fn step(&mut self, what: u8, which: usize, amount: usize) {
        let ids: Vec<u32> = self.client.messages.keys().copied().collect();
        let id = ids.get(which % ids.len().max(1)).copied().unwrap_or(0);
        let (client, server) = (&mut self.client, &mut self.server);
        match what {
            0 if client.connection.open_streams() < 10 => {
                let id = support::open(&mut client.connection, End::Later);
                client.messages.insert(id, Message { left: amount * 6, ..Message::default() });
                server.messages.insert(id, Message { left: amount * (which % 8), ..Message::default() });
            }
            1 | 2 => drop(client.send(id, amount)),
            3 | 4 => drop(server.connection.lane(id).is_some() && server.send(id, amount)),
            5 => {
                client.flush();
                server.take(&mut client.line, amount);
            }
            6 => {
                server.flush();
                client.take(&mut server.line, amount);
            }
            7 => client.use_some(id, amount),
            8 => server.use_some(id, amount),
            9 if which.is_multiple_of(4) => {
                client.reset(id);
                server.messages.entry(id).or_default().is_reset = true;
            }
            10 if which.is_multiple_of(4) && server.connection.lane(id).is_some() => {
                server.reset(id);
                client.messages.entry(id).or_default().is_reset = true;
            }
            // Streams start with less than they could; both sides count what they have really given.
            11 if which.is_multiple_of(2) => {
                client.flush();
                client.line.extend(setting(4, (amount as u32).min(self.windows.0)));
            }
            11 => {
                server.flush();
                server.line.extend(setting(4, (amount as u32).min(self.windows.2)));
            }
            _ => {}
        }
    }

    /// Everything arrives, with nobody running who was not woken.
    fn finish(&mut self) {
        let (client, server) = (&mut self.client, &mut self.server);
        client.flush();
        client.line.extend(setting(4, self.windows.0));
        server.flush();
        server.line.extend(setting(4, self.windows.2));
        for side in [&mut *client, &mut *server] {
            side.messages.values_mut().for_each(|message| message.woken = 0);
        }
        let mut rounds = 0;
        loop {
            client.flush();
            server.flush();
            let is_quiet = client.line.is_empty() && server.line.is_empty();
            server.take(&mut client.line, usize::MAX);
            client.take(&mut server.line, usize::MAX);
            let has_run = client.run_woken() | server.run_woken();
            if is_quiet && !has_run && client.connection.out.is_empty() && server.connection.out.is_empty() {
                break;
            }
            rounds += 1;
            assert!(rounds < 100_000, "it goes round and round");
        }
        let ids: Vec<u32> = client.messages.keys().copied().collect();
        for id in ids {
            let (up, down) = (&client.messages[&id], &server.messages[&id]);
            if up.is_reset || down.is_reset {
                client.connection.let_go(id, Code::CANCEL);
                continue;
            }
            assert!(up.is_sent && down.is_sent, "stream {id} waits for ever");
            assert_eq!((up.come, down.come), (down.sent, up.sent), "stream {id}");
            assert!(up.has_ended && down.has_ended, "stream {id}");
            client.connection.let_go(id, Code::CANCEL);
        }
        client.flush();
        server.take(&mut client.line, usize::MAX);
        assert_eq!((client.connection.open_streams(), server.connection.open_streams()), (0, 0));
    }
}
