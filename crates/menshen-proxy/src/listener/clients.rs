//! Connections by client.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::AtomicU32;

/// Connections by client address, without a lock: addresses share cells by a keyed hash, so that with many
/// clients one may rarely be counted together with another. All clients of a Unix socket are one.
#[derive(Debug)]
pub(super) struct ClientCounts {
    cells: Box<[AtomicU32]>,
    keys: RandomState,
}

impl ClientCounts {
    const CELLS: usize = 8192;

    pub(super) fn of(&self, client: IpAddr) -> &AtomicU32 {
        static NONE: AtomicU32 = AtomicU32::new(0);
        // A client owns a whole IPv6 /64.
        let key = match client.to_canonical() {
            IpAddr::V4(address) => u64::from(u32::from(address)),
            IpAddr::V6(address) => (u128::from(address) >> 64) as u64 | 1 << 63,
        };
        let cell = self.keys.hash_one(key) % Self::CELLS as u64;
        usize::try_from(cell).ok().and_then(|c| self.cells.get(c)).unwrap_or(&NONE)
    }
}

impl Default for ClientCounts {
    fn default() -> Self {
        Self { cells: (0..Self::CELLS).map(|_| AtomicU32::new(0)).collect(), keys: RandomState::new() }
    }
}
