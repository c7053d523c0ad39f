//! Private notes of filters on an exchange: a filter keeps its own type there and nobody else can name it.

use std::any::Any;

/// A small typed map; lookups scan, because an exchange holds a handful of notes.
#[derive(Default)]
pub struct Notes {
    list: Vec<Box<dyn Any>>,
}

impl Notes {
    /// The note of type `T`, if one was left.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.list.iter().find_map(|n| n.downcast_ref())
    }

    /// The note of type `T` for changing.
    pub fn get_mut<T: Any>(&mut self) -> Option<&mut T> {
        self.list.iter_mut().find_map(|n| n.downcast_mut())
    }

    /// Leaves a note, in place of an older one of this type.
    pub fn put<T: Any>(&mut self, note: T) {
        match self.get_mut::<T>() {
            Some(old) => *old = note,
            None => self.list.push(Box::new(note)),
        }
    }

    /// Takes a note away.
    pub fn take<T: Any>(&mut self) -> Option<T> {
        let at = self.list.iter().position(|n| n.is::<T>())?;
        self.list.swap_remove(at).downcast().ok().map(|b| *b)
    }

    /// Forgets all notes.
    pub fn clear(&mut self) {
        self.list.clear();
    }
}

impl std::fmt::Debug for Notes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} notes", self.list.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_one_note() {
        let mut n = Notes::default();
        n.put(1u32);
        n.put("a");
        n.put(2u32);
        assert_eq!(n.get::<u32>(), Some(&2));
        assert_eq!(n.take::<&str>(), Some("a"));
        assert_eq!(n.get::<&str>(), None);
    }
}
