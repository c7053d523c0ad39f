//! Path templates: read or refused; where one matches, each variable has a value that is a part of the path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use menshen_filters::PathTemplate;

fuzz_target!(|data: (&str, &[u8])| {
    let (text, path) = data;
    let Ok(template) = PathTemplate::parse(text) else { return };
    assert!(text.starts_with('/'));
    let Some(values) = template.matches(path) else { return };
    assert!(path.starts_with(b"/"));
    assert_eq!(values.len(), template.fields().count());
    for value in values {
        let is_there = path.windows(value.len().max(1)).any(|part| part == value.as_bytes());
        assert!(value.is_empty() || is_there || path.contains(&b'%'), "{text} {value}");
    }
});
