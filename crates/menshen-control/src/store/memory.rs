//! A store in memory that several nodes of a test share.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::{Store, StoreError};

/// A store in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Store for Memory {
    fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let things = self.0.lock().unwrap();
        Ok(things
            .iter()
            .filter(|(k, _)| k.starts_with(prefix))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect())
    }

    fn write(&self, key: &str, value: Option<&[u8]>) -> Result<(), StoreError> {
        put(&mut self.0.lock().unwrap(), key, value);
        Ok(())
    }

    fn swap(&self, key: &str, expected: Option<&[u8]>, value: Option<&[u8]>) -> Result<bool, StoreError> {
        let mut things = self.0.lock().unwrap();
        let is_as_expected = things.get(key).map(Vec::as_slice) == expected;
        if is_as_expected {
            put(&mut things, key, value);
        }
        Ok(is_as_expected)
    }
}

fn put(things: &mut BTreeMap<String, Vec<u8>>, key: &str, value: Option<&[u8]>) {
    match value {
        Some(value) => things.insert(key.to_owned(), value.to_vec()),
        None => things.remove(key),
    };
}
