//! The clock of a limit. It counts requests, not time, and runs at the pace of the limit: what a caller owes is a
//! number of requests, which keeps its meaning when somebody edits the rate.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use menshen_config::quantity::Rate;

/// The clock's unit: so many make one request.
pub(super) const PARTS: u64 = 256;

/// The fastest rate: as many requests per second.
pub(super) const FASTEST: u128 = 1_000_000;

/// How fast the clock runs: parts per nanosecond, times 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace(u64);

impl Pace {
    /// The pace of a rate; `None` above [`FASTEST`].
    pub(super) fn of(rate: Rate) -> Option<Self> {
        let (amount, nanos) = (u128::from(rate.amount), rate.per.get().as_nanos());
        if amount.checked_mul(1_000_000_000)? > nanos.checked_mul(FASTEST)? {
            return None;
        }
        // Rounded up, which is less than one part in 500 years.
        let pace = amount.checked_mul(u128::from(PARTS) << 64)?.div_ceil(nanos.max(1));
        u64::try_from(pace).ok().map(Self)
    }

    /// How far the clock goes in this time.
    fn parts(self, nanos: u64) -> u64 {
        u64::try_from((u128::from(nanos) * u128::from(self.0)) >> 64).unwrap_or(u64::MAX)
    }

    /// How long the clock takes for this, in whole seconds, rounded up, at least 1.
    pub(super) fn seconds(self, parts: u64) -> u32 {
        let nanos = (u128::from(parts) << 64).div_ceil(u128::from(self.0.max(1)));
        u32::try_from(nanos.div_ceil(1_000_000_000)).unwrap_or(u32::MAX).max(1)
    }
}

/// What a generation of the configuration wants of its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// How fast debts are forgiven.
    pub(super) pace: Pace,
    /// The most a caller may owe, in parts.
    pub(super) room: u64,
}

/// What the clock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// The moment, in parts since the clock was made.
    pub(super) now: u64,
    /// The terms in force, which are those of the newest generation in use.
    pub(super) terms: Terms,
    /// The terms came into force by this reading.
    pub(super) is_turn: bool,
}

/// A clock that goes on where it was when its pace changes. Written once per edited configuration, by its first
/// request; read without waiting.
#[derive(Debug)]
pub(super) struct Clock {
    /// Generation (32 bits), number of the era (31 bits), and whether the next era is being written (1 bit).
    state: AtomicU64,
    /// The current era and the next or last one, in turn.
    eras: [Era; 2],
}

/// A time with the same terms.
#[derive(Debug, Default)]
struct Era {
    pace: AtomicU64,
    room: AtomicU64,
    /// Its start in nanoseconds, and what the clock said then.
    since: AtomicU64,
    parts: AtomicU64,
}

impl Era {
    fn write(&self, terms: Terms, since: u64, parts: u64) {
        self.pace.store(terms.pace.0, Ordering::Relaxed);
        self.room.store(terms.room, Ordering::Relaxed);
        self.since.store(since, Ordering::Relaxed);
        self.parts.store(parts, Ordering::Relaxed);
    }

    fn read(&self, nanos: u64) -> (Terms, u64) {
        let pace = Pace(self.pace.load(Ordering::Relaxed));
        let room = self.room.load(Ordering::Relaxed);
        let since = self.since.load(Ordering::Relaxed);
        let parts = self.parts.load(Ordering::Relaxed);
        (Terms { pace, room }, parts.wrapping_add(pace.parts(nanos.saturating_sub(since))))
    }
}

const WRITING: u64 = 1;

impl Clock {
    /// A clock at zero.
    pub(super) fn new(terms: Terms) -> Self {
        let clock = Self { state: AtomicU64::new(0), eras: Default::default() };
        let [first, _] = &clock.eras;
        first.write(terms, 0, 0);
        clock
    }

    /// Reads the clock at this moment. The first reading of a newer generation brings its terms into force.
    pub(super) fn read(&self, generation: u32, wanted: Terms, nanos: u64) -> Reading {
        let mut is_turn = false;
        loop {
            let state = self.state.load(Ordering::Acquire);
            let (current, next) = self.eras_at(state);
            let (terms, now) = current.read(nanos);
            fence(Ordering::Acquire);
            if self.state.load(Ordering::Relaxed) != state {
                continue;
            }
            let is_newer = u64::from(generation) > state >> 32;
            if terms == wanted || !is_newer || state & WRITING != 0 {
                return Reading { now, terms, is_turn };
            }
            let claimed = state | WRITING;
            if self.state.compare_exchange(state, claimed, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                fence(Ordering::Release);
                next.write(wanted, nanos, now);
                let era = state.wrapping_add(2) & 0xffff_fffe;
                self.state.store(u64::from(generation) << 32 | era, Ordering::Release);
                is_turn = true;
            }
        }
    }

    fn eras_at(&self, state: u64) -> (&Era, &Era) {
        let [even, odd] = &self.eras;
        if state & 2 == 0 { (even, odd) } else { (odd, even) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const YEAR: u64 = 365 * 86_400 * SECOND;

    fn pace(rate: &str) -> Pace {
        Pace::of(rate.parse().unwrap()).unwrap()
    }

    fn terms(rate: &str, burst: u64) -> Terms {
        Terms { pace: pace(rate), room: burst * PARTS }
    }

    #[test]
    fn rates_from_one_a_day_to_a_million_a_second_keep_their_pace_for_years() {
        for (rate, per_year) in
            [("1/day", 365_u64), ("100/s", 3_153_600_000), ("3/s", 94_608_000), ("7/week", 365)]
        {
            let requests = pace(rate).parts(YEAR) as f64 / PARTS as f64;
            assert!((requests / per_year as f64 - 1.0).abs() < 1e-6, "{rate}: {requests}");
        }
        assert_eq!(pace("1000000/s").parts(292 * YEAR) / PARTS, 292 * 365 * 86_400 * 1_000_000);
        assert_eq!(Pace::of("1000001/s".parse().unwrap()), None);
        assert_eq!(Pace::of(format!("{}/s", u64::MAX).parse().unwrap()), None);
    }

    #[test]
    fn waiting_times_are_rounded_up() {
        assert_eq!(pace("1/day").seconds(PARTS), 86_400);
        assert_eq!(pace("100/s").seconds(PARTS), 1);
        assert_eq!(pace("1/m").seconds(PARTS + 1), 61);
        assert_eq!(pace("1/day").seconds(u64::MAX), u32::MAX);
    }

    #[test]
    fn a_new_pace_goes_on_where_the_old_one_was_and_an_older_generation_follows() {
        let (slow, fast) = (terms("1/s", 1), terms("1000/s", 5));
        let clock = Clock::new(slow);
        let read = |generation, wanted, seconds| clock.read(generation, wanted, seconds * SECOND);
        assert_eq!(read(1, slow, 10).now.div_ceil(PARTS), 10);
        let turned = read(2, fast, 10);
        assert_eq!((turned.now.div_ceil(PARTS), turned.terms, turned.is_turn), (10, fast, true));
        assert_eq!(read(2, fast, 11).now.div_ceil(PARTS), 1010);
        let late = read(1, slow, 12);
        assert_eq!((late.now.div_ceil(PARTS), late.terms, late.is_turn), (2010, fast, false));
        assert_eq!(read(3, slow, 13).now.div_ceil(PARTS), 3010);
        assert_eq!(read(3, slow, 14).now.div_ceil(PARTS), 3011);
    }

    #[test]
    fn threads_that_turn_the_clock_see_whole_terms_and_never_a_jump() {
        let offers = [terms("1000/s", 1), terms("2000/s", 2), terms("1/s", 3)];
        let clock = Clock::new(offers[0]);
        let millis = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4u32 {
                let (clock, millis) = (&clock, &millis);
                scope.spawn(move || {
                    for i in 0..50_000u32 {
                        let wanted = offers[(i + thread) as usize % 3];
                        let nanos = millis.fetch_add(1, Ordering::Relaxed) * 1_000_000;
                        let reading = clock.read(i * 4 + thread + 1, wanted, nanos);
                        assert!(offers.contains(&reading.terms), "{reading:?}");
                        assert!(reading.now <= millis.load(Ordering::Relaxed) * 2 * PARTS, "{reading:?}");
                    }
                });
            }
        });
        assert!(clock.state.load(Ordering::Relaxed) >> 32 > 1000, "the clock was turned");
    }
}
