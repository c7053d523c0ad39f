//! Turns: a worker that has moved much content asks what else has come before it moves more. Without them fifty large
//! answers would hold up every small one for as long as there is something to move.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::num::NonZeroU64;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::buffer::{Buffer, Buffers};
use crate::wait;

/// Bytes of content that a worker moves before it asks.
pub(crate) const TURN: usize = 256 * 1024;

/// Bytes that everybody reads without waiting for a turn: who wants little goes past those who want much.
const FREE: usize = 64 * 1024;

/// How many are called at once: asking what has come costs a system call, and calling one who waits costs a switch to it.
const CALLED: usize = 4;

/// The turns of a worker: who wants to read content waits in a row once much was moved.
#[derive(Default)]
pub(crate) struct Turns {
    /// Bytes moved since others were asked last.
    moved: Cell<usize>,
    /// Those who wait, the next one in front.
    row: RefCell<VecDeque<Waker>>,
    /// How many were ever called out of the row.
    called: Cell<u64>,
    /// The one who calls, while there is nobody to call.
    caller: RefCell<Option<Waker>>,
}

/// Where somebody stands in the row, and what they have read since their last turn.
#[derive(Debug, Default)]
pub(crate) struct Place {
    number: Option<NonZeroU64>,
    read: usize,
}

impl Turns {
    /// Ready when content may be read into this buffer, which has no memory for nothing meanwhile. Somebody who never comes
    /// back holds up nobody.
    pub(crate) fn poll(
        &self,
        cx: &Context<'_>,
        place: &mut Place,
        buffers: &Buffers,
        buffer: &mut Buffer,
    ) -> Poll<()> {
        if place.number.is_none() && place.read + buffer.most() <= FREE {
            return Poll::Ready(());
        }
        if self.poll_turn(cx, &mut place.number).is_pending() {
            buffers.reclaim(buffer);
            return Poll::Pending;
        }
        place.read = 0;
        Poll::Ready(())
    }

    fn poll_turn(&self, cx: &Context<'_>, place: &mut Option<NonZeroU64>) -> Poll<()> {
        let mut row = self.row.borrow_mut();
        match *place {
            None if self.moved.get() < TURN && row.is_empty() => return Poll::Ready(()),
            None => {
                row.push_back(cx.waker().clone());
                *place = NonZeroU64::new(self.called.get() + row.len() as u64);
                if let Some(caller) = self.caller.take() {
                    caller.wake();
                }
            }
            Some(number) => {
                let Some(ahead) = number.get().checked_sub(self.called.get() + 1) else {
                    *place = None;
                    return Poll::Ready(());
                };
                let waker = usize::try_from(ahead).ok().and_then(|ahead| row.get_mut(ahead));
                if let Some(waker) = waker {
                    waker.clone_from(cx.waker());
                }
            }
        }
        Poll::Pending
    }

    /// Content was read.
    pub(crate) fn moved(&self, place: &mut Place, bytes: usize) {
        place.read = place.read.saturating_add(bytes);
        self.moved.set(self.moved.get().saturating_add(bytes));
    }

    /// Calls a few at a time, and lets all others go on in between.
    pub(crate) async fn run(&self) {
        loop {
            poll_fn(|cx| {
                if self.row.borrow().is_empty() {
                    wait::remember(&mut self.caller.borrow_mut(), cx.waker());
                    return Poll::Pending;
                }
                Poll::Ready(())
            })
            .await;
            tokio::task::yield_now().await;
            self.moved.set(0);
            let mut row = self.row.borrow_mut();
            let next = row.len().min(CALLED);
            self.called.set(self.called.get() + next as u64);
            row.drain(..next).for_each(Waker::wake);
        }
    }
}

/// Wakes this task once all others had their turn and the system was asked what has come.
pub(crate) fn after_all_others(cx: &mut Context<'_>) {
    let pause = pin!(tokio::task::yield_now());
    let _is_pending = pause.poll(cx);
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;
    use tokio::runtime::{Builder, LocalOptions};
    use tokio::task::spawn_local;

    use super::*;
    use crate::buffer::Size;

    fn poll(turns: &Turns, cx: &Context<'_>, place: &mut Place) -> Poll<()> {
        turns.poll(cx, place, &Buffers::default(), &mut Buffer::waiting(Size::Large))
    }

    fn once(turns: &Turns, place: &mut Place) -> Poll<()> {
        poll(turns, &Context::from_waker(Waker::noop()), place)
    }

    #[test]
    fn whoever_comes_first_goes_on_until_much_was_moved() {
        let (turns, mut place) = (Turns::default(), Place::default());
        turns.moved(&mut place, TURN - 1);
        assert!(once(&turns, &mut place).is_ready());
        turns.moved(&mut place, 1);
        assert!(once(&turns, &mut place).is_pending());
        assert!(once(&turns, &mut place).is_pending());
        assert_eq!(turns.row.borrow().len(), 1, "asking again is not standing in the row twice");
    }

    #[test]
    fn nobody_overtakes_those_who_wait() {
        let turns = Turns::default();
        let [mut first, mut second, mut third] = <[Place; 3]>::default();
        turns.moved(&mut Place::default(), TURN);
        assert!(once(&turns, &mut first).is_pending());
        assert!(once(&turns, &mut second).is_pending());
        turns.moved.set(0);
        assert!(once(&turns, &mut third).is_pending(), "two were here before");
        turns.row.borrow_mut().pop_front();
        turns.called.set(1);
        assert!(once(&turns, &mut second).is_pending());
        assert!(once(&turns, &mut first).is_ready());
    }

    #[test]
    fn who_wants_little_waits_for_nobody_and_who_waits_holds_no_memory() {
        let (turns, mut place, buffers) = (Turns::default(), Place::default(), Buffers::default());
        turns.moved(&mut Place::default(), TURN);
        let mut buffer = buffers.take(Size::Medium);
        let cx = Context::from_waker(Waker::noop());
        assert!(turns.poll(&cx, &mut place, &buffers, &mut buffer).is_ready());
        turns.moved(&mut place, FREE);
        assert!(buffer.has_memory());
        assert!(turns.poll(&cx, &mut place, &buffers, &mut buffer).is_pending(), "often little is much");
        assert!(!buffer.has_memory());
    }

    #[test]
    fn somebody_who_has_left_holds_up_nobody() {
        Builder::new_current_thread().build_local(LocalOptions::default()).unwrap().block_on(async {
            let turns = Rc::new(Turns::default());
            turns.moved(&mut Place::default(), TURN);
            assert!(once(&turns, &mut Place::default()).is_pending(), "and is never seen again");
            spawn_local({
                let turns = turns.clone();
                async move { turns.run().await }
            });
            let mut place = Place::default();
            poll_fn(|cx| poll(&turns, cx, &mut place)).await;
        });
    }

    /// Fifty move as much as they may, and one sends a byte to and fro through the system.
    #[test]
    fn whoever_wants_little_waits_for_few_of_those_who_want_much() {
        const MANY: usize = 50;
        const EACH: usize = 20;
        let runtime = Builder::new_current_thread().enable_io().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(async {
            let turns = Rc::new(Turns::default());
            let moves = Rc::new(Cell::new(0));
            spawn_local({
                let turns = turns.clone();
                async move { turns.run().await }
            });
            for _ in 0..MANY {
                let (turns, moves) = (turns.clone(), moves.clone());
                spawn_local(async move {
                    let mut place = Place::default();
                    for _ in 0..EACH {
                        poll_fn(|cx| poll(&turns, cx, &mut place)).await;
                        turns.moved(&mut place, TURN);
                        moves.set(moves.get() + 1);
                    }
                });
            }
            let (mut here, mut there) = UnixStream::pair().unwrap();
            spawn_local(async move {
                while let Ok(byte) = there.read_u8().await {
                    there.write_u8(byte).await.unwrap();
                }
            });
            let mut answers = 0;
            while moves.get() < MANY * EACH {
                here.write_u8(1).await.unwrap();
                here.read_u8().await.unwrap();
                answers += 1;
            }
            assert!(answers >= MANY * EACH / CALLED / 4, "{answers} answers beside {} moves", MANY * EACH);
        });
    }
}
