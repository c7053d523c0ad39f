//! Sets of well-known field names: one test instead of a chain of comparisons.

use crate::FieldName;

/// A set of well-known names. [`FieldName::OTHER`] is in none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameSet(u128);

impl NameSet {
    /// The set of these names.
    pub const fn of(names: &[FieldName]) -> Self {
        let mut bits = 0;
        let mut rest = names;
        while let [name, others @ ..] = rest {
            bits |= name.bit();
            rest = others;
        }
        Self(bits)
    }

    /// The names of both sets.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True when the name is in the set.
    pub const fn contains(self, name: FieldName) -> bool {
        self.0 & name.bit() != 0
    }

    /// True when a name is in both.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn insert(&mut self, name: FieldName) {
        self.0 |= name.bit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_its_names_and_no_others() {
        let set = NameSet::of(&[FieldName::HOST, FieldName::VIA]).and(NameSet::of(&[FieldName::TE]));
        assert!(set.contains(FieldName::HOST) && set.contains(FieldName::TE));
        assert!(!set.contains(FieldName::DATE) && !set.contains(FieldName::OTHER));
        assert!(set.meets(NameSet::of(&[FieldName::VIA, FieldName::DATE])));
        assert!(!set.meets(NameSet::of(&[FieldName::DATE, FieldName::OTHER])));
    }
}
