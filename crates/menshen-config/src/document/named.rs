use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::decode::{Recovered, decode_entry};
use crate::node::{Key, Node};
use crate::path::Path;
use crate::problem::Problems;
use crate::span::{Span, Spanned};

/// Something with a name: where the name was written, and what it stands for. The value is shared, so that documents
/// of the same files share it too: `Arc::ptr_eq` tells that nothing was edited. Equality ignores the place.
#[derive(Debug)]
pub struct Entry<T> {
    /// Where the name was written.
    pub at: Span,
    /// What it stands for.
    pub value: Arc<T>,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { at: self.at, value: Arc::clone(&self.value) }
    }
}

impl<T> Deref for Entry<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// A section of the document: things by name, in the order in which they were written.
#[derive(Clone, Debug)]
pub struct Named<T> {
    /// Shared by the sections that one file gave rise to, until another file adds to them.
    entries: Arc<IndexMap<Arc<str>, Entry<T>, FxBuildHasher>>,
    /// Names that were written but whose value was wrong, and where.
    refused: FxHashMap<Arc<str>, Span>,
}

impl<T> Named<T> {
    /// What stands under `name`.
    pub fn get(&self, name: &str) -> Option<&Entry<T>> {
        self.entries.get(name)
    }

    /// The position of `name` in the order of the document.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.entries.get_index_of(name)
    }

    /// Whether `name` was written, even if what it stands for was refused: then a reference to it is not a second
    /// problem.
    pub fn declares(&self, name: &str) -> bool {
        self.place_of(name).is_some()
    }

    /// Where `name` was written, even if what it stands for was refused.
    pub(crate) fn place_of(&self, name: &str) -> Option<Span> {
        self.entries.get(name).map(|entry| entry.at).or_else(|| self.refused.get(name).copied())
    }

    /// All names with what they stand for.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Entry<T>)> {
        self.entries.iter().map(|(name, entry)| (&**name, entry))
    }

    /// All names.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.keys().map(|name| &**name)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds an entry; `Err` with the one that already has this name.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, entry: Entry<T>) -> Result<(), &Entry<T>> {
        match Arc::make_mut(&mut self.entries).entry(name.into()) {
            indexmap::map::Entry::Occupied(there) => Err(there.into_mut()),
            indexmap::map::Entry::Vacant(free) => {
                free.insert(entry);
                Ok(())
            }
        }
    }

    fn put(&mut self, name: Arc<str>, entry: Entry<T>) {
        Arc::make_mut(&mut self.entries).insert(name, entry);
    }

    /// Decodes an entry of the section at the path `at`, with a name that was not given before.
    pub(crate) fn read(&mut self, key: &Key, value: &Node, at: &Path, problems: &mut Problems)
    where
        T: DeserializeOwned,
    {
        let name = Arc::from(&*key.name);
        match decode_entry::<T>((key, value), at, problems) {
            Some(value) => {
                self.put(name, Entry { at: key.span, value: Arc::new(value) });
            }
            None => self.refused.extend([(name, key.span)]),
        }
    }

    /// Takes over another file's entries; `twice` hears of each name that both have.
    pub(crate) fn merge(&mut self, other: &Named<T>, mut twice: impl FnMut(&str, Span, Span)) {
        self.refused.extend(other.refused.iter().map(|(name, at)| (Arc::clone(name), *at)));
        if self.entries.is_empty() {
            self.entries = Arc::clone(&other.entries);
            return;
        }
        for (name, entry) in &*other.entries {
            if let Err(first) = self.insert(Arc::clone(name), entry.clone()) {
                twice(name, first.at, entry.at);
            }
        }
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { entries: Arc::default(), refused: FxHashMap::default() }
    }
}

impl<T: PartialEq> PartialEq for Named<T> {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}

struct NamedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
        let mut named = Named::default();
        while let Some(Spanned { span, value: name }) = map.next_key::<Spanned<Arc<str>>>()? {
            match map.next_value::<Recovered<T>>()?.0 {
                Some(value) => {
                    named.put(name, Entry { at: span, value: Arc::new(value) });
                }
                None => named.refused.extend([(name, span)]),
            }
        }
        Ok(named)
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "type": ["object", "null"], "additionalProperties": value })
    }
}
