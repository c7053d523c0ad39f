//! How many are in a group: a slice of all keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// All keys, in millionths: shares and places among keys are counted in these.
pub const WHOLE: u32 = 1_000_000;

/// How many of those who may be in a group are in it.
#[derive(Clone, Debug)]
pub enum Share {
    /// All.
    All,
    /// Always the same slice of all keys.
    Fixed {
        /// Where the slice begins, in millionths.
        start: u32,
        /// How wide it is, in millionths.
        width: u32,
    },
    /// A slice whose width changes. There is room behind its start for the widest, so that no other has to move.
    Rollout {
        /// Where the slice begins, in millionths.
        start: u32,
        /// How wide it is now.
        rollout: Arc<Rollout>,
    },
}

impl Share {
    /// True when the key at this place is in the slice.
    pub fn takes(&self, place: u32) -> bool {
        let (start, width) = match self {
            Self::All => return false,
            Self::Fixed { start, width } => (*start, *width),
            Self::Rollout { start, rollout } => (*start, rollout.width()),
        };
        place.checked_sub(start).is_some_and(|offset| offset < width)
    }

    /// How wide the slice is now, in millionths; nothing for [`Share::All`].
    pub fn width(&self) -> Option<u32> {
        match self {
            Self::All => None,
            Self::Fixed { width, .. } => Some(*width),
            Self::Rollout { rollout, .. } => Some(rollout.width()),
        }
    }
}

impl PartialEq for Share {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, Self::All) => true,
            (Self::Fixed { start: a, width: b }, Self::Fixed { start: c, width: d }) => (a, b) == (c, d),
            (Self::Rollout { rollout: a, .. }, Self::Rollout { rollout: b, .. }) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// How far a rollout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The share grows.
    Growing,
    /// The share is what it should be.
    Complete,
    /// Too many replies were bad: nobody is in the group.
    Stopped,
}

impl Stage {
    /// Its word in the admin API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Growing => "growing",
            Self::Complete => "complete",
            Self::Stopped => "stopped",
        }
    }
}

/// A share that control changes and workers read. It outlives generations.
#[derive(Debug)]
pub struct Rollout {
    width: AtomicU32,
    stage: AtomicU8,
}

impl Rollout {
    /// A rollout that is there.
    pub fn new(width: u32, stage: Stage) -> Self {
        Self { width: AtomicU32::new(width), stage: AtomicU8::new(stage as u8) }
    }

    /// How wide the slice is now, in millionths.
    pub fn width(&self) -> u32 {
        self.width.load(Ordering::Relaxed)
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        let stage = self.stage.load(Ordering::Relaxed);
        [Stage::Growing, Stage::Complete].into_iter().find(|s| *s as u8 == stage).unwrap_or(Stage::Stopped)
    }

    /// Changes it. Only control does.
    pub fn set(&self, width: u32, stage: Stage) {
        self.width.store(width, Ordering::Relaxed);
        self.stage.store(stage as u8, Ordering::Relaxed);
    }
}
