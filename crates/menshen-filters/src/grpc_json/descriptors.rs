//! The descriptors of services, as `protoc` and `buf` write them.
//!
//! prost-reflect knows proto2 and proto3. Files of later editions are made into one of them first; what they say in features
//! (<https://protobuf.dev/editions/features/>) and what JSON and the wire depend on is kept.

use std::panic::catch_unwind;

use prost_reflect::prost::{self, Message};
use prost_reflect::{DescriptorPool, DynamicMessage, Value};

use super::text;

/// Reads a set of descriptors (google/protobuf/descriptor.proto).
///
/// # Errors
/// What is wrong with them, for people.
pub(super) fn read(bytes: &[u8]) -> Result<DescriptorPool, String> {
    let plain = without_editions(bytes)?;
    // For some that are damaged prost-reflect panics while it words what is wrong.
    let read = catch_unwind(|| DescriptorPool::decode(&*plain));
    read.map_err(|_| "it contradicts itself".to_owned())?.map_err(|error| error.to_string())
}

/// What a file or a field says of its features.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(prost_path = "prost_reflect::prost")]
struct Options {
    #[prost(message, optional, tag = "21")]
    of_field: Option<Features>,
    #[prost(message, optional, tag = "50")]
    of_file: Option<Features>,
}

/// google.protobuf.FeatureSet, but for what does not matter here; 0 is not said.
#[derive(Clone, Copy, PartialEq, prost::Message)]
#[prost(prost_path = "prost_reflect::prost")]
struct Features {
    #[prost(int32, tag = "1")]
    presence: i32,
    #[prost(int32, tag = "5")]
    encoding: i32,
}

const EXPLICIT: i32 = 1;
const IMPLICIT: i32 = 2;
const DELIMITED: i32 = 2;
/// Types and labels of fields.
const MESSAGE: i32 = 11;
const GROUP: i32 = 10;
const OPTIONAL: i32 = 1;

impl Features {
    /// These, and the others where these say nothing.
    fn or(self, others: Self) -> Self {
        let or = |own, other| if own == 0 { other } else { own };
        Self { presence: or(self.presence, others.presence), encoding: or(self.encoding, others.encoding) }
    }
}

/// The same set with files of editions as proto2 or proto3.
fn without_editions(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let set = DescriptorPool::global().get_message_by_name("google.protobuf.FileDescriptorSet");
    let set = set.ok_or("there is no descriptor of descriptors")?;
    let mut set = DynamicMessage::decode(set, bytes).map_err(|error| error.to_string())?;
    for file in messages(&mut set, "file") {
        match &*text(file, "syntax") {
            "" | "proto2" | "proto3" => {}
            "editions" => make_plain(file),
            other => {
                return Err(format!("{} has the syntax `{other}`, which is not known", text(file, "name")));
            }
        }
    }
    Ok(set.encode_to_vec())
}

fn make_plain(file: &mut DynamicMessage) {
    let features = options(file).of_file.unwrap_or_default();
    let syntax = if features.presence == IMPLICIT { "proto3" } else { "proto2" };
    file.set_field_by_name("syntax", Value::String(syntax.to_owned()));
    fields(file, "extension", features);
    for message in messages(file, "message_type") {
        make_message_plain(message, features);
    }
}

fn make_message_plain(message: &mut DynamicMessage, features: Features) {
    fields(message, "extension", features);
    fields(message, "field", features);
    for inner in messages(message, "nested_type") {
        make_message_plain(inner, features);
    }
}

fn fields(message: &mut DynamicMessage, name: &str, of_file: Features) {
    for field in messages(message, name) {
        let features = options(field).of_field.unwrap_or_default().or(of_file);
        let (kind, label) = (number(field, "type"), number(field, "label"));
        if features.encoding == DELIMITED && kind == MESSAGE {
            field.set_field_by_name("type", Value::EnumNumber(GROUP));
        }
        let is_alone = label == OPTIONAL && !field.has_field_by_name("oneof_index");
        if of_file.presence == IMPLICIT && features.presence == EXPLICIT && is_alone {
            field.set_field_by_name("proto3_optional", Value::Bool(true));
        }
    }
}

fn options(message: &DynamicMessage) -> Options {
    let options = message.get_field_by_name("options");
    let bytes = options.as_deref().and_then(Value::as_message).map(Message::encode_to_vec);
    Options::decode(&*bytes.unwrap_or_default()).unwrap_or_default()
}

fn number(message: &DynamicMessage, name: &str) -> i32 {
    message.get_field_by_name(name).and_then(|value| value.as_enum_number()).unwrap_or_default()
}

/// The messages in a repeated field.
fn messages<'m>(message: &'m mut DynamicMessage, name: &str) -> impl Iterator<Item = &'m mut DynamicMessage> {
    let list = message.get_field_by_name_mut(name).and_then(Value::as_list_mut);
    list.into_iter().flatten().filter_map(Value::as_message_mut)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    static LIBRARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../menshen-e2e/protos");
        let mut compiler = protox::Compiler::new([protos]).unwrap();
        compiler.include_imports(true).open_file("library.proto").unwrap();
        compiler.encode_file_descriptor_set()
    });

    /// A file of an edition, as protoc 30 writes it: `message M { string name = 1; int32 n = 2; M sub = 3; }` where the
    /// file, the first and the last field have these features.
    fn edition(file: Features, name: Features, sub: Features) -> Vec<u8> {
        fn part(tag: u32, bytes: &[u8]) -> Vec<u8> {
            let mut out = Vec::new();
            prost::encoding::encode_key(tag, prost::encoding::WireType::LengthDelimited, &mut out);
            prost::encoding::encode_varint(bytes.len() as u64, &mut out);
            [&out, bytes].concat()
        }
        let field = |name: &str, number: u8, kind: u8, features: Features| {
            let options = part(8, &part(21, &features.encode_to_vec()));
            let type_name = if kind == 11 { part(6, b".e.M") } else { Vec::new() };
            part(
                2,
                &[part(1, name.as_bytes()), vec![0x18, number, 0x20, 1, 0x28, kind], type_name, options]
                    .concat(),
            )
        };
        let none = Features::default();
        let message =
            [part(1, b"M"), field("name", 1, 9, name), field("n", 2, 5, none), field("sub", 3, 11, sub)];
        // Field 14 is the edition: 1000 is that of 2023.
        let head = [part(1, b"e.proto"), part(2, b"e"), part(12, b"editions"), vec![0x70, 0xe8, 7]];
        let options = part(8, &part(50, &file.encode_to_vec()));
        part(1, &[head.concat(), part(4, &message.concat()), options].concat())
    }

    fn features(presence: i32, encoding: i32) -> Features {
        Features { presence, encoding }
    }

    #[test]
    fn files_of_editions_are_read_and_their_features_hold() {
        for (file, name, sub, expected) in [
            (features(0, 0), features(0, 0), features(0, 0), [true, true, false]),
            (features(0, 0), features(0, 0), features(0, DELIMITED), [true, true, true]),
            (features(IMPLICIT, 0), features(0, 0), features(0, 0), [false, false, false]),
            (features(IMPLICIT, DELIMITED), features(EXPLICIT, 0), features(0, 1), [true, false, false]),
        ] {
            let message = read(&edition(file, name, sub)).unwrap().get_message_by_name("e.M").unwrap();
            let field = |name| message.get_field_by_name(name).unwrap();
            let found =
                [field("name").supports_presence(), field("n").supports_presence(), field("sub").is_group()];
            assert_eq!(found, expected, "{file:?} {name:?} {sub:?}");
        }
    }

    #[test]
    fn a_syntax_that_is_not_known_is_told() {
        let mut set = edition(features(0, 0), features(0, 0), features(0, 0));
        let at = set.windows(8).position(|part| part == b"editions").unwrap();
        set[at..at + 8].copy_from_slice(b"protobuf");
        assert!(read(&set).unwrap_err().contains("e.proto has the syntax `protobuf`"));
    }

    #[test]
    fn other_files_stay_as_they_are() {
        let library = &*LIBRARY;
        let plain = without_editions(library).unwrap();
        let names = |bytes: &[u8]| DescriptorPool::decode(bytes).unwrap().all_messages().count();
        assert_eq!((plain.len(), names(&plain)), (library.len(), names(library)));
    }

    proptest! {
        #[test]
        fn damaged_descriptors_are_read_or_refused(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            let mut bytes = LIBRARY.clone();
            for (place, byte) in damage {
                let at = place.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = read(&bytes);
        }
    }
}
