use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::decode::Recovered;
use crate::span::{Span, Spanned};

/// Something with a name: where the name was written, and what it stands for. The value is shared, so that documents
/// of the same files share it too: `Arc::ptr_eq` tells that nothing was edited. Equality ignores the place.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// Where the name was written.
    pub at: Span,
    /// What it stands for.
    pub value: Arc<T>,
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
    entries: IndexMap<Arc<str>, Entry<T>, FxBuildHasher>,
    /// Names that were written but whose value was wrong.
    refused: Vec<Arc<str>>,
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
        self.entries.contains_key(name) || self.refused.iter().any(|refused| &**refused == name)
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
        match self.entries.entry(name.into()) {
            indexmap::map::Entry::Occupied(there) => Err(there.into_mut()),
            indexmap::map::Entry::Vacant(free) => {
                free.insert(entry);
                Ok(())
            }
        }
    }

    /// Takes over another file's entries; `twice` hears of each name that both have.
    pub(crate) fn merge(&mut self, other: &Named<T>, mut twice: impl FnMut(&str, Span, Span)) {
        self.refused.extend(other.refused.iter().map(Arc::clone));
        self.entries.reserve(other.entries.len());
        for (name, entry) in &other.entries {
            let Entry { at, value } = entry;
            if let Err(first) = self.insert(Arc::clone(name), Entry { at: *at, value: Arc::clone(value) }) {
                twice(name, first.at, *at);
            }
        }
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { entries: IndexMap::default(), refused: Vec::new() }
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
        named.entries.reserve(map.size_hint().unwrap_or_default());
        while let Some(Spanned { span, value: name }) = map.next_key::<Spanned<Arc<str>>>()? {
            match map.next_value::<Recovered<T>>()?.0 {
                Some(value) => {
                    named.entries.insert(name, Entry { at: span, value: Arc::new(value) });
                }
                None => named.refused.push(name),
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
