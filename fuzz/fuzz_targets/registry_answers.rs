//! Answers of registries: read or refused; what is read has a name, and applied twice it is what it was.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use menshen_control::discovery::consul::json::Entries;
use menshen_control::discovery::eureka::applications::Applications;
use menshen_control::discovery::eureka::json::Answer;

fuzz_target!(|data: &[u8]| {
    let eureka = || serde_json::from_slice::<Answer>(data);
    if let (Ok(first), Ok(second)) = (eureka(), eureka()) {
        let known = Arc::new(Applications::of(first.applications));
        assert!(known.all().all(|info| !info.id.is_empty()));
        for info in known.all() {
            info.seen(Default::default(), Default::default());
        }
        let _ = known.with(second.applications);
    }
    if let Ok(entries) = serde_json::from_slice::<Entries>(data) {
        assert!(entries.read("zone").all(|entry| !entry.instance.id.is_empty()));
    }
});
