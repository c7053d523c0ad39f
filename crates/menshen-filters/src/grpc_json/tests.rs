use std::path::Path;
use std::sync::LazyLock;

use menshen_proxy::http1::Method;
use proptest::prelude::*;
use prost_reflect::ReflectMessage;
use prost_reflect::prost::Message;

use super::*;
use crate::testing::Try;

fn descriptors(text: Option<&str>) -> (tempfile::TempDir, String) {
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../menshen-e2e/protos");
    let folder = tempfile::tempdir().unwrap();
    if let Some(text) = text {
        std::fs::write(folder.path().join("library.proto"), text).unwrap();
    }
    let mut compiler = protox::Compiler::new([folder.path(), Path::new(protos)]).unwrap();
    compiler.include_imports(true).open_file("library.proto").unwrap();
    let file = folder.path().join("library.pb");
    std::fs::write(&file, compiler.encode_file_descriptor_set()).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (folder, name)
}

fn filter(more: &str) -> Try {
    let (_folder, file) = descriptors(None);
    Try::filter(&format!("grpc-json: {{ descriptors: '{file}' {more} }}"))
}

/// The problems of descriptors made of this file.
fn problems(text: &str, more: &str) -> String {
    let head = "syntax = \"proto3\"; package a; import \"google/api/annotations.proto\";
        message M { string s = 1; repeated string r = 2; M m = 3; map<string, string> p = 4; }";
    let (_folder, file) = descriptors(Some(&format!("{head} {text}")));
    Try::problems(&format!("grpc-json: {{ descriptors: '{file}' {more} }}"))
}

fn book() -> MessageDescriptor {
    static BOOK: LazyLock<MessageDescriptor> = LazyLock::new(|| {
        let (_folder, file) = descriptors(None);
        let pool = DescriptorPool::decode(&*std::fs::read(file).unwrap()).unwrap();
        pool.get_message_by_name("test.library.Book").unwrap()
    });
    BOOK.clone()
}

fn printed(message: &DynamicMessage) -> Result<String, Failure> {
    write_json(message).map(|json| String::from_utf8(json).unwrap())
}

#[test]
fn a_request_becomes_a_call() {
    let head = "POST /v1/books HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAccept: */*\r\n\
                Accept-Encoding: gzip\r\nGrpc-Timeout: 5S\r\nContent-Length: 13\r\n\r\n";
    let mut t = filter("").request(head).pass();
    let translation = t.exchange().translation.take().unwrap();
    assert_eq!(
        (&*translation.target, translation.reply),
        (&b"/test.library.Library/Create"[..], Held::Whole)
    );
    assert_eq!((translation.request_limit, translation.reply_limit), (Some(1 << 20), (1 << 20) + 5));
    assert_eq!(t.sent("content-type").unwrap(), "application/grpc");
    assert_eq!(t.sent("te").unwrap(), "trailers");
    // Other filters look at them when the reply comes.
    assert!(t.sent("accept").is_some() && t.sent("accept-encoding").is_some());
    assert!(t.sent("grpc-timeout").unwrap().ends_with('m'));
    // The client's own request stays what log and other filters see.
    assert_eq!(
        (t.exchange().request.method(), t.exchange().target.path()),
        (Method::Post, &b"/v1/books"[..])
    );
    let mut out = Vec::new();
    t.exchange().transforms.run(br#"{"title":"a"}"#, &mut out).unwrap();
    assert!(out.is_empty());
    t.exchange().transforms.finish(&mut out).unwrap();
    assert_eq!(out, [0, 0, 0, 0, 3, 0x12, 1, b'a']);
}

#[test]
fn calls_of_grpc_and_of_browsers_pass() {
    for kind in ["application/grpc", "application/grpc-web+proto"] {
        let head = format!(
            "POST /v1/books HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: 0\r\n\r\n"
        );
        let mut t = filter("").request(&head).pass();
        assert!(t.exchange().translation.is_none());
        assert_eq!(t.sent("content-type").unwrap(), kind);
    }
}

#[test]
fn what_is_no_reply_of_grpc_stays() {
    let mut t = filter("").get("/v1/books/1").pass();
    t.reply(Reply::with_body(404, "text/html", "<p>"));
    assert_eq!((t.status(), t.body()), (404, b"<p>".to_vec()));
}

#[test]
fn replies_that_break_the_rules_of_grpc_are_failures() {
    let message = [0, 0, 0, 0, 3, 0x12, 1, b'a'];
    for (status, content) in [
        (None, message.to_vec()),
        (Some("0"), vec![]),
        (Some("0"), [message, message].concat()),
        (Some("0"), message[..7].to_vec()),
        (Some("0"), [&[1][..], &message[1..]].concat()),
        (Some("0"), vec![0, 0, 0, 0, 2, 0x12, 9]),
        (Some("0"), vec![0, 0xff, 0xff, 0xff, 0xff]),
    ] {
        let mut t = filter("").get("/v1/books/1").pass();
        let mut reply = Reply::new(200);
        reply.head.fields.set(FieldName::CONTENT_TYPE, b"application/grpc");
        if let Some(status) = status {
            reply.head.fields.set_named(b"grpc-status", status.as_bytes());
        }
        reply.body = Body::Full(content.clone().into());
        assert!(t.try_reply(&mut reply).is_err(), "{status:?} {content:?}");
    }
}

#[test]
fn wrong_descriptors_are_told_with_file_and_reason() {
    for (text, why) in [
        (
            "service S { rpc A(M) returns (M) { option (google.api.http) = { get: \"v1\" }; } }",
            "a.S.A: the path `v1`: it does not start with `/`",
        ),
        (
            "service S { rpc A(M) returns (M) { option (google.api.http) = { get: \"/{x}\" }; } }",
            "the variable `x` names no field of a.M",
        ),
        (
            "service S { rpc A(M) returns (M) { option (google.api.http) = { get: \"/{m.s.x}\" }; } }",
            "the variable `m.s.x` names no field",
        ),
        (
            "service S { rpc A(M) returns (M) { option (google.api.http) = { get: \"/{r}\" }; } }",
            "the variable `r` is repeated",
        ),
        (
            "service S { rpc A(M) returns (M) { option (google.api.http) = { get: \"/{m}\" }; } }",
            "the variable `m` names a message, not a value",
        ),
        (
            "service S { rpc A(M) returns (M) { option (google.api.http) = { post: \"/a\" body: \"x\" }; } }",
            "`body: x` names no field of a.M",
        ),
        (
            "service S { rpc A(M) returns (M) { option (google.api.http) = { get: \"/a\" response_body: \"x\" }; } }",
            "`response_body: x` names no field",
        ),
        (
            "service S { rpc A(M) returns (M) { option (google.api.http) = { custom { path: \"/a\" } }; } }",
            "a custom rule has no `kind`",
        ),
        (
            "service S { rpc A(M) returns (M) { option (google.api.http) = { body: \"*\" }; } }",
            "a rule names no path",
        ),
        (
            "service S { rpc A(M) returns (M) { option (google.api.http) = { get: \"/{s}\" }; }
                         rpc B(M) returns (M) { option (google.api.http) = { get: \"/{m.s}\" }; } }",
            "/a.S/A and /a.S/B have the same method and path",
        ),
        ("service S { rpc A(M) returns (M); }", "no method has a `google.api.http` annotation"),
        ("", "there is no service in it"),
    ] {
        let problems = problems(text, "");
        assert!(problems.contains(why) && problems.contains("library.pb"), "{text}: {problems}");
    }
    let problems =
        problems("service Shop { rpc A(M) returns (M); }", ", services: a.Shpo, unannotated: by-name");
    assert!(
        problems.contains("has no service `a.Shpo`") && problems.contains("did you mean `a.Shop`?"),
        "{problems}"
    );
}

#[test]
fn files_that_are_no_descriptors_are_told() {
    let problems = Try::problems("grpc-json: /nowhere/a.pb");
    assert!(problems.contains("/nowhere/a.pb"), "{problems}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.pb");
    std::fs::write(&file, "syntax = \"proto3\";").unwrap();
    let problems = Try::problems(&format!("grpc-json: '{}'", file.display()));
    assert!(problems.contains("a.pb: ") && problems.contains("--descriptor_set_out"), "{problems}");
}

#[test]
fn nesting_without_end_is_not_followed() {
    let any = |inner: &[u8]| {
        prost_reflect::prost_types::Any {
            type_url: "type.googleapis.com/google.protobuf.Any".to_owned(),
            value: inner.to_vec(),
        }
        .encode_to_vec()
    };
    let nested = |n: usize| {
        let inside = (0..n).fold(Vec::new(), |inside, _| any(&inside));
        // Field 16 of a book.
        let mut head = vec![0x82, 0x01];
        prost_reflect::prost::encoding::encode_varint(inside.len() as u64, &mut head);
        DynamicMessage::decode(book(), &*[head, inside].concat()).unwrap()
    };
    assert_eq!(printed(&nested(5_000)), Err(Failure::BadResponseBody));
    assert_eq!(printed(&nested(90)), Err(Failure::BadResponseBody), "the innermost has no type");
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(
        title in "\\PC*", pages: i64, tags in prop::collection::vec("\\PC*", 0..4), cover: Vec<u8>, lent: bool,
        price in prop::num::f64::NORMAL, seconds in -62_135_596_800i64..253_402_300_799, kind in 0i32..9,
        stock in prop::collection::hash_map("\\PC{0,4}", any::<i32>(), 0..4),
    ) {
        let mut message = DynamicMessage::new(book());
        let timestamp = prost_reflect::prost_types::Timestamp { seconds, nanos: 5_000 };
        let mut published = message.get_field_by_name("published").unwrap().as_message().unwrap().clone();
        published.transcode_from(&timestamp).unwrap();
        let strings = |list: Vec<String>| Value::List(list.into_iter().map(Value::String).collect());
        for (name, value) in [
            ("title", Value::String(title)),
            ("pages", Value::I64(pages)),
            ("tags", strings(tags)),
            ("cover", Value::Bytes(cover.into())),
            ("lent", Value::Bool(lent)),
            ("price", Value::F64(price)),
            ("kind", Value::EnumNumber(kind)),
            ("published", Value::Message(published)),
            ("stock", Value::Map(stock.into_iter().map(|(k, v)| (prost_reflect::MapKey::String(k), Value::I32(v))).collect())),
        ] {
            message.set_field_by_name(name, value);
        }
        let json = printed(&message).unwrap();
        let read = read_json(&message.descriptor(), json.as_bytes()).unwrap();
        // As a service would get it: without default values.
        let message = DynamicMessage::decode(book(), &*message.encode_to_vec()).unwrap();
        prop_assert!(read == message, "{}", json);
    }

    #[test]
    fn any_content_is_read_or_refused(text in r#"[\[\]{}":,a-z0-9@. \\-]{0,64}"#) {
        let _ = read_json(&book(), text.as_bytes());
    }
}
