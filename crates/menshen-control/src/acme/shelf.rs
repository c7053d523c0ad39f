//! The certificates that were got, as far as this node knows: what the store has, in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use menshen_proxy::condition::UnixSeconds;

use super::certificate::{Certificate, PREFIX};
use super::plan::Names;
use crate::store::{Store, StoreError};

/// The certificates that were got.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<Vec<Arc<Certificate>>>);

impl Shelf {
    /// The certificate from this authority for exactly these names.
    pub fn exact(&self, directory: &str, names: &Names) -> Option<Arc<Certificate>> {
        self.lock().iter().find(|c| *c.directory == *directory && c.names == *names).cloned()
    }

    /// What is shown for these names now: the certificate that was got for them; until there is one, another that is for
    /// as many of them as possible and lasts longest.
    pub fn best(&self, directory: &str, names: &Names, now: UnixSeconds) -> Option<Arc<Certificate>> {
        if let Some(exact) = self.exact(directory, names) {
            return Some(exact);
        }
        let covered = |c: &Certificate| names.iter().filter(|n| c.covers(n)).count();
        let all = self.lock();
        let usable = all.iter().filter(|c| c.expires > now && covered(c) > 0);
        usable.max_by_key(|c| (covered(c), c.expires)).cloned()
    }

    /// Puts one in the place of what was there for its names.
    pub(super) fn put(&self, certificate: Certificate) {
        let mut all = self.lock();
        all.retain(|c| c.directory != certificate.directory || c.names != certificate.names);
        all.push(Arc::new(certificate));
    }

    /// Reads what the store has. True when that is something else than before.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn read(&self, store: &dyn Store) -> Result<bool, StoreError> {
        let mut found = Vec::new();
        for (key, bytes) in store.list(PREFIX)? {
            match Certificate::kept(&bytes) {
                Ok(certificate) => found.push(Arc::new(certificate)),
                Err(why) => {
                    tracing::error!(key, "a certificate in the store is of no use: {why}; getting another")
                }
            }
        }
        let mut all = self.lock();
        let leaves = |list: &[Arc<Certificate>]| list.iter().map(|c| c.leaf().cloned()).collect::<Vec<_>>();
        let changed = all.len() != found.len() || {
            let (before, after) = (leaves(&all), leaves(&found));
            after.iter().any(|c| !before.contains(c))
        };
        if changed {
            *all = found;
        }
        Ok(changed)
    }

    /// Forgets, here and in the store, what has ended and nobody wants.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(super) fn forget(
        &self,
        store: &dyn Store,
        now: UnixSeconds,
        is_wanted: impl Fn(&Certificate) -> bool,
    ) -> Result<(), StoreError> {
        let has_gone = |c: &Certificate| c.expires < now && !is_wanted(c);
        let gone: Vec<_> = self.lock().iter().filter(|c| has_gone(c)).cloned().collect();
        for certificate in gone {
            store.write(&Certificate::key_of(&certificate.directory, &certificate.names), None)?;
        }
        self.lock().retain(|c| !has_gone(c));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Certificate>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acme::certificate::tests::made;
    use crate::store::memory::Memory;

    const CA: &str = "https://ca";

    fn names(list: &[&str]) -> Names {
        Names::new(list.iter().copied())
    }

    #[test]
    fn until_the_right_one_is_there_another_serves_the_names_that_it_is_for() {
        let shelf = Shelf::default();
        let wanted = names(&["a.example", "b.example", "c.example"]);
        assert!(shelf.best(CA, &wanted, 1_500).is_none());
        for (of, until) in [
            (&["a.example"][..], 3_000),
            (&["a.example", "b.example"], 2_000),
            (&["a.example", "b.example", "c.example", "d.example"], 1_400),
            (&["other.example"], 9_000),
        ] {
            shelf.put(made(CA, of, 1_000..until).0);
        }
        let best = shelf.best(CA, &wanted, 1_500).unwrap();
        assert_eq!(best.names, names(&["a.example", "b.example"]), "the one with four names has ended");
        shelf.put(made("https://other", &["c.example", "b.example", "a.example"], 1_000..1_600).0);
        assert_eq!(
            shelf.best(CA, &wanted, 1_500).unwrap().names,
            wanted,
            "another authority will do until then"
        );
        assert!(shelf.exact(CA, &wanted).is_none());
    }

    #[test]
    fn a_node_picks_up_what_another_has_stored() {
        let store = Memory::default();
        let (leader, follower) = (Shelf::default(), Shelf::default());
        let (first, bytes) = made(CA, &["a.example"], 1_000..2_000);
        store.write(&Certificate::key_of(CA, &first.names), Some(&bytes)).unwrap();
        leader.put(first);
        assert!(follower.read(&store).unwrap());
        assert!(!follower.read(&store).unwrap(), "nothing new");
        let (renewed, bytes) = made(CA, &["a.example"], 1_500..3_000);
        store.write(&Certificate::key_of(CA, &renewed.names), Some(&bytes)).unwrap();
        assert!(follower.read(&store).unwrap());
        assert_eq!(follower.exact(CA, &renewed.names).unwrap().expires, 3_000);
    }

    #[test]
    fn what_has_ended_and_nobody_wants_is_forgotten() {
        let store = Memory::default();
        let shelf = Shelf::default();
        for name in ["wanted.example", "gone.example"] {
            let (certificate, bytes) = made(CA, &[name], 1_000..2_000);
            store.write(&Certificate::key_of(CA, &certificate.names), Some(&bytes)).unwrap();
            shelf.put(certificate);
        }
        shelf.forget(&store, 1_999, |_| false).unwrap();
        assert_eq!(store.list("").unwrap().len(), 2, "they have not ended");
        shelf.forget(&store, 2_001, |c| c.names == names(&["wanted.example"])).unwrap();
        assert_eq!(store.list("").unwrap().len(), 1);
        assert!(shelf.exact(CA, &names(&["gone.example"])).is_none());
    }

    #[test]
    fn a_row_that_nobody_understands_is_left_out() {
        let store = Memory::default();
        store.write("acme/certificate/x", Some(b"nonsense")).unwrap();
        assert!(!Shelf::default().read(&store).unwrap());
    }
}
