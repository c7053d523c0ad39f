//! State of filters that outlives a generation of the configuration: buckets do not refill because someone
//! edited a route.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

type Kept = Arc<dyn Any + Send + Sync>;

/// State by the place of its filter in the document. Used while compiling, never by workers.
#[derive(Debug, Default)]
pub struct Keep {
    state: Mutex<HashMap<String, Kept>>,
}

impl Keep {
    /// The state under this key, made now if there is none of this type.
    pub fn get<T: Any + Send + Sync>(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = state.get(key).and_then(|s| s.clone().downcast().ok()) {
            return old;
        }
        let new = Arc::new(make());
        state.insert(key.to_owned(), new.clone());
        new
    }

    /// Forgets what no generation holds any more.
    pub fn sweep(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.retain(|_, s| Arc::strong_count(s) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_kept_as_long_as_somebody_holds_it() {
        let keep = Keep::default();
        let first = keep.get("a", || 1u32);
        assert!(Arc::ptr_eq(&first, &keep.get("a", || 2u32)));
        keep.sweep();
        assert_eq!(*keep.get("a", || 3u32), 1);
        drop(first);
        keep.sweep();
        assert_eq!(*keep.get("a", || 4u32), 4);
    }
}
