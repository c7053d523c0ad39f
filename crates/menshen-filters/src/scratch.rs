//! Memory of a worker thread for building a value, so that a filter allocates nothing for it per request.

use std::cell::Cell;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Memory above this size is not kept.
const LARGEST_KEPT: usize = 16 * 1024;

/// Runs `work` with an empty buffer.
pub(crate) fn with<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut buffer = SCRATCH.take();
    buffer.clear();
    let result = work(&mut buffer);
    if buffer.capacity() <= LARGEST_KEPT {
        SCRATCH.set(buffer);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_empty_whoever_used_it_before_also_within_another() {
        with(|outer| {
            outer.extend_from_slice(b"outer");
            with(|inner| {
                assert!(inner.is_empty());
                inner.push(b'i');
            });
            assert_eq!(outer, b"outer");
        });
        with(|again| assert!(again.is_empty()));
    }
}
