//! Messages → JSON.

use std::io;

use menshen_proxy::Failure;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage, SerializeOptions, Value};
use schemars::JsonSchema;
use serde::Deserialize;

/// Messages within messages, also within `Any`.
const MAX_DEPTH: usize = 100;
/// How many times as large as the largest message its JSON may get.
const GROWTH: usize = 16;

/// How messages are written as JSON. The defaults are those of protobuf.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Print {
    /// Fields that have their default value, such as 0. Default: `omit`.
    defaults: Defaults,
    /// Names of fields. Default: `json`, such as `pageSize`.
    names: Names,
    /// Values of enumerations. Default: `names`.
    enums: Enums,
    /// Integers of 64 bits, which are too large for the numbers of JavaScript. Default: `text`.
    int64: Int64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Defaults {
    /// They are left out.
    #[default]
    Omit,
    /// They are written.
    Write,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Names {
    /// `pageSize`.
    #[default]
    Json,
    /// As in the .proto file: `page_size`.
    Proto,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Enums {
    /// By name.
    #[default]
    Names,
    /// By number.
    Numbers,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Int64 {
    /// As text: `"42"`.
    #[default]
    Text,
    /// As numbers: `42`.
    Numbers,
}

/// Why a message cannot be written.
#[derive(Debug)]
pub(super) struct Unprintable {
    pub(super) failure: Failure,
    /// What there is to say beside that.
    pub(super) why: Option<String>,
}

impl From<Failure> for Unprintable {
    fn from(failure: Failure) -> Self {
        Self { failure, why: None }
    }
}

impl Unprintable {
    fn because(error: &serde_json::Error) -> Self {
        let why = format!("the service's message has no JSON: {error}");
        Self { failure: Failure::BadResponseBody, why: Some(why) }
    }
}

/// Writes messages.
#[derive(Debug)]
pub(super) struct Printer {
    options: SerializeOptions,
    limit: usize,
}

impl Printer {
    /// For messages up to this size.
    pub(super) fn new(print: Print, message_limit: usize) -> Self {
        let options = SerializeOptions::new()
            .skip_default_fields(print.defaults == Defaults::Omit)
            .use_proto_field_name(print.names == Names::Proto)
            .use_enum_numbers(print.enums == Enums::Numbers)
            .stringify_64_bit_integers(print.int64 == Int64::Text);
        Self { options, limit: message_limit.saturating_mul(GROWTH) }
    }

    /// Writes a message, or one field of it.
    ///
    /// # Errors
    /// When it holds what the descriptors do not know, is nested too deeply, or its JSON is far larger than the message.
    pub(super) fn write(
        &self,
        message: &DynamicMessage,
        field: Option<&FieldDescriptor>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unprintable> {
        check_depth(message, MAX_DEPTH)?;
        let Some(field) = field else { return self.message(message, &self.options, out) };
        match &*message.get_field(field) {
            Value::Message(inner) => self.message(inner, &self.options, out),
            Value::List(values) if values.is_empty() => {
                out.extend_from_slice(b"[]");
                Ok(())
            }
            Value::Map(values) if values.is_empty() => {
                out.extend_from_slice(b"{}");
                Ok(())
            }
            value => self.alone(field, value, out),
        }
    }

    /// Writes a value that is no message: as the only one of its message, whose frame is then taken away.
    fn alone(&self, field: &FieldDescriptor, value: &Value, out: &mut Vec<u8>) -> Result<(), Unprintable> {
        let mut message = DynamicMessage::new(field.parent_message().clone());
        message.try_set_field(field, value.clone()).map_err(|_| Failure::BadResponseBody)?;
        // A default value would be left out.
        let options = self.options.clone();
        let options = if message.has_field(field) { options } else { options.skip_default_fields(false) };
        let mut json = Vec::new();
        self.message(&message, &options, &mut json)?;
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&json).map_err(|_| Failure::BadResponseBody)?;
        let value = object.get(field.json_name()).or_else(|| object.get(field.name()));
        let value = value.ok_or(Failure::BadResponseBody)?;
        serde_json::to_writer(out, value).map_err(|error| Unprintable::because(&error))
    }

    fn message(
        &self,
        message: &DynamicMessage,
        options: &SerializeOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), Unprintable> {
        let mut bounded = Bounded { left: self.limit, out };
        let mut serializer = serde_json::Serializer::new(&mut bounded);
        message.serialize_with_options(&mut serializer, options).map_err(|error| {
            if error.is_io() {
                Unprintable::from(Failure::ReplyTooLarge)
            } else {
                Unprintable::because(&error)
            }
        })
    }
}

/// Takes so many bytes and no more.
struct Bounded<'a> {
    left: usize,
    out: &'a mut Vec<u8>,
}

impl io::Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Messages are only decoded to some depth, but each `Any` starts anew.
fn check_depth(message: &DynamicMessage, left: usize) -> Result<(), Failure> {
    let left = left.checked_sub(1).ok_or(Failure::BadResponseBody)?;
    if message.descriptor().full_name() == "google.protobuf.Any"
        && let Some(inner) = inside(message)
    {
        return check_depth(&inner, left);
    }
    message.fields().map(|(_, value)| value).chain(message.extensions().map(|(_, value)| value)).try_for_each(
        |value| match value {
            Value::Message(inner) => check_depth(inner, left),
            Value::List(list) => {
                list.iter().filter_map(Value::as_message).try_for_each(|m| check_depth(m, left))
            }
            Value::Map(map) => {
                map.values().filter_map(Value::as_message).try_for_each(|m| check_depth(m, left))
            }
            _ => Ok(()),
        },
    )
}

/// The message in an `Any`, if its type is known.
fn inside(any: &DynamicMessage) -> Option<DynamicMessage> {
    let url = any.get_field_by_name("type_url")?;
    let bytes = any.get_field_by_name("value")?;
    of_type(any.descriptor().parent_pool(), url.as_str()?, bytes.as_bytes()?)
}

/// A message of the type that the URL names, if it is known.
pub(super) fn of_type(
    pool: &prost_reflect::DescriptorPool,
    url: &str,
    bytes: &[u8],
) -> Option<DynamicMessage> {
    let (_, name) = url.rsplit_once('/')?;
    let mut message = DynamicMessage::new(pool.get_message_by_name(name)?);
    message.merge(bytes).ok()?;
    Some(message)
}
