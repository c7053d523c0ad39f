//! The `google.api.http` annotations of methods, as bindings of methods and paths of HTTP to calls.

use std::sync::Arc;

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value,
};

use super::template::PathTemplate;
use super::text;

// Nothing with descriptors in it has `Debug`: that of prost-reflect does not end for messages that can hold themselves.

/// A method of a service.
pub(crate) struct Rpc {
    /// `/package.Service/Method`.
    pub(super) path: Box<str>,
    pub(super) input: MessageDescriptor,
    pub(super) output: MessageDescriptor,
    pub(super) streams: Streams,
}

/// Which sides of a call are streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Streams {
    /// A message for a message.
    None,
    /// Many messages of the service.
    Replies,
    /// Many messages of the client.
    Requests,
    /// Many either way.
    Both,
}

/// One way in which a method is called.
pub(crate) struct Binding {
    pub(super) rpc: Arc<Rpc>,
    /// The method of HTTP; `*` is any.
    pub(super) method: Box<str>,
    pub(super) template: PathTemplate,
    /// The fields that the variables of the template fill.
    pub(super) variables: Box<[Box<[FieldDescriptor]>]>,
    pub(super) body: Body,
    /// The field of the answer that is sent; all of it if none.
    pub(super) response: Option<FieldDescriptor>,
}

/// What the content of the request is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// There is none.
    None,
    /// All of the message but for what the path says.
    Whole,
    /// This field of it.
    Field(FieldDescriptor),
}

impl Streams {
    /// True when the client may send many messages.
    pub(super) fn of_client(self) -> bool {
        matches!(self, Self::Requests | Self::Both)
    }

    /// True when the service may send many messages.
    pub(super) fn of_service(self) -> bool {
        matches!(self, Self::Replies | Self::Both)
    }
}

impl Rpc {
    pub(super) fn of(method: &MethodDescriptor) -> Self {
        let streams = match (method.is_client_streaming(), method.is_server_streaming()) {
            (true, true) => Streams::Both,
            (true, false) => Streams::Requests,
            (false, true) => Streams::Replies,
            (false, false) => Streams::None,
        };
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name()).into();
        Self { path, input: method.input(), output: method.output(), streams }
    }
}

/// The bindings that a method is annotated with; none if it is not.
///
/// # Errors
/// What is wrong with the annotation, for people.
pub(super) fn bindings(method: &MethodDescriptor, pool: &DescriptorPool) -> Result<Vec<Binding>, String> {
    let Some(extension) = pool.get_extension_by_name("google.api.http") else { return Ok(Vec::new()) };
    let options = method.options();
    if !options.has_extension(&extension) {
        return Ok(Vec::new());
    }
    let rpc = Arc::new(Rpc::of(method));
    let rule = options.get_extension(&extension);
    let rule = rule.as_message().ok_or("`google.api.http` is not a message")?;
    let mut bindings = vec![Binding::of(rule, &rpc)?];
    if let Some(Value::List(more)) = rule.get_field_by_name("additional_bindings").as_deref() {
        for rule in more.iter().filter_map(Value::as_message) {
            bindings.push(Binding::of(rule, &rpc)?);
        }
    }
    Ok(bindings)
}

impl Binding {
    /// POST to the path that calls of gRPC go to.
    pub(super) fn by_name(rpc: Rpc) -> Self {
        Self {
            template: PathTemplate::exact(&rpc.path),
            rpc: Arc::new(rpc),
            method: "POST".into(),
            variables: Box::default(),
            body: Body::Whole,
            response: None,
        }
    }

    /// True when the content of requests is of any type: google.api.HttpBody.
    pub(super) fn takes_raw(&self) -> bool {
        match &self.body {
            Body::None => false,
            Body::Whole => is_raw(&self.rpc.input),
            Body::Field(field) => is_raw_field(field),
        }
    }

    /// True when the content of replies is of any type: google.api.HttpBody.
    pub(super) fn gives_raw(&self) -> bool {
        self.response.as_ref().map_or_else(|| is_raw(&self.rpc.output), is_raw_field)
    }

    fn of(rule: &DynamicMessage, rpc: &Arc<Rpc>) -> Result<Self, String> {
        let (method, path) = pattern(rule)?;
        let template = PathTemplate::parse(&path).map_err(|why| format!("the path `{path}`: {why}"))?;
        let variables: Result<_, String> =
            template.fields().map(|field| variable(&rpc.input, field)).collect();
        let body = match text(rule, "body").as_str() {
            "" => Body::None,
            "*" => Body::Whole,
            name => Body::Field(top_field(&rpc.input, "body", name)?),
        };
        let response = match text(rule, "response_body").as_str() {
            "" => None,
            name => Some(top_field(&rpc.output, "response_body", name)?),
        };
        Ok(Self { rpc: rpc.clone(), method, template, variables: variables?, body, response })
    }
}

/// The method and the path of a rule.
fn pattern(rule: &DynamicMessage) -> Result<(Box<str>, String), String> {
    for (field, method) in
        [("get", "GET"), ("put", "PUT"), ("post", "POST"), ("delete", "DELETE"), ("patch", "PATCH")]
    {
        if rule.has_field_by_name(field) {
            return Ok((method.into(), text(rule, field)));
        }
    }
    let custom = rule.get_field_by_name("custom");
    match custom.as_deref().and_then(Value::as_message) {
        Some(custom) if rule.has_field_by_name("custom") => {
            let kind = text(custom, "kind");
            if kind.is_empty() {
                return Err("a custom rule has no `kind`".to_owned());
            }
            Ok((kind.into(), text(custom, "path")))
        }
        _ => Err("a rule names no path".to_owned()),
    }
}

/// The fields on the way to what a variable fills.
fn variable(input: &MessageDescriptor, path: &str) -> Result<Box<[FieldDescriptor]>, String> {
    let mut fields: Vec<FieldDescriptor> = Vec::new();
    for name in path.split('.') {
        let message = match fields.last() {
            None => Some(input.clone()),
            Some(field) => field.kind().as_message().cloned(),
        };
        let field = message.and_then(|m| m.get_field_by_name(name));
        let field =
            field.ok_or_else(|| format!("the variable `{path}` names no field of {}", input.full_name()))?;
        if field.is_list() || field.is_map() {
            return Err(format!("the variable `{path}` is repeated"));
        }
        fields.push(field);
    }
    if fields.last().is_some_and(|field| !is_value(&field.kind())) {
        return Err(format!("the variable `{path}` names a message, not a value"));
    }
    Ok(fields.into())
}

fn top_field(message: &MessageDescriptor, what: &str, name: &str) -> Result<FieldDescriptor, String> {
    message
        .get_field_by_name(name)
        .ok_or_else(|| format!("`{what}: {name}` names no field of {}", message.full_name()))
}

/// True for google.api.HttpBody, which is content of any type.
fn is_raw(message: &MessageDescriptor) -> bool {
    message.full_name() == "google.api.HttpBody"
}

fn is_raw_field(field: &FieldDescriptor) -> bool {
    !field.is_list() && field.kind().as_message().is_some_and(is_raw)
}

/// True for messages whose JSON is one value and no object of fields.
pub(super) fn is_value(kind: &Kind) -> bool {
    match kind {
        Kind::Message(message) => matches!(
            message.full_name().strip_prefix("google.protobuf."),
            Some(
                "Timestamp"
                    | "Duration"
                    | "FieldMask"
                    | "FloatValue"
                    | "DoubleValue"
                    | "Int32Value"
                    | "Int64Value"
                    | "UInt32Value"
                    | "UInt64Value"
                    | "BoolValue"
                    | "StringValue"
                    | "BytesValue"
                    | "Value"
            )
        ),
        _ => true,
    }
}
