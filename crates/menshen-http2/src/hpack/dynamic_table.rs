//! The dynamic table (RFC 7541 §2.3.2, §4): the latest fields, the oldest given up first.

use std::collections::VecDeque;

/// What each entry counts beside its text (RFC 7541 §4.1).
const OVERHEAD: usize = 32;

/// The texts stand one behind the other in one buffer. What the oldest entries leave free at its front is closed up
/// before the buffer grows, so that it is never more than an eighth above the limit.
#[derive(Debug)]
pub(super) struct DynamicTable<T> {
    text: Vec<u8>,
    /// Where the text of the oldest entry begins.
    front: usize,
    /// From the oldest to the newest.
    entries: VecDeque<Entry<T>>,
    size: usize,
    limit: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    /// Where its text ends; it begins where that of the older entry ends.
    end: u32,
    name_len: u16,
    tag: T,
}

/// The size of a field as the table counts it (RFC 7541 §4.1).
#[inline]
pub(super) fn entry_size(name: &[u8], value: &[u8]) -> usize {
    name.len() + value.len() + OVERHEAD
}

/// `T` is what its owner notes of each entry.
impl<T: Copy> DynamicTable<T> {
    /// An empty table; nothing is allocated before there is an entry.
    pub fn new(limit: u32) -> Self {
        Self { text: Vec::new(), front: 0, entries: VecDeque::new(), size: 0, limit: limit as usize }
    }

    /// The most bytes that it may have.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Changes the limit; entries that no longer fit are given up.
    pub fn set_limit(&mut self, limit: u32) {
        self.limit = limit as usize;
        self.evict_to(self.limit);
    }

    /// Bytes as RFC 7541 counts them.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Bytes of memory.
    pub fn heap(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry<T>>()
    }

    /// Name, value and note of an entry; 0 is the newest.
    #[inline]
    pub fn get(&self, index: usize) -> Option<(&[u8], &[u8], T)> {
        let at = self.entries.len().checked_sub(index)?.checked_sub(1)?;
        let entry = self.entries.get(at)?;
        let before = at.checked_sub(1).and_then(|i| self.entries.get(i));
        let start = before.map_or(self.front, |e| e.end as usize);
        let text = self.text.get(start..entry.end as usize)?;
        let (name, value) = text.split_at_checked(usize::from(entry.name_len))?;
        Some((name, value, entry.tag))
    }

    /// The notes, from the newest to the oldest.
    #[inline]
    pub fn tags(&self) -> impl Iterator<Item = T> {
        self.entries.iter().rev().map(|e| e.tag)
    }

    /// Adds a field. One that is larger than the whole table empties it (RFC 7541 §4.4).
    pub fn insert(&mut self, name: impl ExactSizeIterator<Item = u8>, value: &[u8], tag: T) {
        let name_len = name.len();
        let size = name_len + value.len() + OVERHEAD;
        self.evict_to(self.limit.saturating_sub(size));
        let Ok(name_len) = u16::try_from(name_len) else { return };
        if size > self.limit {
            return;
        }
        self.make_room(size - OVERHEAD);
        self.text.extend(name);
        self.text.extend_from_slice(value);
        self.entries.push_back(Entry { end: self.text.len() as u32, name_len, tag });
        self.size += size;
    }

    /// Gives up the oldest entries until the rest takes no more than `size`.
    fn evict_to(&mut self, size: usize) {
        while self.size > size {
            let Some(oldest) = self.entries.pop_front() else { break };
            let end = oldest.end as usize;
            self.size -= end - self.front + OVERHEAD;
            self.front = end;
        }
        if self.entries.is_empty() {
            self.text.clear();
            self.front = 0;
        }
    }

    /// Makes room for so many bytes of text, which the limit has room for.
    fn make_room(&mut self, more: usize) {
        if self.text.len() + more > self.text.capacity() && self.front > self.text.capacity() / 16 {
            self.text.drain(..self.front);
            for entry in &mut self.entries {
                entry.end -= self.front as u32;
            }
            self.front = 0;
        }
        let needed = self.text.len() + more;
        if needed > self.text.capacity() {
            let most = self.limit + self.limit / 8;
            let grown = (self.text.capacity() + self.text.capacity() / 2).clamp(128.min(most), most);
            self.text.reserve_exact(grown.max(needed) - self.text.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn insert(table: &mut DynamicTable<()>, name: &[u8], value: &[u8]) {
        table.insert(name.iter().copied(), value, ());
    }

    #[test]
    fn what_is_larger_than_the_table_empties_it() {
        let mut table = DynamicTable::new(100);
        insert(&mut table, b"a", b"b");
        insert(&mut table, b"name", &[b'x'; 65]);
        assert_eq!((table.size(), table.get(0)), (0, None));
        insert(&mut table, b"name", &[b'x'; 64]);
        assert_eq!(table.size(), 100);
    }

    #[test]
    fn an_empty_table_has_no_memory() {
        assert_eq!(DynamicTable::<()>::new(4096).heap(), 0);
    }

    proptest! {
        #[test]
        fn it_is_a_queue_within_its_limit(
            steps in prop::collection::vec((0..40_usize, 0..300_usize, prop::option::weighted(0.1, 0..2000_u32)), 0..200)
        ) {
            let mut table = DynamicTable::new(1000);
            let mut model: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
            let mut highest = 1000;
            for (i, (name, value, limit)) in steps.into_iter().enumerate() {
                if let Some(limit) = limit {
                    highest = highest.max(limit as usize);
                    table.set_limit(limit);
                }
                let field = (vec![i as u8; name], vec![!i as u8; value]);
                insert(&mut table, &field.0, &field.1);
                model.insert(0, field);
                let mut size = 0;
                let fits = |(n, v): &(Vec<u8>, Vec<u8>)| { size += entry_size(n, v); size <= table.limit() };
                model = model.into_iter().take_while(fits).collect();
                for (i, (name, value)) in model.iter().enumerate() {
                    prop_assert_eq!(table.get(i), Some((&name[..], &value[..], ())));
                }
                prop_assert_eq!(table.get(model.len()), None);
                prop_assert_eq!(table.size(), model.iter().map(|(n, v)| entry_size(n, v)).sum::<usize>());
                prop_assert!(table.text.capacity() <= highest + highest / 8);
            }
        }
    }
}
