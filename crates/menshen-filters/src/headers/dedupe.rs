//! Sending each member of a list field once.

use std::borrow::Cow;
use std::collections::HashSet;

use menshen_proxy::http1::{FieldName, Fields};

use crate::scratch;

/// Leaves one line with each member once, in the order of their first appearance. A field in which nothing is
/// repeated stays as it is.
pub(super) fn dedupe(fields: &mut Fields, name: &[u8]) {
    let any_case = has_names_as_members(FieldName::of(name));
    scratch::with(|joined| {
        let mut seen = HashSet::new();
        let mut is_repeated = false;
        for member in fields.all_named(name).flat_map(members) {
            let key = if any_case { Cow::Owned(member.to_ascii_lowercase()) } else { Cow::Borrowed(member) };
            if !seen.insert(key) {
                is_repeated = true;
                continue;
            }
            if !joined.is_empty() {
                joined.extend_from_slice(b", ");
            }
            joined.extend_from_slice(member);
        }
        drop(seen);
        if is_repeated {
            fields.set_named(name, joined);
        }
    });
}

/// Lists of field names, in which case means nothing.
fn has_names_as_members(id: FieldName) -> bool {
    [
        FieldName::VARY,
        FieldName::ACCESS_CONTROL_ALLOW_HEADERS,
        FieldName::ACCESS_CONTROL_EXPOSE_HEADERS,
        FieldName::ACCESS_CONTROL_REQUEST_HEADERS,
    ]
    .contains(&id)
}

/// The members of a list (RFC 9110 §5.6.1); a comma within quotes does not end one.
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    value
        .split(move |b| {
            match b {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = is_quoted,
                b'"' => is_quoted = !is_quoted,
                _ => {}
            }
            *b == b',' && !is_quoted
        })
        .map(<[u8]>::trim_ascii)
        .filter(|m| !m.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_within_quotes_is_no_end_of_a_member() {
        let found: Vec<_> = members(br#"a, "b, \", c" , ,d"#).collect();
        assert_eq!(found, [&b"a"[..], br#""b, \", c""#, b"d"]);
    }
}
