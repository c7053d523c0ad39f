//! What every caller owes: a bounded table of one word per caller, without locks.
//!
//! A word holds a tag of the caller's key and the moment at which the caller's debt is paid off (the "theoretical
//! arrival time" of GCRA). Checking and counting are one compare-and-swap of that word.
//!
//! A caller is never in two slots, so that no two threads can count apart: a new caller always takes the slot whose
//! moment is the earliest, and moments only grow. Two threads that put the same caller into different slots would each
//! have seen the other's slot with an earlier moment than their own, which cannot be.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bits of a word for the moment; the others are the tag.
const MOMENT_BITS: u32 = 44;
const MOMENTS: u64 = (1 << MOMENT_BITS) - 1;
/// Moments are counted round: up to this far ahead is the future, the rest is the past.
const FURTHEST: u64 = 1 << (MOMENT_BITS - 3);
/// Callers per bucket, which is one cache line.
const SLOTS: usize = 8;
/// Buckets that are allocated together: 4 KiB.
const BUCKETS: usize = 64;

/// The most callers a table may be made for.
pub(super) const MOST_KEYS: u32 = 1 << 24;

#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket([AtomicU64; SLOTS]);

type Page = [Bucket; BUCKETS];

/// Debts of callers by the hash of their key, in parts of a request.
#[derive(Debug)]
pub(super) struct Table {
    pages: Box<[OnceLock<Box<Page>>]>,
    mask: usize,
    /// The eighth of the round, counted from 1, in which old moments were last brought forward; 0 before anybody comes.
    swept: AtomicU64,
    evictions: AtomicU64,
}

/// What the table decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Counted; the caller now owes so much.
    Admitted {
        /// In parts.
        debt: u64,
    },
    /// Not counted; the caller would owe so much more than there is room for.
    Refused {
        /// In parts.
        excess: u64,
    },
}

impl Table {
    /// A table for about this many callers. Memory is taken as callers come, 8 bytes for each.
    pub(super) fn new(keys: u32) -> Self {
        let buckets = (keys as usize).div_ceil(SLOTS).next_power_of_two();
        Self {
            pages: (0..buckets.div_ceil(BUCKETS)).map(|_| OnceLock::new()).collect(),
            mask: buckets - 1,
            swept: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
        }
    }

    /// How often a caller that still owed something was forgotten, because more callers came than there is room for.
    pub(super) fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// Forgets all callers.
    pub(super) fn clear(&self) {
        if self.swept.swap(0, Ordering::Relaxed) > 0 {
            self.slots().for_each(|slot| slot.store(0, Ordering::Relaxed));
        }
    }

    fn slots(&self) -> impl Iterator<Item = &AtomicU64> {
        let pages = self.pages.iter().filter_map(|p| p.get());
        pages.flat_map(|p| p.iter()).flat_map(|b| b.0.iter())
    }

    /// Counts `cost` for a caller if it then owes no more than `room`.
    pub(super) fn take(&self, key: u64, now: u64, cost: u64, room: u64) -> Verdict {
        self.sweep_in_time(now, room);
        let Some(bucket) = self.bucket(key) else { return Verdict::Admitted { debt: cost } };
        let tag = (key >> MOMENT_BITS).max(1);
        loop {
            let place = Place::of(bucket, tag, now);
            let lead = u64::try_from(place.lead).unwrap_or(0);
            // Whoever takes over a slot takes over the debt in it, as far as one request can still pass: many new
            // callers cannot buy each other a full burst.
            let debt = if place.is_own { lead } else { lead.min(room.saturating_sub(cost)) };
            let after = debt.saturating_add(cost);
            if after > room {
                return Verdict::Refused { excess: after - room };
            }
            let word = tag << MOMENT_BITS | now.wrapping_add(after.max(lead)) & MOMENTS;
            if place.slot.compare_exchange(place.word, word, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                if !place.is_own && lead > 0 {
                    self.evictions.fetch_add(1, Ordering::Relaxed);
                }
                return Verdict::Admitted { debt: after };
            }
        }
    }

    fn bucket(&self, key: u64) -> Option<&Bucket> {
        let number = usize::try_from(key & 0xffff_ffff).unwrap_or(0) & self.mask;
        let page = self
            .pages
            .get(number / BUCKETS)?
            .get_or_init(|| Box::new(std::array::from_fn(|_| Bucket::default())));
        page.get(number % BUCKETS)
    }

    /// Brings old moments forward before the round is full and they would look like the future.
    fn sweep_in_time(&self, now: u64, room: u64) {
        let eighth = now / FURTHEST + 1;
        let swept = self.swept.load(Ordering::Relaxed);
        if eighth > swept
            && self.swept.compare_exchange(swept, eighth, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            && swept > 0
        {
            self.settle(now, room);
        }
    }

    /// Goes through all callers: nobody owes less than nothing, and nobody more than there is room for.
    pub(super) fn settle(&self, now: u64, room: u64) {
        for slot in self.slots() {
            let word = slot.load(Ordering::Relaxed);
            let lead = lead(word, now);
            let settled = u64::try_from(lead).unwrap_or(0).min(room);
            if word != 0 && i64::try_from(settled) != Ok(lead) {
                let new = word & !MOMENTS | now.wrapping_add(settled) & MOMENTS;
                // Whoever changed the word in between has settled it.
                let _ = slot.compare_exchange(word, new, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
    }
}

/// How far the moment in a word lies ahead; below zero it is over. Empty slots are older than all.
fn lead(word: u64, now: u64) -> i64 {
    if word == 0 {
        return i64::MIN;
    }
    let ahead = word.wrapping_sub(now) & MOMENTS;
    let lead = i64::try_from(ahead).unwrap_or(0);
    if ahead <= FURTHEST { lead } else { lead - (1 << MOMENT_BITS) }
}

/// The slot of a caller, or the one it may take over.
struct Place<'a> {
    slot: &'a AtomicU64,
    word: u64,
    lead: i64,
    is_own: bool,
}

impl<'a> Place<'a> {
    fn of(bucket: &'a Bucket, tag: u64, now: u64) -> Self {
        let [first, rest @ ..] = &bucket.0;
        let mut place = Self::at(first, tag, now);
        for slot in rest {
            if place.is_own {
                break;
            }
            let other = Self::at(slot, tag, now);
            if other.is_own || other.lead < place.lead {
                place = other;
            }
        }
        place
    }

    fn at(slot: &'a AtomicU64, tag: u64, now: u64) -> Self {
        let word = slot.load(Ordering::Relaxed);
        Self { slot, word, lead: lead(word, now), is_own: word >> MOMENT_BITS == tag }
    }
}

#[cfg(test)]
mod tests;
