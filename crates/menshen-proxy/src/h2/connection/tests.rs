//! What a driver of a client's connection does when something is odd.

use menshen_http2::PREFACE;
use menshen_http2::frame::{FrameHead, kind};
use tokio::io::AsyncWriteExt;

use super::super::link::AtHand;
use super::super::side::Side;
use super::super::testing::{clogged, on_worker, once, panic_with, plain, soon};
use super::*;
use crate::worker::Live;

const OFFER: Offer = Offer {
    streams: 100,
    stream_window: STREAM_WINDOW,
    connection_window: CONNECTION_WINDOW,
    head: 32 * 1024,
    block: 32 * 1024,
    table: HEADER_TABLE,
};

fn shared(live: Rc<Live>) -> Rc<Shared> {
    let worker = live.worker().clone();
    let idle_since = Cell::new(worker.now());
    let link = Link::new(Connection::new(Role::Server, OFFER, Vec::new()));
    Rc::new(Shared { slot: Rc::new(Slot::new(live)), client: Client::default(), link, idle_since, worker })
}

fn driver(shared: &Rc<Shared>, stream: Stream) -> Driver<'_> {
    let worker = &shared.worker;
    Driver {
        shared,
        socket: Socket::new(stream, Buffer::default(), worker.now()),
        builder: HeadBuilder::new(),
        deadline: worker.timers.deadline(),
        timeouts: ClientTimeouts::default(),
        write: Duration::from_secs(60),
        wait: None,
        moved: 0,
        ending: Ending::NotYet,
    }
}

#[test]
fn a_panic_that_ends_the_driver_ends_the_streams_of_its_connection() {
    on_worker(async |live, _| {
        let (stream, mut client) = plain();
        let shared = shared(live);
        let mut driver = driver(&shared, stream);
        let mut bytes = PREFACE.to_vec();
        FrameHead { length: 0, kind: kind::SETTINGS, flags: 0, stream: 0 }.write(&mut bytes);
        // GET http:/, with content to come.
        FrameHead { length: 3, kind: kind::HEADERS, flags: 4, stream: 1 }.write(&mut bytes);
        bytes.extend([0x82, 0x86, 0x84]);
        client.write_all(&bytes).await.unwrap();
        soon(|cx| {
            let over = driver.poll(cx);
            let is_open = shared.link.core().open_streams() == 1;
            if is_open { Poll::Ready(()) } else { over }
        })
        .await
        .unwrap();
        let side = Side { link: &shared.link, id: 1 };
        let mut at_hand = AtHand::default();
        assert!(once(|cx| side.poll_fill(cx, &mut at_hand)).is_pending());
        panic_with(driver);
        assert_eq!(once(|cx| side.poll_fill(cx, &mut at_hand)), Poll::Ready(None));
    });
}

#[test]
fn an_end_of_tls_that_the_client_does_not_take_is_waited_for_a_second() {
    on_worker(async |live, _| {
        let (stream, _theirs) = clogged().await;
        let shared = shared(live);
        let mut driver = driver(&shared, stream);
        shared.link.core().end(Code::NO_ERROR);
        shared.link.core().out.clear();
        assert!(once(|cx| driver.poll(cx)).is_pending(), "the end cannot be written");
        assert_eq!(soon(|cx| driver.poll(cx)).await, Some(()));
    });
}
