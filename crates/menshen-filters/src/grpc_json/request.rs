//! JSON, the path and the query → the message of a request.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use menshen_proxy::target::{query_pairs, unescaped};
use menshen_proxy::{Failure, Transform};
use prost_reflect::prost::Message;
use prost_reflect::prost::bytes::Bytes;
use prost_reflect::{DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde_json::Value as Json;

use super::problem::Wrong;
use super::rules::{Binding, Body, is_value};
use super::{Unknown, frames};

/// The most names in a field path of a query.
const MAX_DEPTH: usize = 32;

/// What a request says beside its content.
pub(super) struct Head {
    pub(super) binding: Arc<Binding>,
    /// The values of the path's variables.
    pub(super) values: Vec<Box<str>>,
    pub(super) query: Box<[u8]>,
    pub(super) content_type: Box<[u8]>,
    pub(super) unknown: Unknown,
}

/// Makes the message of a request out of its content.
pub(super) struct ToMessage {
    pub(super) head: Head,
    pub(super) content: Vec<u8>,
    /// Where what is wrong is told.
    pub(super) wrong: Rc<RefCell<Option<Wrong>>>,
}

impl Transform for ToMessage {
    fn push(&mut self, piece: &[u8], _: &mut Vec<u8>) -> Result<(), Failure> {
        // All of it is held by the gateway before, which has a limit for that.
        self.content.extend_from_slice(piece);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self.head.message(&self.content) {
            Ok(message) => frames::write(&message.encode_to_vec(), out),
            Err(wrong) => {
                self.wrong.replace(Some(wrong));
                return Err(Failure::BadContent);
            }
        }
        self.content = Vec::new();
        Ok(())
    }
}

impl Head {
    /// The message that a request with this content stands for.
    pub(super) fn message(&self, content: &[u8]) -> Result<DynamicMessage, Wrong> {
        let mut message = self.content(content)?;
        for (fields, value) in self.binding.variables.iter().zip(&self.values) {
            let name = || fields.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".");
            put(&mut message, fields, value).map_err(|why| Wrong::at(name(), why))?;
        }
        self.put_query(&mut message)?;
        Ok(message)
    }

    /// The first message of a stream was made: those that follow are their content only.
    pub(super) fn settle(&mut self) {
        self.values.clear();
        (self.query, self.content_type) = (Box::default(), Box::default());
    }

    /// The message that the content alone stands for.
    fn content(&self, content: &[u8]) -> Result<DynamicMessage, Wrong> {
        let input = &self.binding.rpc.input;
        Ok(match &self.binding.body {
            Body::None if !content.is_empty() => {
                return Err(Wrong::request("this method is called without content"));
            }
            Body::None => DynamicMessage::new(input.clone()),
            Body::Whole if self.binding.takes_raw() => self.raw(input, content)?,
            Body::Whole if content.is_empty() => DynamicMessage::new(input.clone()),
            Body::Whole => self.read(input, content)?,
            Body::Field(field) => self.read_field(field, content)?,
        })
    }

    /// Reads a message from JSON.
    fn read(&self, descriptor: &MessageDescriptor, json: &[u8]) -> Result<DynamicMessage, Wrong> {
        read_json(descriptor, json, self.unknown)
    }

    /// Reads one field from JSON: of any kind, by the rules for the message that it is in.
    fn read_field(&self, field: &FieldDescriptor, json: &[u8]) -> Result<DynamicMessage, Wrong> {
        let parent = field.parent_message();
        if let Kind::Message(inner) = field.kind()
            && self.binding.takes_raw()
        {
            let mut message = DynamicMessage::new(parent.clone());
            let set = message.try_set_field(field, Value::Message(self.raw(&inner, json)?));
            return set.map(|()| message).map_err(|_| Wrong::request("the content cannot be this field"));
        }
        if json.is_empty() {
            return Ok(DynamicMessage::new(parent.clone()));
        }
        // Exactly one value, so that what is put around it cannot be ended by it.
        serde_json::from_slice::<serde::de::IgnoredAny>(json).map_err(|error| Wrong::json(&error, ""))?;
        let name = Json::from(field.json_name()).to_string();
        self.read(parent, &[b"{", name.as_bytes(), b":", json, b"}"].concat())
    }

    /// Content of any type (google/api/httpbody.proto).
    fn raw(&self, descriptor: &MessageDescriptor, content: &[u8]) -> Result<DynamicMessage, Wrong> {
        let mut message = DynamicMessage::new(descriptor.clone());
        let content_type = String::from_utf8_lossy(&self.content_type).into_owned();
        let set = message.try_set_field_by_name("content_type", Value::String(content_type)).and_then(|()| {
            message.try_set_field_by_name("data", Value::Bytes(Bytes::copy_from_slice(content)))
        });
        set.map_err(|_| Wrong::request("google.api.HttpBody is not what it should be"))?;
        Ok(message)
    }

    /// Fills fields from the query.
    fn put_query(&self, message: &mut DynamicMessage) -> Result<(), Wrong> {
        for (name, value) in query_pairs(&self.query) {
            let text = |bytes| String::from_utf8(unescaped(bytes).into_owned());
            let (Ok(name), Ok(value)) = (text(name), text(value)) else {
                return Err(Wrong::request("the query is not UTF-8"));
            };
            let Some(fields) = self.query_fields(&name) else {
                match self.unknown {
                    Unknown::Ignore => continue,
                    Unknown::Refuse => return Err(Wrong::at(name, "the query knows no such parameter")),
                }
            };
            let is_twice = |field: &FieldDescriptor| !field.is_list() && has(message, &fields);
            if fields.last().is_some_and(is_twice) {
                return Err(Wrong::at(name, "the query gives it twice"));
            }
            put(message, &fields, &value).map_err(|why| Wrong::at(name, why))?;
        }
        Ok(())
    }

    /// The fields on the way to what a parameter fills. What the path or the content fill is not for the query.
    fn query_fields(&self, name: &str) -> Option<Vec<FieldDescriptor>> {
        if self.binding.body == Body::Whole || name.split('.').count() > MAX_DEPTH {
            return None;
        }
        let mut fields: Vec<FieldDescriptor> = Vec::new();
        for name in name.split('.') {
            let message = match fields.last() {
                None => self.binding.rpc.input.clone(),
                Some(field) if field.is_list() || is_value(&field.kind()) => return None,
                Some(field) => field.kind().as_message()?.clone(),
            };
            fields.push(message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name))?);
        }
        let is_taken = self.binding.variables.iter().any(|taken| **taken == *fields)
            || matches!((&self.binding.body, fields.first()), (Body::Field(body), Some(first)) if body == first);
        let fits = fields.last().is_some_and(|last| !last.is_map() && is_value(&last.kind()));
        (fits && !is_taken).then_some(fields)
    }
}

/// Reads a message from JSON, all of it.
pub(super) fn read_json(
    descriptor: &MessageDescriptor,
    json: &[u8],
    unknown: Unknown,
) -> Result<DynamicMessage, Wrong> {
    let options = DeserializeOptions::new().deny_unknown_fields(unknown == Unknown::Refuse);
    let mut track = serde_path_to_error::Track::new();
    let mut json = serde_json::Deserializer::from_slice(json);
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let read = DynamicMessage::deserialize_with_options(descriptor.clone(), tracked, &options);
    let read = read.and_then(|message| json.end().map(|()| message));
    read.map_err(|error| Wrong::json(&error, &track.path().to_string()))
}

/// True when the field at the end of the way has a value already.
fn has(message: &DynamicMessage, fields: &[FieldDescriptor]) -> bool {
    match fields {
        [] => false,
        [last] => message.has_field(last),
        [first, rest @ ..] => {
            message.has_field(first) && message.get_field(first).as_message().is_some_and(|m| has(m, rest))
        }
    }
}

/// Gives the field at the end of the way this value; one that is repeated gets it as a further one.
fn put(message: &mut DynamicMessage, fields: &[FieldDescriptor], text: &str) -> Result<(), String> {
    match fields {
        [] => Ok(()),
        [last] => {
            let value = value(last, text)?;
            match (message.get_field_mut(last), value) {
                (Value::List(values), Value::List(more)) => values.extend(more),
                (place, value) => *place = value,
            }
            Ok(())
        }
        [first, rest @ ..] => match message.get_field_mut(first) {
            Value::Message(inner) => put(inner, rest, text),
            _ => Err("it is no message".to_owned()),
        },
    }
}

/// Reads a text as the value of a field, by the rules for JSON; enumerations also by number.
fn value(field: &FieldDescriptor, text: &str) -> Result<Value, String> {
    let json = match (field.kind(), text) {
        (Kind::Bool, "true") => Json::from(true),
        (Kind::Bool, "false") => Json::from(false),
        (Kind::Bool, _) => return Err("neither `true` nor `false`".to_owned()),
        (Kind::Message(m), "true") if m.full_name() == "google.protobuf.BoolValue" => Json::from(true),
        (Kind::Message(m), "false") if m.full_name() == "google.protobuf.BoolValue" => Json::from(false),
        (Kind::Enum(_), _) => text.parse::<i32>().map_or_else(|_| Json::from(text), Json::from),
        _ => Json::from(text),
    };
    let json = if field.is_list() { Json::from(vec![json]) } else { json };
    let object = Json::Object([(field.json_name().to_owned(), json)].into_iter().collect());
    let parent = field.parent_message().clone();
    let read = DynamicMessage::deserialize(parent, object).map_err(|error| error.to_string())?;
    Ok(read.get_field(field).into_owned())
}
