//! Streams of JSON: the same values however the content is cut; an array's are its elements.
#![no_main]

use libfuzzer_sys::fuzz_target;
use menshen_filters::json_values;
use serde_json::value::RawValue;

const LIMIT: usize = 512;

fuzz_target!(|data: &[u8]| {
    let Some((size, content)) = data.split_first() else { return };
    let whole = json_values([content].into_iter(), LIMIT);
    let cut = json_values(content.chunks(usize::from(*size).max(1)), LIMIT);
    assert_eq!(whole, cut);
    let Ok(values) = whole else { return };
    assert!(values.iter().all(|value| !value.is_empty() && value.len() <= LIMIT));
    if let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(content) {
        let elements: Vec<&[u8]> = elements.iter().map(|element| element.get().as_bytes()).collect();
        assert_eq!(values, elements);
    }
});
