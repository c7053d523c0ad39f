//! Requests of one worker that wait until one more may go to a service: higher priorities first, else in the order in
//! which they came. The first of them is woken when a request ends, on whatever worker.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use rustc_hash::FxBuildHasher;

use super::{ConcurrencyPolicy, Permit, Priority, QueuePolicy};
use crate::service::ServiceState;

/// The queues of a worker, by service; there is one only while somebody waits.
#[derive(Default)]
pub(crate) struct Queues(RefCell<HashMap<usize, Rc<Queue>, FxBuildHasher>>);

/// Those who wait for one service.
#[derive(Default)]
struct Queue([RefCell<VecDeque<Rc<Waiter>>>; Priority::COUNT]);

/// Somebody who waits.
#[derive(Default)]
struct Waiter {
    waker: RefCell<Option<Waker>>,
    /// Somebody of higher priority has got the place.
    is_displaced: Cell<bool>,
}

impl Waiter {
    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

impl Queue {
    fn of(&self, priority: Priority) -> Option<&RefCell<VecDeque<Rc<Waiter>>>> {
        self.0.get(priority as usize)
    }

    fn first(&self) -> Option<Rc<Waiter>> {
        self.0.iter().rev().find_map(|waiters| waiters.borrow().front().cloned())
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|waiters| waiters.borrow().is_empty())
    }

    /// Takes away the last of those who are less important than this; false when there is none.
    fn displace(&self, priority: Priority) -> bool {
        let lower = self.0.iter().take(priority as usize);
        let last = lower.filter_map(|waiters| waiters.borrow_mut().pop_back()).next();
        if let Some(last) = &last {
            last.is_displaced.set(true);
            last.wake();
        }
        last.is_some()
    }
}

/// A place in the queue. Whoever leaves it, for whatever reason, lets the next one see.
pub(crate) struct Place<'a> {
    queues: &'a Queues,
    queue: Rc<Queue>,
    waiter: Rc<Waiter>,
    state: Arc<ServiceState>,
    priority: Priority,
    worker: usize,
}

impl Queues {
    /// Takes a place at the end, or that of somebody less important; `None` when there is none.
    pub(crate) fn enter(
        &self,
        state: &Arc<ServiceState>,
        policy: QueuePolicy,
        priority: Priority,
        worker: usize,
    ) -> Option<Place<'_>> {
        let key = Arc::as_ptr(state) as usize;
        let queue = self.0.borrow().get(&key).cloned();
        let total = &state.concurrency.waiting;
        let one_more = |n| (n < policy.length).then_some(n + 1);
        if total.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_err()
            // The one who is displaced leaves its number to this one.
            && !queue.as_ref().is_some_and(|queue| queue.displace(priority))
        {
            return None;
        }
        let queue = queue.unwrap_or_else(|| self.0.borrow_mut().entry(key).or_default().clone());
        let waiter = Rc::new(Waiter::default());
        queue.of(priority)?.borrow_mut().push_back(waiter.clone());
        if let Some(mine) = state.concurrency.workers.of(worker) {
            mine.count.fetch_add(1, Ordering::SeqCst);
        }
        Some(Place { queues: self, queue, waiter, state: state.clone(), priority, worker })
    }
}

impl Place<'_> {
    /// Ready with a permit when it is this one's turn, and with nothing when the place was lost.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, policy: &ConcurrencyPolicy) -> Poll<Option<Permit>> {
        if self.waiter.is_displaced.get() {
            return Poll::Ready(None);
        }
        self.waiter.waker.replace(Some(cx.waker().clone()));
        if !self.queue.first().is_some_and(|first| Rc::ptr_eq(&first, &self.waiter)) {
            return Poll::Pending;
        }
        // In this order, so that no end of a request is missed.
        if let Some(mine) = self.state.concurrency.workers.of(self.worker) {
            mine.first.register(cx.waker());
        }
        match self.state.concurrency.begin(policy, self.priority) {
            true => Poll::Ready(Some(Permit(self.state.clone()))),
            false => Poll::Pending,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let concurrency = &self.state.concurrency;
        if let Some(mine) = concurrency.workers.of(self.worker) {
            mine.count.fetch_sub(1, Ordering::SeqCst);
        }
        if !self.waiter.is_displaced.get() {
            concurrency.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        if let Some(waiters) = self.queue.of(self.priority) {
            waiters.borrow_mut().retain(|waiter| !Rc::ptr_eq(waiter, &self.waiter));
        }
        if self.queue.is_empty() {
            // There may be a newer one already, if this place was lost.
            self.queues.0.borrow_mut().retain(|_, queue| !Rc::ptr_eq(queue, &self.queue));
        }
        match self.queue.first() {
            Some(next) => next.wake(),
            None => concurrency.wake(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::concurrency::Limit;

    const QUEUE: QueuePolicy = QueuePolicy { length: 3, wait: Duration::from_secs(1) };

    fn policy(limit: u32) -> ConcurrencyPolicy {
        ConcurrencyPolicy { limit: Limit::Fixed(limit), per_endpoint: None, queue: Some(QUEUE) }
    }

    fn poll(place: &Place<'_>, policy: &ConcurrencyPolicy) -> Option<Permit> {
        match place.poll(&mut Context::from_waker(Waker::noop()), policy) {
            Poll::Ready(permit) => permit,
            Poll::Pending => None,
        }
    }

    #[test]
    fn who_came_first_goes_first_and_higher_priorities_before_all() {
        let (state, queues, one) = (Arc::new(ServiceState::new(1)), Queues::default(), policy(1));
        let permit = state.permit(&one, Priority::Normal);
        let enter = |priority| queues.enter(&state, QUEUE, priority, 0).unwrap();
        let (first, second, high) = (enter(Priority::Normal), enter(Priority::Normal), enter(Priority::High));
        drop(permit);
        assert!(poll(&first, &one).is_none() && poll(&second, &one).is_none());
        let permit = poll(&high, &one);
        assert!(permit.is_some());
        drop(high);
        assert!(poll(&first, &one).is_none(), "the limit holds");
        drop(permit);
        assert!(poll(&second, &one).is_none() && poll(&first, &one).is_some());
    }

    #[test]
    fn nobody_passes_those_who_wait() {
        let (state, queues, one) = (Arc::new(ServiceState::new(1)), Queues::default(), policy(1));
        let place = queues.enter(&state, QUEUE, Priority::Normal, 0).unwrap();
        assert!(state.permit(&one, Priority::Normal).is_none());
        drop(place);
        assert!(state.permit(&one, Priority::Normal).is_some());
    }

    #[test]
    fn a_full_queue_takes_nobody_but_who_is_more_important_than_the_last() {
        let (state, queues, one) = (Arc::new(ServiceState::new(1)), Queues::default(), policy(1));
        let enter = |priority| queues.enter(&state, QUEUE, priority, 0);
        let _normal = enter(Priority::Normal);
        let (low, last) = (enter(Priority::Low).unwrap(), enter(Priority::Low).unwrap());
        assert!(enter(Priority::Low).is_none());
        let other = enter(Priority::Normal);
        assert!(other.is_some() && last.waiter.is_displaced.get() && !low.waiter.is_displaced.get());
        assert!(matches!(last.poll(&mut Context::from_waker(Waker::noop()), &one), Poll::Ready(None)));
        assert_eq!(state.concurrency.waiting(), 3);
        drop((last, low, other, _normal));
        assert_eq!(state.concurrency.waiting(), 0);
        assert!(queues.0.borrow().is_empty());
    }
}
