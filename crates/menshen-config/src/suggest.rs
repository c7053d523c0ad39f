//! "Did you mean": the nearest word of a list.

/// The candidate that `word` is most likely a misspelling of, if one is near enough.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase().replace('_', "-");
    let patience = match lower.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        n => n / 3 + 1,
    };
    candidates
        .into_iter()
        // Most names of a large document are out of the question by their length.
        .filter(|candidate| candidate.len().abs_diff(lower.len()) <= 4 * patience)
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(steps, candidate)| *steps <= patience && *steps < candidate.chars().count())
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean …`-hint for [`did_you_mean`].
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    did_you_mean(word, candidates).map(|found| format!("did you mean `{found}`?"))
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // No word is worth more work than this; candidates of very different length cannot be near anyway.
    if a.len() > 64 || b.len() > 64 || a.len().abs_diff(b.len()) > 8 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(x != y);
            let mut best = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_word() {
        assert_eq!(did_you_mean("usrs", ["articles", "users"]), Some("users"));
        assert_eq!(did_you_mean("listners", ["listeners", "services"]), Some("listeners"));
        assert_eq!(did_you_mean("first_byte", ["first-byte", "total"]), Some("first-byte"));
        assert_eq!(did_you_mean("onn", ["on"]), Some("on"));
    }

    #[test]
    fn a_strange_word_finds_nothing() {
        assert_eq!(did_you_mean("zebra", ["articles", "users"]), None);
        assert_eq!(did_you_mean("x", ["to", "on"]), None);
    }
}
