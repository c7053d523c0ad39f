//! JSON → message → JSON: read or refused without harm; what was read is written as JSON that means the same.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use menshen_filters::{read_json, write_json};
use prost_reflect::prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

static BOOK: LazyLock<MessageDescriptor> = LazyLock::new(|| {
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/menshen-e2e/protos");
    let mut compiler = protox::Compiler::new([protos]).unwrap();
    compiler.include_imports(true).open_file("library.proto").unwrap();
    let pool = DescriptorPool::decode(&*compiler.encode_file_descriptor_set()).unwrap();
    pool.get_message_by_name("test.library.Book").unwrap()
});

fuzz_target!(|data: &[u8]| {
    // Bytes of a service, which may be anything.
    if let Ok(message) = DynamicMessage::decode(BOOK.clone(), data) {
        let _ = write_json(&message);
    }
    let Ok(message) = read_json(&BOOK, data) else { return };
    let sent = DynamicMessage::decode(BOOK.clone(), &*message.encode_to_vec());
    // What is nested too deeply to be decoded is refused there.
    let Ok(json) = sent.map_err(|_| ()).and_then(|sent| write_json(&sent).map_err(|_| ())) else { return };
    let again = read_json(&BOOK, &json).expect("own JSON");
    assert_eq!(write_json(&again).map(|j| j.len()), Ok(json.len()));
});
