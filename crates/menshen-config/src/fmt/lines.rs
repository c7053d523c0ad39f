//! A text by lines and columns.

/// The lines of a text. Columns count characters; where all characters are one byte wide, no counting is needed, so
/// that a large document on a single line takes no quadratic time.
pub(super) struct Lines<'a>(Vec<(&'a str, Width)>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    OneByte,
    Mixed,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let width = |line: &str| if line.is_ascii() { Width::OneByte } else { Width::Mixed };
        Self(text.lines().map(|line| (line, width(line))).collect())
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The line of this number, counted from 1.
    pub(super) fn get(&self, number: u32) -> Option<&'a str> {
        self.0.get((number as usize).checked_sub(1)?).map(|(line, _)| *line)
    }

    /// The line of this number from a column on, counted from 1.
    pub(super) fn from(&self, number: u32, column: u32) -> Option<&'a str> {
        let (line, width) = self.0.get((number as usize).checked_sub(1)?)?;
        let skipped = (column as usize).checked_sub(1)?;
        match width {
            Width::OneByte => line.get(skipped..),
            Width::Mixed => line.char_indices().nth(skipped).and_then(|(at, _)| line.get(at..)),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|(line, _)| *line)
    }
}
