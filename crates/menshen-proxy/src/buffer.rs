//! Read buffers and the worker's free list of them: a buffer is held only while there is something in it.

use std::cell::{Cell, RefCell};

/// Bytes received and not yet used. The memory is initialised once and never cleared; while a buffer waits empty,
/// it has none.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    memory: Vec<u8>,
    start: usize,
    end: usize,
    size: Size,
}

impl Buffer {
    /// The bytes in it.
    pub(crate) fn data(&self) -> &[u8] {
        self.memory.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Drops bytes from the front.
    pub(crate) fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// A buffer without memory that will get some of this size.
    pub(crate) fn waiting(size: Size) -> Self {
        Self { size, ..Self::default() }
    }

    /// True when nothing more can be read into it.
    pub(crate) fn is_full(&self) -> bool {
        self.has_memory() && self.start == 0 && self.end == self.memory.len()
    }

    /// How much the next read may bring.
    pub(crate) fn most(&self) -> usize {
        if self.has_memory() { self.memory.len() - self.len() } else { self.size.bytes() }
    }

    pub(crate) fn has_memory(&self) -> bool {
        !self.memory.is_empty()
    }

    /// Free memory behind the bytes; moves them to the front when the end is reached.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.end == self.memory.len() && self.start > 0 {
            self.memory.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.memory.get_mut(self.end..).unwrap_or_default()
    }

    /// `n` bytes were put into [`Buffer::room`].
    pub(crate) fn filled(&mut self, n: usize) {
        self.end = (self.end + n).min(self.memory.len());
    }

    /// Moves what `other` holds into this empty buffer, as far as there is room.
    fn take_over(&mut self, other: &Buffer) {
        let data = other.data();
        let n = data.len().min(self.memory.len());
        if let (Some(to), Some(from)) = (self.memory.get_mut(..n), data.get(..n)) {
            to.copy_from_slice(from);
        }
        self.start = 0;
        self.end = n;
    }
}

/// The sizes in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Size {
    /// For whoever waits with little: a part of a head, the start of an answer that its client does not take.
    Least,
    /// For whoever waits with a little more.
    Little,
    /// For what clients send: heads and small bodies.
    #[default]
    Small,
    /// For what services send: a head and a body of up to 16 KiB arrive in one read.
    Medium,
    /// For bodies that keep coming.
    Large,
}

impl Size {
    const LEAST: usize = 512;
    const LITTLE: usize = 2 * 1024;
    const SMALL: usize = 16 * 1024;
    const MEDIUM: usize = 32 * 1024;
    const LARGE: usize = 256 * 1024;

    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Least => Self::LEAST,
            Self::Little => Self::LITTLE,
            Self::Small => Self::SMALL,
            Self::Medium => Self::MEDIUM,
            Self::Large => Self::LARGE,
        }
    }

    /// The size that these bytes fill, this one at most.
    pub(crate) fn filled_by(self, bytes: usize) -> Self {
        let all = [Self::Large, Self::Medium, Self::Small, Self::Little];
        let fits = |size: &Self| size.bytes() <= bytes.min(self.bytes());
        all.into_iter().find(fits).unwrap_or(Self::Least)
    }

    /// How many are kept for later: 32 KiB of the least ones, 128 KiB of little ones, 1 MiB of small ones, 2 MiB of medium
    /// ones, 16 MiB of large ones.
    const KEPT: usize = 64;
}

/// Large buffers lent for bodies at once: 64 MiB. Above that bodies pass through medium ones, so that a thousand
/// slow readers cost little.
const MOST_LARGE: usize = 256;

/// Buffers not in use.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    large_lent: Cell<usize>,
    least: RefCell<Vec<Vec<u8>>>,
    little: RefCell<Vec<Vec<u8>>>,
    small: RefCell<Vec<Vec<u8>>>,
    medium: RefCell<Vec<Vec<u8>>>,
    large: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    /// An empty buffer with memory.
    pub(crate) fn take(&self, size: Size) -> Buffer {
        if size == Size::Large {
            self.large_lent.set(self.large_lent.get() + 1);
        }
        let memory = self.list(size).borrow_mut().pop().unwrap_or_else(|| vec![0; size.bytes()]);
        Buffer { memory, start: 0, end: 0, size }
    }

    /// Takes a buffer back.
    pub(crate) fn give(&self, buffer: Buffer) {
        let size = match buffer.memory.len() {
            Size::LEAST => Size::Least,
            Size::LITTLE => Size::Little,
            Size::SMALL => Size::Small,
            Size::MEDIUM => Size::Medium,
            Size::LARGE => Size::Large,
            _ => return,
        };
        if size == Size::Large {
            self.large_lent.set(self.large_lent.get().saturating_sub(1));
        }
        let mut list = self.list(size).borrow_mut();
        if list.len() < Size::KEPT {
            list.push(buffer.memory);
        }
    }

    /// Gives memory to a buffer that has none.
    pub(crate) fn lend(&self, buffer: &mut Buffer) {
        if !buffer.has_memory() {
            let wanted =
                if buffer.size == Size::Large && !self.has_large() { Size::Medium } else { buffer.size };
            *buffer = Buffer { size: buffer.size, ..self.take(wanted) };
        }
    }

    fn has_large(&self) -> bool {
        self.large_lent.get() < MOST_LARGE
    }

    /// Prepares a buffer for a body that keeps coming: large, unless too many are.
    pub(crate) fn widen(&self, buffer: &mut Buffer) {
        if !buffer.has_memory() {
            buffer.size = Size::Large;
        } else if self.has_large() {
            self.enlarge(buffer);
        }
    }

    /// Takes the memory of a buffer that is empty; it will get some of the same size again.
    pub(crate) fn reclaim(&self, buffer: &mut Buffer) {
        if buffer.is_empty() && buffer.has_memory() {
            let waiting = Buffer::waiting(buffer.size);
            self.give(std::mem::replace(buffer, waiting));
        }
    }

    /// Exchanges a buffer for a larger one, keeping its bytes: for a head that does not fit.
    pub(crate) fn enlarge(&self, buffer: &mut Buffer) {
        match buffer.memory.len() {
            Size::LARGE.. => {}
            Size::LEAST => self.exchange(buffer, Size::Little),
            Size::LITTLE => self.exchange(buffer, Size::Medium),
            _ => self.exchange(buffer, Size::Large),
        }
    }

    fn exchange(&self, buffer: &mut Buffer, size: Size) {
        let mut other = self.take(size);
        other.take_over(buffer);
        self.give(std::mem::replace(buffer, other));
    }

    /// Moves what waits into as little memory as there is for it and a byte more, because a full buffer reads nothing.
    /// Once that is used, the buffer gets some of its own size again.
    pub(crate) fn settle(&self, buffer: &mut Buffer) {
        let (len, size) = (buffer.len(), buffer.size);
        if len == 0 {
            return self.reclaim(buffer);
        }
        let most = if buffer.is_full() { size.bytes() } else { buffer.memory.len().saturating_sub(1) };
        let mut fitting = [Size::Least, Size::Little, Size::Small, Size::Medium].into_iter();
        if let Some(fitting) = fitting.find(|fitting| (len + 1..=most).contains(&fitting.bytes())) {
            self.exchange(buffer, fitting);
            buffer.size = size;
        }
    }

    /// An empty buffer gets memory of this size when it next gets some.
    pub(crate) fn suit(&self, buffer: &mut Buffer, size: Size) {
        let is_settled = buffer.has_memory() && buffer.memory.len() < size.bytes().min(Size::MEDIUM);
        if buffer.is_empty() && (buffer.size != size || is_settled) {
            self.reclaim(buffer);
            buffer.size = size;
        }
    }

    /// Frees what was not needed lately: half of each list.
    pub(crate) fn shrink(&self) {
        for list in [&self.least, &self.little, &self.small, &self.medium, &self.large] {
            let mut list = list.borrow_mut();
            let keep = list.len() / 2;
            list.truncate(keep);
        }
    }

    fn list(&self, size: Size) -> &RefCell<Vec<Vec<u8>>> {
        match size {
            Size::Least => &self.least,
            Size::Little => &self.little,
            Size::Small => &self.small,
            Size::Medium => &self.medium,
            Size::Large => &self.large,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(b: &mut Buffer, bytes: &[u8]) {
        b.room()[..bytes.len()].copy_from_slice(bytes);
        b.filled(bytes.len());
    }

    #[test]
    fn bytes_move_to_the_front_when_the_end_is_reached() {
        let buffers = Buffers::default();
        let mut b = buffers.take(Size::Small);
        put(&mut b, &vec![1; Size::SMALL]);
        assert!(b.is_full());
        b.consume(Size::SMALL - 3);
        assert_eq!(b.room().len(), Size::SMALL - 3);
        assert_eq!(b.data(), [1, 1, 1]);
    }

    #[test]
    fn enlarging_keeps_the_bytes_and_returns_the_small_buffer() {
        let buffers = Buffers::default();
        let mut b = buffers.take(Size::Small);
        put(&mut b, b"abc");
        b.consume(1);
        buffers.enlarge(&mut b);
        assert_eq!(b.data(), b"bc");
        assert_eq!((b.memory.len(), buffers.small.borrow().len()), (Size::LARGE, 1));
    }

    #[test]
    fn what_waits_moves_into_little_memory_and_what_follows_gets_as_much_as_ever() {
        let buffers = Buffers::default();
        let mut b = buffers.take(Size::Large);
        put(&mut b, &vec![7; Size::SMALL + 3]);
        buffers.settle(&mut b);
        assert_eq!((b.len(), b.memory.len()), (Size::SMALL + 3, Size::MEDIUM));
        b.consume(Size::SMALL);
        buffers.settle(&mut b);
        assert_eq!((b.data(), b.memory.len()), (&[7; 3][..], Size::LEAST));
        buffers.suit(&mut b, Size::Large);
        assert_eq!(b.data(), [7; 3], "bytes that wait stay where they are");
        b.consume(3);
        buffers.suit(&mut b, Size::Large);
        buffers.lend(&mut b);
        assert_eq!((b.memory.len(), buffers.large_lent.get()), (Size::LARGE, 1));
        assert_eq!((buffers.least.borrow().len(), buffers.medium.borrow().len()), (1, 1));
    }

    #[test]
    fn what_waits_leaves_room_for_what_follows() {
        let buffers = Buffers::default();
        for len in [
            1,
            Size::LEAST - 1,
            Size::LEAST,
            Size::LITTLE - 1,
            Size::LITTLE,
            Size::LITTLE + 1,
            Size::SMALL - 1,
        ] {
            let mut b = buffers.take(Size::Small);
            put(&mut b, &vec![1; len]);
            buffers.settle(&mut b);
            assert!(!b.is_full() && !b.room().is_empty(), "{len}");
            assert_eq!(b.len(), len);
        }
    }

    #[test]
    fn what_fills_the_little_that_it_has_gets_more_up_to_its_own_size() {
        let buffers = Buffers::default();
        let mut b = buffers.take(Size::Small);
        put(&mut b, b"a");
        let mut had = Vec::new();
        while !b.is_full() || b.memory.len() < Size::SMALL {
            buffers.settle(&mut b);
            had.push(b.memory.len());
            let room = b.room().len();
            b.filled(room);
        }
        assert_eq!(had, [Size::LEAST, Size::LITTLE, Size::SMALL]);
        buffers.settle(&mut b);
        assert!(b.is_full());
    }

    #[test]
    fn a_buffer_has_the_size_that_is_filled() {
        let sizes = [0, Size::LITTLE - 1, Size::SMALL - 1, Size::SMALL, 65_535, usize::MAX];
        let wanted = [Size::Least, Size::Least, Size::Little, Size::Small, Size::Medium, Size::Large];
        assert_eq!(sizes.map(|n| Size::Large.filled_by(n)), wanted);
        assert_eq!(Size::Medium.filled_by(usize::MAX), Size::Medium);
    }

    #[test]
    fn what_does_not_fit_into_the_least_gets_more_step_by_step() {
        let buffers = Buffers::default();
        let mut b = buffers.take(Size::Least);
        put(&mut b, &[1; Size::LEAST]);
        for step in [Size::LITTLE, Size::MEDIUM, Size::LARGE] {
            buffers.enlarge(&mut b);
            assert_eq!((b.len(), b.memory.len()), (Size::LEAST, step));
        }
    }

    #[test]
    fn a_buffer_that_waits_empty_has_no_memory_and_gets_some_of_its_size_again() {
        let buffers = Buffers::default();
        let mut b = Buffer::default();
        buffers.widen(&mut b);
        buffers.lend(&mut b);
        assert_eq!(b.memory.len(), Size::LARGE);
        buffers.reclaim(&mut b);
        assert!(!b.has_memory());
        buffers.lend(&mut b);
        assert_eq!((b.memory.len(), buffers.large_lent.get()), (Size::LARGE, 1));
    }

    #[test]
    fn above_the_limit_bodies_get_medium_buffers_but_heads_still_large_ones() {
        let buffers = Buffers::default();
        let all: Vec<Buffer> = (0..MOST_LARGE).map(|_| buffers.take(Size::Large)).collect();
        let mut b = Buffer::default();
        buffers.widen(&mut b);
        buffers.lend(&mut b);
        assert_eq!(b.memory.len(), Size::MEDIUM);
        buffers.enlarge(&mut b);
        assert_eq!(b.memory.len(), Size::LARGE);
        all.into_iter().for_each(|b| buffers.give(b));
        buffers.give(b);
        assert_eq!(buffers.large_lent.get(), 0);
    }
}
