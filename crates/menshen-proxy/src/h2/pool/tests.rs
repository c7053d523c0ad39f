//! What a driver of a connection to a service does when something is odd.

use menshen_http1::Method;
use menshen_http2::frame::{FrameHead, flag, kind};
use tokio::io::AsyncWriteExt;

use super::super::testing::{clogged, let_pass, on_worker, once, panic_with, plain, soon};
use super::*;
use crate::balance;

fn driver(worker: Rc<Worker>, stream: Stream) -> Driver {
    let now = worker.now();
    let open = Rc::new(Multiplexed {
        link: Link::new(Connection::new(Role::Client, OFFER, Vec::new())),
        endpoint: balance::tests::endpoint(),
        streams: Cell::new(0),
        born: now,
        idle_since: Cell::new(now),
        idle_timeout: PING_EACH,
        max_age: PING_EACH,
    });
    let deadline = worker.timers.deadline();
    Driver {
        socket: Socket::new(stream, Buffer::waiting(Size::Medium), now),
        worker,
        open,
        responses: ResponseReader::default(),
        deadline,
        is_asked: false,
        is_heard: false,
        is_ending: false,
    }
}

/// A frame of the service's.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    FrameHead { length: payload.len(), kind, flags, stream: 0 }.write(&mut bytes);
    [&bytes, payload].concat()
}

#[test]
fn who_waits_for_an_answer_is_told_when_a_panic_ends_the_driver() {
    on_worker(async |_, worker| {
        let (driver, open) = {
            let (stream, _theirs) = plain();
            let driver = driver(worker, stream);
            let open = driver.open.clone();
            (driver, open)
        };
        let id = open.link.core().open(PendingResponse::of(Method::Get)).unwrap();
        panic_with(driver);
        assert!(open.link.core().lane(id).unwrap().reset.is_some());
        assert!(!open.has_room(Instant::now()), "nobody is sent there any more");
    });
}

#[test]
fn an_answer_to_ping_may_stand_behind_much_and_a_service_that_says_nothing_is_given_up() {
    on_worker(async |_, worker| {
        let (stream, mut service) = plain();
        let mut driver = driver(worker, stream);
        service.write_all(&frame(kind::SETTINGS, 0, b"")).await.unwrap();
        let_pass(&driver.deadline).await;
        assert!(once(|cx| driver.poll(cx)).is_pending());
        assert!(driver.is_asked, "the time came to ask");
        for _ in 0..3 {
            service.write_all(&frame(kind::PING, 0, b"and you?")).await.unwrap();
            let_pass(&driver.deadline).await;
            poll_fn(|cx| driver.socket.stream.poll_read_ready(cx)).await.unwrap();
            assert!(once(|cx| driver.poll(cx)).is_pending(), "something comes, if not the answer");
        }
        service.write_all(&frame(kind::PING, flag::ACK, b"anybody?")).await.unwrap();
        let_pass(&driver.deadline).await;
        poll_fn(|cx| driver.socket.stream.poll_read_ready(cx)).await.unwrap();
        assert!(once(|cx| driver.poll(cx)).is_pending());
        assert!(!driver.is_asked, "it has answered");
        let_pass(&driver.deadline).await;
        assert!(once(|cx| driver.poll(cx)).is_pending());
        let_pass(&driver.deadline).await;
        assert_eq!(once(|cx| driver.poll(cx)), Poll::Ready("it does not answer any more"));
    });
}

#[test]
fn an_end_of_tls_that_the_service_does_not_take_is_not_waited_for() {
    on_worker(async |_, worker| {
        let (stream, _theirs) = clogged().await;
        let mut driver = driver(worker, stream);
        driver.open.link.core().close();
        driver.open.link.core().out.clear();
        assert!(once(|cx| driver.poll(cx)).is_pending(), "the end cannot be written");
        driver.deadline.set(Instant::now(), Duration::from_millis(20));
        assert_eq!(soon(|cx| driver.poll(cx)).await, Some("nobody needs it"));
    });
}
