//! A panic costs one exchange, never the worker.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future panicked.
pub(crate) struct Panicked;

/// Turns a panic of a future into its result, so that it costs one exchange and not the worker.
pub(crate) struct CatchPanic<F>(pub(crate) F);

impl<F: Future + Unpin> Future for CatchPanic<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match std::panic::catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.0).poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_its_own_future_and_nothing_else() {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let broken = CatchPanic(Box::pin(async { panic!("on purpose") }));
        assert!(matches!(std::pin::pin!(broken).poll(&mut cx), Poll::Ready(Err(Panicked))));
        let whole = CatchPanic(Box::pin(async { 7 }));
        assert!(matches!(std::pin::pin!(whole).poll(&mut cx), Poll::Ready(Ok(7))));
    }
}
