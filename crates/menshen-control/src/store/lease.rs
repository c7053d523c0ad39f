//! Leases: of the nodes that share a store one has a task, until it lets go or is not heard of any more.

use std::time::Duration;

use menshen_proxy::condition::UnixSeconds;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};

/// What the keys of leases begin with.
pub(super) const PREFIX: &str = "lease/";

/// What one node would like to have alone.
#[derive(Clone, Debug)]
pub struct Lease {
    key: String,
    holder: Box<str>,
    length: UnixSeconds,
}

/// Who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// This node, until then if it does not take it again before.
    Ours {
        /// The end, in seconds since 1970.
        until: UnixSeconds,
    },
    /// Another one.
    Theirs {
        /// Its name.
        holder: Box<str>,
        /// When it may be taken over, in seconds since 1970.
        until: UnixSeconds,
    },
}

#[derive(Serialize, Deserialize)]
struct Row {
    holder: Box<str>,
    until: UnixSeconds,
}

impl Lease {
    /// Of this task, for the node of this name. Clocks of nodes may differ by much less than `length`.
    pub fn new(task: &str, holder: &str, length: Duration) -> Self {
        let length = UnixSeconds::try_from(length.as_secs()).unwrap_or(UnixSeconds::MAX);
        Self { key: format!("{PREFIX}{task}"), holder: holder.into(), length }
    }

    /// Takes it, or takes it again, if nobody else has it now.
    ///
    /// # Errors
    /// The store cannot be used: nobody knows who has it, so nobody may act.
    pub fn take(&self, store: &dyn Store, now: UnixSeconds) -> Result<Hold, StoreError> {
        let found = store.read(&self.key)?;
        let row: Option<Row> = found.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
        if let Some(Row { holder, until }) = row.filter(|r| r.holder != self.holder && r.until > now) {
            return Ok(Hold::Theirs { holder, until });
        }
        let until = now.saturating_add(self.length);
        let ours = row_bytes(&Row { holder: self.holder.clone(), until });
        if store.swap(&self.key, found.as_deref(), Some(&ours))? {
            return Ok(Hold::Ours { until });
        }
        // Somebody was faster in between.
        Ok(Hold::Theirs { holder: "another node".into(), until })
    }

    /// Lets go of it, if it is ours, so that another node need not wait.
    ///
    /// # Errors
    /// The store cannot be used; the lease then ends by itself.
    pub fn release(&self, store: &dyn Store) -> Result<(), StoreError> {
        let found = store.read(&self.key)?;
        let row: Option<Row> = found.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
        if row.is_some_and(|r| r.holder == self.holder) {
            store.swap(&self.key, found.as_deref(), None)?;
        }
        Ok(())
    }
}

fn row_bytes(row: &Row) -> Vec<u8> {
    // A name and a number are JSON, whatever they are.
    serde_json::to_vec(row).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;

    fn lease(holder: &str) -> Lease {
        Lease::new("acme", holder, Duration::from_secs(60))
    }

    #[test]
    fn one_of_several_nodes_has_it_and_keeps_it_by_taking_it_again() {
        let store = Memory::default();
        assert_eq!(lease("a").take(&store, 100).unwrap(), Hold::Ours { until: 160 });
        assert_eq!(lease("b").take(&store, 100).unwrap(), Hold::Theirs { holder: "a".into(), until: 160 });
        assert_eq!(lease("a").take(&store, 150).unwrap(), Hold::Ours { until: 210 });
        assert_eq!(lease("b").take(&store, 209).unwrap(), Hold::Theirs { holder: "a".into(), until: 210 });
    }

    #[test]
    fn one_that_is_not_heard_of_any_more_is_taken_over_and_cannot_come_back() {
        let store = Memory::default();
        lease("a").take(&store, 100).unwrap();
        assert_eq!(lease("b").take(&store, 160).unwrap(), Hold::Ours { until: 220 });
        assert_eq!(lease("a").take(&store, 161).unwrap(), Hold::Theirs { holder: "b".into(), until: 220 });
        lease("a").release(&store).unwrap();
        assert!(
            matches!(lease("c").take(&store, 162).unwrap(), Hold::Theirs { .. }),
            "a let go of what b has"
        );
    }

    #[test]
    fn one_that_lets_go_makes_room_at_once() {
        let store = Memory::default();
        lease("a").take(&store, 100).unwrap();
        lease("a").release(&store).unwrap();
        assert_eq!(lease("b").take(&store, 100).unwrap(), Hold::Ours { until: 160 });
    }

    #[test]
    fn of_two_that_take_it_at_once_one_gets_it() {
        /// Another node takes the lease between reading and writing.
        #[derive(Debug, Default)]
        struct Crowded(Memory);

        impl Store for Crowded {
            fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
                let found = self.0.read(key);
                lease("faster").take(&self.0, 100)?;
                found
            }
            fn list(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
                self.0.list(prefix)
            }
            fn write(&self, key: &str, value: Option<&[u8]>) -> Result<(), StoreError> {
                self.0.write(key, value)
            }
            fn swap(
                &self,
                key: &str,
                expected: Option<&[u8]>,
                value: Option<&[u8]>,
            ) -> Result<bool, StoreError> {
                self.0.swap(key, expected, value)
            }
        }
        let store = Crowded::default();
        assert!(matches!(lease("slower").take(&store, 100).unwrap(), Hold::Theirs { .. }));
        assert_eq!(
            lease("c").take(&store.0, 101).unwrap(),
            Hold::Theirs { holder: "faster".into(), until: 160 }
        );
    }

    #[test]
    fn a_row_that_nobody_understands_is_taken_over() {
        let store = Memory::default();
        store.write("lease/acme", Some(b"nonsense")).unwrap();
        assert!(matches!(lease("a").take(&store, 100).unwrap(), Hold::Ours { .. }));
    }
}
