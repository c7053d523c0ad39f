//! When an answer is held: far less is in it than before.

use std::time::Duration;

use menshen_config::document::Hold as Written;

/// When an answer is held, and when it is believed after all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    /// The largest share of the endpoints that may go at once.
    share: f64,
    /// How many answers must agree.
    polls: u32,
    /// How long they must agree.
    time: Duration,
}

impl Hold {
    pub(super) fn of(written: &Written) -> Self {
        Self {
            share: written.share.map_or(0.5, |p| p.fraction()),
            polls: written.polls.unwrap_or(3),
            time: written.time.map_or(Duration::from_secs(120), |d| d.0),
        }
    }

    /// True for a set that has shrunk too much to be believed at once. Endpoints that were replaced by others are not gone.
    #[expect(clippy::cast_precision_loss, reason = "sets are far smaller than 2^52")]
    pub(super) fn is_sudden(&self, before: usize, after: usize) -> bool {
        let gone = before.saturating_sub(after);
        before > 0 && (after == 0 || gone as f64 > self.share * before as f64)
    }

    /// True when this was said often and long enough.
    pub(super) fn is_believed(&self, agreed: u32, held_for: Duration) -> bool {
        agreed >= self.polls && held_for >= self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_held_if_more_than_the_share_is_gone_or_all() {
        let hold = Hold::of(&Written::default());
        assert!(hold.is_sudden(1, 0) && hold.is_sudden(3, 1) && hold.is_sudden(100_000, 49_999));
        assert!(
            !hold.is_sudden(2, 1) && !hold.is_sudden(0, 0) && !hold.is_sudden(3, 2) && !hold.is_sudden(1, 5)
        );
    }

    #[test]
    fn it_is_believed_when_it_was_said_often_and_long_enough() {
        let hold = Hold::of(&Written::default());
        assert!(!hold.is_believed(2, Duration::from_secs(500)));
        assert!(!hold.is_believed(50, Duration::from_secs(119)));
        assert!(hold.is_believed(3, Duration::from_secs(120)));
    }
}
