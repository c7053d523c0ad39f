//! State of filters that outlives a generation of the configuration: buckets do not refill because someone
//! edited a route.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// State of a filter that outlives a generation.
pub trait State: Any + Send + Sync {
    /// Makes it as it was when it was new, for those who look at requests one by one. Counters of metrics stay.
    fn reset(&self);

    /// How often something was forgotten because there was no room for it.
    fn evictions(&self) -> u64;
}

/// State and the id of the filter that it is of.
struct Kept {
    id: Box<str>,
    state: Arc<dyn State>,
}

/// State by the place of its filter in the document. Used while compiling and for metrics, never by workers.
#[derive(Default)]
pub struct Keep {
    kept: Mutex<HashMap<String, Kept>>,
}

impl Keep {
    /// The state under this key, made now if there is none of this type. It is counted for the filter with this id.
    pub fn get<T: State>(&self, key: &str, id: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut all = self.lock();
        if let Some(kept) = all.get_mut(key)
            && let Ok(old) = (kept.state.clone() as Arc<dyn Any + Send + Sync>).downcast()
        {
            kept.id = id.into();
            return old;
        }
        let new = Arc::new(make());
        all.insert(key.to_owned(), Kept { id: id.into(), state: new.clone() });
        new
    }

    /// Makes all state as it was when it was new.
    pub fn reset(&self) {
        self.lock().values().for_each(|kept| kept.state.reset());
    }

    /// How often filters forgot something because there was no room for it, by their ids.
    pub fn evictions(&self) -> BTreeMap<Box<str>, u64> {
        let mut sums = BTreeMap::new();
        for kept in self.lock().values() {
            *sums.entry(kept.id.clone()).or_default() += kept.state.evictions();
        }
        sums
    }

    /// Forgets what no generation holds any more.
    pub fn sweep(&self) {
        self.lock().retain(|_, kept| Arc::strong_count(&kept.state) > 1);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Calls itself new again by going to 0; has forgotten so much.
    struct Number(AtomicU64, u64);

    impl State for Number {
        fn reset(&self) {
            self.0.store(0, Ordering::Relaxed);
        }

        fn evictions(&self) -> u64 {
            self.1
        }
    }

    fn number(number: u64) -> impl FnOnce() -> Number {
        move || Number(number.into(), number)
    }

    #[test]
    fn state_is_kept_as_long_as_somebody_holds_it() {
        let keep = Keep::default();
        let first = keep.get("a", "a", number(1));
        assert!(Arc::ptr_eq(&first, &keep.get("a", "a", number(2))));
        keep.sweep();
        assert_eq!(keep.get("a", "a", number(3)).1, 1);
        drop(first);
        keep.sweep();
        assert_eq!(keep.get("a", "a", number(4)).1, 4);
    }

    #[test]
    fn all_state_is_reset_together() {
        let keep = Keep::default();
        let all = [keep.get("a", "a", number(1)), keep.get("b", "b", number(2))];
        keep.reset();
        assert!(all.iter().all(|n| n.0.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn evictions_are_summed_by_the_latest_id() {
        let keep = Keep::default();
        let _all = [
            keep.get("a", "old", number(1)),
            keep.get("a", "x", number(9)),
            keep.get("b", "x", number(2)),
            keep.get("c", "y", number(4)),
        ];
        assert_eq!(keep.evictions(), BTreeMap::from([("x".into(), 3), ("y".into(), 4)]));
    }
}
