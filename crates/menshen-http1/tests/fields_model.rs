//! [`Fields`] against the simplest thing that could work: a list of names and values.

use menshen_http1::{FieldName, Fields};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Op {
    Append(&'static str, String),
    Set(&'static str, String),
    Remove(&'static str),
    ExtendList(FieldName, String),
    RetainShort(usize),
}

/// Well-known and other names, some of them the same but for their case.
const NAMES: [&str; 10] =
    ["Via", "via", "VARY", "Connection", "X-A", "x-a", "X-B", "X-Forwarded-For", "x-forwarded-for", "a"];
const LISTS: [FieldName; 4] =
    [FieldName::VIA, FieldName::VARY, FieldName::CONNECTION, FieldName::X_FORWARDED_FOR];

fn op() -> impl Strategy<Value = Op> {
    let name = || prop::sample::select(&NAMES[..]);
    let value = || "[a-z, ]{0,6}";
    prop_oneof![
        4 => (name(), value()).prop_map(|(n, v)| Op::Append(n, v)),
        2 => (name(), value()).prop_map(|(n, v)| Op::Set(n, v)),
        1 => name().prop_map(Op::Remove),
        2 => (prop::sample::select(&LISTS[..]), value()).prop_map(|(n, v)| Op::ExtendList(n, v)),
        1 => (0usize..12).prop_map(Op::RetainShort),
    ]
}

type Model = Vec<(String, String)>;

fn apply_to_model(model: &mut Model, op: &Op) {
    match op {
        Op::Append(n, v) => model.push(((*n).into(), v.clone())),
        Op::Set(n, v) => match model.iter().position(|f| f.0.eq_ignore_ascii_case(n)) {
            None => model.push(((*n).into(), v.clone())),
            Some(first) => {
                let kept = (model[first].0.clone(), v.clone());
                model.retain(|f| !f.0.eq_ignore_ascii_case(n));
                model.insert(first, kept);
            }
        },
        Op::Remove(n) => model.retain(|f| !f.0.eq_ignore_ascii_case(n)),
        Op::ExtendList(id, v) => match model.iter().rposition(|f| f.0.eq_ignore_ascii_case(id.as_str())) {
            None => model.push((id.as_str().into(), v.clone())),
            Some(last) if model[last].1.is_empty() => model[last].1 = v.clone(),
            Some(last) => model[last].1 = format!("{}, {v}", model[last].1),
        },
        Op::RetainShort(len) => model.retain(|f| f.1.len() <= *len),
    }
}

fn apply(fields: &mut Fields, op: &Op) {
    match op {
        Op::Append(n, v) => fields.append_named(n.as_bytes(), v.as_bytes()),
        Op::Set(n, v) => fields.set_named(n.as_bytes(), v.as_bytes()),
        Op::Remove(n) => {
            fields.remove_named(n.as_bytes());
        }
        Op::ExtendList(id, v) => fields.extend_list(*id, v.as_bytes()),
        Op::RetainShort(len) => {
            fields.retain(|f| f.value.len() <= *len);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fields_behave_like_a_list_of_names_and_values(ops in prop::collection::vec(op(), 0..40)) {
        let (mut fields, mut model) = (Fields::new(), Model::new());
        for op in &ops {
            apply(&mut fields, op);
            apply_to_model(&mut model, op);
            let read: Vec<(&[u8], &[u8])> = fields.iter().map(|f| (f.name, f.value)).collect();
            let expected: Vec<(&[u8], &[u8])> = model.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
            prop_assert_eq!(read, expected, "after {:?}", op);
            lookups_agree(&fields, &model)?;
        }
    }

    #[test]
    fn members_are_the_trimmed_parts_of_all_values(values in prop::collection::vec("[a-c, \t]{0,12}", 0..5)) {
        let mut fields = Fields::new();
        for value in &values {
            fields.append(FieldName::CONNECTION, value.as_bytes());
            fields.append_named(b"X-Other", b"noise, noise");
        }
        let joined = values.join(",");
        let expected: Vec<&[u8]> = joined.split(',').map(str::trim).filter(|m| !m.is_empty()).map(str::as_bytes).collect();
        prop_assert_eq!(fields.members(FieldName::CONNECTION).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn the_id_of_all_other_names_stands_for_no_field() {
    let mut fields = Fields::new();
    fields.append_named(b"X-A", b"1");
    for change in [Fields::append, Fields::set, Fields::extend_list] {
        change(&mut fields, FieldName::OTHER, b"2");
    }
    assert!(!fields.remove(FieldName::of(b"X-B")), "removing one unknown name must not remove the others");
    assert_eq!((fields.get(FieldName::OTHER), fields.all(FieldName::OTHER).count()), (None, 0));
    assert!(!fields.has(FieldName::OTHER));
    let left: Vec<(&[u8], &[u8])> = fields.iter().map(|f| (f.name, f.value)).collect();
    assert_eq!(left, [(&b"X-A"[..], &b"1"[..])]);
}

fn lookups_agree(fields: &Fields, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!((fields.len(), fields.is_empty()), (model.len(), model.is_empty()));
    for name in NAMES {
        let expected: Vec<&[u8]> =
            model.iter().filter(|f| f.0.eq_ignore_ascii_case(name)).map(|f| f.1.as_bytes()).collect();
        prop_assert_eq!(fields.get_named(name.as_bytes()), expected.first().copied());
        prop_assert_eq!(fields.all_named(name.as_bytes()).collect::<Vec<_>>(), expected.clone());
        let id = FieldName::of(name.as_bytes());
        if id != FieldName::OTHER {
            prop_assert_eq!(fields.has(id), !expected.is_empty());
            prop_assert_eq!(fields.get(id), expected.first().copied());
            prop_assert_eq!(fields.all(id).collect::<Vec<_>>(), expected);
        }
    }
    Ok(())
}
