//! The wall clock of a worker, read a few times a second and carried forward by the monotonic clock.

use std::cell::{Cell, RefCell};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Wall-clock time without asking the system for each exchange.
#[derive(Debug)]
pub(crate) struct Clock {
    /// A moment, and the wall clock then, in milliseconds since 1970.
    base: Cell<(Instant, i64)>,
    http_date: RefCell<(i64, String)>,
    second: RefCell<(i64, String)>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let clock = Self {
            base: Cell::new((Instant::now(), 0)),
            http_date: RefCell::default(),
            second: RefCell::default(),
        };
        clock.read();
        clock
    }

    /// Asks the system, so that steps of the wall clock are followed.
    pub(crate) fn read(&self) {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        self.base.set((Instant::now(), i64::try_from(millis).unwrap_or(0)));
        let second = self.base.get().1 / 1000;
        let mut date = self.http_date.borrow_mut();
        if date.0 != second {
            *date = (second, httpdate::fmt_http_date(SystemTime::now()));
        }
    }

    /// Seconds since 1970, as of the last reading.
    pub(crate) fn seconds(&self) -> i64 {
        self.base.get().1 / 1000
    }

    /// Writes the time as for Date (RFC 9110 §5.6.7).
    pub(crate) fn write_http_date(&self, out: &mut Vec<u8>) {
        self.with_http_date(|date| out.extend_from_slice(date));
    }

    /// Shows the time as for Date (RFC 9110 §5.6.7).
    pub(crate) fn with_http_date(&self, look: impl FnOnce(&[u8])) {
        look(self.http_date.borrow().1.as_bytes());
    }

    /// Writes a moment as RFC 3339 in UTC with milliseconds.
    pub(crate) fn write_rfc3339(&self, at: Instant, out: &mut Vec<u8>) {
        let (base, millis) = self.base.get();
        let later = at.saturating_duration_since(base).as_millis();
        let earlier = base.saturating_duration_since(at).as_millis();
        let millis = millis + i64::try_from(later).unwrap_or(0) - i64::try_from(earlier).unwrap_or(0);
        let second = millis.div_euclid(1000);
        let mut cached = self.second.borrow_mut();
        if cached.0 != second || cached.1.is_empty() {
            let time = jiff::Timestamp::from_second(second).unwrap_or_default();
            *cached = (second, time.strftime("%Y-%m-%dT%H:%M:%S").to_string());
        }
        out.extend_from_slice(cached.1.as_bytes());
        let millis = u16::try_from(millis.rem_euclid(1000)).unwrap_or(0);
        out.push(b'.');
        for divisor in [100, 10, 1] {
            out.push(b'0' + u8::try_from(millis / divisor % 10).unwrap_or(0));
        }
        out.push(b'Z');
    }
}
