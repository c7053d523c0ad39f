//! The JSON values in content that comes in pieces: the elements of one array, or values that follow each other.
//!
//! Only the ends of values are looked for; whether a value is JSON is seen when it is read.

use super::problem::Wrong;

/// Collects values out of pieces of content.
pub(super) struct Values {
    place: Place,
    /// The value that is under way, and what it still needs.
    held: Vec<u8>,
    open: Option<Open>,
    limit: usize,
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Anything: nothing has come yet.
    Start,
    /// A value, which no array is around, or the end.
    Row,
    /// The first element of the array, or its end.
    First,
    /// An element of the array.
    Element,
    /// A comma, or the end of the array.
    Behind,
    /// Nothing: the array has ended.
    End,
}

/// What a value still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// So many brackets that end it.
    Brackets(u32),
    /// A quote, and then so many brackets.
    Quote(u32),
    /// The byte behind a backslash in a text, a quote, and then so many brackets.
    Escaped(u32),
    /// A number, `true`, `false` or `null`: the byte behind it.
    Word,
}

/// What a byte is to the value that is under way.
enum Byte {
    Inner(Open),
    Last,
    Behind,
}

/// Why values cannot be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// One is too large.
    TooLarge,
    /// Something else.
    Wrong(Wrong),
}

impl From<Wrong> for Refused {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

impl Values {
    /// Of values no larger than this, in bytes.
    pub(super) fn up_to(limit: usize) -> Self {
        Self { place: Place::Start, held: Vec::new(), open: None, limit }
    }

    /// Takes a piece, and hands over each value that is whole.
    ///
    /// # Errors
    /// When a value is too large or stands where none may stand; what `each` says.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), Wrong>,
    ) -> Result<(), Refused> {
        for byte in piece {
            match self.open.map(|open| open.look(*byte)) {
                Some(Byte::Inner(open)) => {
                    self.open = Some(open);
                    self.hold(*byte)?;
                }
                Some(Byte::Last) => {
                    self.hold(*byte)?;
                    self.end(&mut each)?;
                }
                Some(Byte::Behind) => {
                    self.end(&mut each)?;
                    self.between(*byte)?;
                }
                None => self.between(*byte)?,
            }
        }
        Ok(())
    }

    /// The content has ended.
    ///
    /// # Errors
    /// When a value or the array has not; what `each` says.
    pub(super) fn finish(&mut self, mut each: impl FnMut(&[u8]) -> Result<(), Wrong>) -> Result<(), Refused> {
        match (self.open, self.place) {
            (Some(Open::Word), Place::Row) => Ok(self.end(&mut each)?),
            (None, Place::Start | Place::Row | Place::End) => Ok(()),
            (Some(_), _) => Err(Wrong::request("the content ends within a value").into()),
            (None, _) => Err(Wrong::request("the content ends within the array").into()),
        }
    }

    fn hold(&mut self, byte: u8) -> Result<(), Refused> {
        if self.held.len() >= self.limit {
            return Err(Refused::TooLarge);
        }
        self.held.push(byte);
        Ok(())
    }

    /// Hands over the value that has ended.
    fn end(&mut self, each: &mut impl FnMut(&[u8]) -> Result<(), Wrong>) -> Result<(), Wrong> {
        self.open = None;
        let result = each(&self.held);
        self.held.clear();
        result
    }

    /// Takes a byte between values.
    fn between(&mut self, byte: u8) -> Result<(), Refused> {
        self.place = match (self.place, byte) {
            (place, b' ' | b'\t' | b'\r' | b'\n') => place,
            (Place::Start, b'[') => Place::First,
            (Place::First | Place::Behind, b']') => Place::End,
            (Place::Behind, b',') => Place::Element,
            (Place::Start | Place::Row, _) => return self.begin(byte, Place::Row),
            (Place::First | Place::Element, _) => return self.begin(byte, Place::Behind),
            (Place::Behind, _) => {
                return Err(Wrong::request("a `,` or `]` is missing behind an element").into());
            }
            (Place::End, _) => return Err(Wrong::request("something stands behind the array").into()),
        };
        Ok(())
    }

    fn begin(&mut self, byte: u8, then: Place) -> Result<(), Refused> {
        self.place = then;
        self.open = Some(match byte {
            b'{' | b'[' => Open::Brackets(1),
            b'"' => Open::Quote(0),
            _ => Open::Word,
        });
        self.hold(byte)
    }
}

impl Open {
    fn look(self, byte: u8) -> Byte {
        Byte::Inner(match (self, byte) {
            (Self::Quote(n), b'\\') => Self::Escaped(n),
            (Self::Quote(0), b'"') => return Byte::Last,
            (Self::Quote(n), b'"') => Self::Brackets(n),
            (Self::Escaped(n), _) => Self::Quote(n),
            (Self::Brackets(n), b'"') => Self::Quote(n),
            (Self::Brackets(n), b'{' | b'[') => Self::Brackets(n.saturating_add(1)),
            (Self::Brackets(1), b'}' | b']') => return Byte::Last,
            (Self::Brackets(n), b'}' | b']') => Self::Brackets(n - 1),
            (Self::Word, b' ' | b'\t' | b'\r' | b'\n' | b',' | b']' | b'}') => return Byte::Behind,
            (open, _) => open,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The values in content that comes in pieces of this size.
    fn of(content: &str, size: usize, limit: usize) -> Result<Vec<String>, Refused> {
        let (mut values, mut found) = (Values::up_to(limit), Vec::new());
        for piece in content.as_bytes().chunks(size) {
            values.push(piece, |value| {
                found.push(String::from_utf8(value.to_vec()).unwrap());
                Ok(())
            })?;
        }
        values.finish(|value| {
            found.push(String::from_utf8(value.to_vec()).unwrap());
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn values_stand_in_an_array_or_follow_each_other() {
        for (content, values) in [
            ("", vec![]),
            (" \n", vec![]),
            ("[]", vec![]),
            ("[ ] \n", vec![]),
            (r#"{"a":[1,{"b":"}]"}]}"#, vec![r#"{"a":[1,{"b":"}]"}]}"#]),
            ("{}{}\n{}", vec!["{}", "{}", "{}"]),
            ("[{}, {} ,{}]", vec!["{}", "{}", "{}"]),
            (r#"["a\"],", "\\" ,1, true,null]"#, vec![r#""a\"],""#, r#""\\""#, "1", "true", "null"]),
            ("[[1],[]]", vec!["[1]", "[]"]),
            ("1 2\n3", vec!["1", "2", "3"]),
        ] {
            for size in 1..=content.len().max(1) {
                assert_eq!(of(content, size, 99).unwrap(), values, "{content} in pieces of {size}");
            }
        }
    }

    #[test]
    fn content_that_ends_too_soon_or_goes_on_too_long_is_refused() {
        for (content, why) in [
            ("[", "within the array"),
            ("[{}", "within the array"),
            ("[{},", "within the array"),
            ("{\"a\":1", "within a value"),
            ("[\"a", "within a value"),
            ("[{}{}]", "a `,` or `]` is missing"),
            ("[{}] {}", "behind the array"),
        ] {
            let Err(Refused::Wrong(wrong)) = of(content, 1, 99) else { panic!("{content} is taken") };
            assert!(wrong.text.contains(why), "{content}: {wrong:?}");
        }
    }

    #[test]
    fn a_value_that_is_too_large_is_refused_however_many_are_not() {
        assert_eq!(of("[{},{},{},{}]", 3, 2).unwrap().len(), 4);
        assert_eq!(of("[{},{ }]", 3, 2), Err(Refused::TooLarge));
        assert_eq!(of("[{},{     ", 3, 2), Err(Refused::TooLarge));
    }

    proptest! {
        #[test]
        fn any_values_are_found_however_they_are_cut(
            texts in prop::collection::vec("[\\[\\]{}\",a\\\\]{0,8}", 0..5), size in 1usize..9,
        ) {
            let values: Vec<String> = texts.iter().map(|t| serde_json::json!({ "a": [t] }).to_string()).collect();
            prop_assert_eq!(&of(&format!("[{}]", values.join(",")), size, 999).unwrap(), &values);
            prop_assert_eq!(&of(&values.concat(), size, 999).unwrap(), &values);
        }

        #[test]
        fn any_content_is_taken_or_refused(content in "[\\[\\]{}\",a1 \\\\]{0,32}", size in 1usize..9) {
            // The same however it is cut.
            prop_assert_eq!(of(&content, size, 16), of(&content, content.len().max(1), 16));
        }
    }
}
