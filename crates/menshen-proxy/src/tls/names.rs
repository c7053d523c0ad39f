//! What holds for which server name (RFC 6066 §3, RFC 9525 §6.3).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rustc_hash::FxBuildHasher;

/// Values by server name: exact names, and wildcards for one label such as `*.example.com`.
#[derive(Clone, Debug)]
pub struct ServerNames<T> {
    exact: HashMap<Box<str>, T, FxBuildHasher>,
    below: HashMap<Box<str>, T, FxBuildHasher>,
}

impl<T> Default for ServerNames<T> {
    fn default() -> Self {
        Self { exact: HashMap::default(), below: HashMap::default() }
    }
}

impl<T> ServerNames<T> {
    /// Adds a name or a wildcard, whatever its case.
    ///
    /// # Errors
    /// It is there already, with this value; then nothing changes.
    pub fn add(&mut self, name: &str, value: T) -> Result<(), &T> {
        let name = name.to_ascii_lowercase();
        let (map, key) = match name.strip_prefix("*.") {
            Some(suffix) => (&mut self.below, suffix),
            None => (&mut self.exact, &*name),
        };
        match map.entry(key.into()) {
            Entry::Occupied(there) => Err(there.into_mut()),
            Entry::Vacant(free) => {
                free.insert(value);
                Ok(())
            }
        }
    }

    /// What holds for a name: the exact one first. Case and a dot at the end do not matter.
    pub fn get(&self, name: &str) -> Option<&T> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.bytes().any(|b| b.is_ascii_uppercase()) {
            return self.get_lower(&name.to_ascii_lowercase());
        }
        self.get_lower(name)
    }

    fn get_lower(&self, name: &str) -> Option<&T> {
        let below = || self.below.get(name.split_once('.').filter(|(label, _)| !label.is_empty())?.1);
        self.exact.get(name).or_else(below)
    }

    /// True when no name has a value.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.below.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_name_comes_before_a_wildcard_which_stands_for_one_label() {
        let mut names = ServerNames::default();
        assert!(names.add("*.Example.com", 1).is_ok() && names.add("api.example.com", 2).is_ok());
        assert_eq!(names.add("API.example.com", 3), Err(&2));
        assert_eq!(names.get("api.example.com"), Some(&2));
        assert_eq!(names.get("WWW.example.com."), Some(&1));
        for stranger in ["example.com", "a.b.example.com", ".example.com", "", "example.org"] {
            assert_eq!(names.get(stranger), None, "{stranger}");
        }
    }
}
