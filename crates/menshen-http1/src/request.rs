//! Request heads.

use std::mem::MaybeUninit;

use crate::fields::Span;
use crate::strict::{self, Lines};
use crate::{
    Authority, FieldName, Fields, HeadError, HeadLimits, MAX_FIELDS, Method, Parsed, RequestFraming, Version,
};

/// What to do with field names that have an underscore. Some services turn `X_User` and `X-User` into the
/// same variable, so a client could forge a field that the gateway sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Underscores {
    /// Refuse the request with 400.
    #[default]
    Refuse,
    /// Drop such fields.
    Drop,
    /// Forward such fields.
    Allow,
}

/// The head of a request. Reused from request to request: [`RequestHead::parse`] starts anew and keeps the memory.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The fields.
    pub fields: Fields,
    /// The version of the message.
    pub version: Version,
    /// How the content is delimited.
    pub framing: RequestFraming,
    /// The client wants to send more requests on this connection (RFC 9112 §9.3).
    pub keep_alive: bool,
    /// `Connection: upgrade` together with an Upgrade field, no content, and no wish for `h2c`.
    pub wants_upgrade: bool,
    /// `Expect: 100-continue` was sent and the client may wait for a 100.
    pub expects_continue: bool,
    method: Method,
    method_text: Span,
    target: Span,
}

impl Default for RequestHead {
    fn default() -> Self {
        Self {
            fields: Fields::new(),
            version: Version::Http11,
            framing: RequestFraming::None,
            keep_alive: true,
            wants_upgrade: false,
            expects_continue: false,
            method: Method::Get,
            method_text: Span::default(),
            target: Span::default(),
        }
    }
}

impl RequestHead {
    /// A head made here, for requests that the gateway sends itself.
    pub fn new(method: &str, target: &[u8]) -> Self {
        let mut head = Self::default();
        head.method = Method::of(method.as_bytes());
        head.method_text = head.fields.push_text(method.as_bytes());
        head.set_target(target);
        head
    }

    /// Reads a head from the start of `src`. Nothing of an earlier head is left, whatever the outcome.
    ///
    /// # Errors
    /// Any [`HeadError`]: the request must be answered with its status and the connection closed,
    /// because where the next request starts is then in doubt.
    pub fn parse(
        &mut self,
        src: &[u8],
        limits: &HeadLimits,
        underscores: Underscores,
    ) -> Result<Parsed, HeadError> {
        self.start_anew();
        let mut places = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; MAX_FIELDS];
        let room = places.get_mut(..limits.fields.min(MAX_FIELDS)).unwrap_or_default();
        let mut request = httparse::Request::new(&mut []);
        let bounded = src.get(..limits.head.min(src.len())).unwrap_or(src);
        let config = httparse::ParserConfig::default();
        let status = config.parse_request_with_uninit_headers(&mut request, bounded, room);
        let len = match status {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => return partial(&request, bounded, src.len(), limits),
            Err(httparse::Error::Version) if !names_a_version(&request, bounded) => {
                return Err(HeadError::StartLine);
            }
            Err(e) => return Err(e.into()),
        };
        let (method, target) = (request.method.unwrap_or(""), request.path.unwrap_or("").as_bytes());
        self.version = if request.version == Some(1) { Version::Http11 } else { Version::Http10 };
        self.fields.start(bounded.get(..len).unwrap_or_default());
        self.start_line(bounded, method.as_bytes(), target, limits)?;

        let version_at = strict::offset(bounded, target) + target.len() + 1;
        let mut lines = Lines::new(bounded, version_at + "HTTP/1.1".len());
        lines.crlf().map_err(|e| if e == HeadError::FieldLine { HeadError::StartLine } else { e })?;
        for field in request.headers.iter() {
            let (name, value) = (field.name.as_bytes(), field.value);
            let name_at = strict::offset(bounded, name);
            // An empty value has no place of its own in every version of httparse; it starts behind the colon.
            let value_at =
                if value.is_empty() { name_at + name.len() + 1 } else { strict::offset(bounded, value) };
            lines.field(name_at, value_at, value)?;
            let id = FieldName::of(name);
            if id == FieldName::OTHER && !strict::has_no_underscore(name) {
                match underscores {
                    Underscores::Refuse => return Err(HeadError::Underscore),
                    Underscores::Drop => continue,
                    Underscores::Allow => {}
                }
            }
            self.fields.push_place(id, Span::new(name_at, name.len()), Span::new(value_at, value.len()));
        }
        lines.crlf()?;
        if lines.position() != len {
            return Err(HeadError::FieldLine);
        }
        self.read_meaning()?;
        Ok(Parsed::Complete(len))
    }

    /// Starts a head that was received in another form; fields and framing are for the caller to add. The memory is kept.
    pub fn restart(&mut self, method: &str, target: &[u8], version: Version) {
        self.start_anew();
        self.version = version;
        self.set_method(method);
        self.set_target(target);
    }

    fn start_anew(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = Self { fields, keep_alive: false, method: Method::Other, ..Self::default() };
    }

    fn start_line(
        &mut self,
        src: &[u8],
        method: &[u8],
        target: &[u8],
        limits: &HeadLimits,
    ) -> Result<(), HeadError> {
        if strict::offset(src, method) != 0 || strict::offset(src, target) != method.len() + 1 {
            return Err(HeadError::StartLine);
        }
        if target.len() > limits.target {
            return Err(HeadError::TargetTooLong);
        }
        if !strict::target_bytes_are_legal(target) {
            return Err(HeadError::TargetBytes);
        }
        self.method = Method::of(method);
        self.method_text = Span::new(0, method.len());
        self.target = Span::new(method.len() + 1, target.len());
        Ok(())
    }

    /// What the fields mean for the connection and the body.
    fn read_meaning(&mut self) -> Result<(), HeadError> {
        self.check_host()?;
        self.framing = RequestFraming::of(&self.fields, self.version)?;
        let mut expectations = self.fields.all(FieldName::EXPECT);
        if let Some(expectation) = expectations.next() {
            if !expectation.eq_ignore_ascii_case(b"100-continue") || expectations.next().is_some() {
                return Err(HeadError::Expect);
            }
            self.expects_continue = self.version == Version::Http11 && self.framing != RequestFraming::None;
        }
        // Only now, so that a refused head never keeps the connection open.
        self.keep_alive = self.version == Version::Http11;
        let mut upgrade_named = false;
        for member in self.fields.members(FieldName::CONNECTION) {
            if member.eq_ignore_ascii_case(b"close") {
                self.keep_alive = false;
                break;
            }
            if member.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            }
            upgrade_named |= member.eq_ignore_ascii_case(b"upgrade");
        }
        self.wants_upgrade = upgrade_named && self.version == Version::Http11 && self.may_upgrade();
        Ok(())
    }

    /// A service may ignore any Upgrade (RFC 9110 §7.8). Ignored here: one beside content, because where the new
    /// protocol starts would be in doubt, and `h2c`, which would carry requests past all rules.
    fn may_upgrade(&self) -> bool {
        let mut protocols = self.fields.members(FieldName::UPGRADE).peekable();
        matches!(self.framing, RequestFraming::None | RequestFraming::Length(0))
            && protocols.peek().is_some()
            && !protocols.any(|p| p.eq_ignore_ascii_case(b"h2c"))
    }

    fn check_host(&self) -> Result<(), HeadError> {
        let mut hosts = self.fields.all(FieldName::HOST);
        let Some(host) = hosts.next() else {
            return if self.version == Version::Http11 { Err(HeadError::HostMissing) } else { Ok(()) };
        };
        if hosts.next().is_some() {
            return Err(HeadError::HostRepeated);
        }
        match Authority::parse(host) {
            Some(_) => Ok(()),
            None => Err(HeadError::HostInvalid),
        }
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The method as it was written.
    pub fn method_text(&self) -> &[u8] {
        self.fields.text(self.method_text)
    }

    /// Sets the method.
    pub fn set_method(&mut self, name: &str) {
        self.method = Method::of(name.as_bytes());
        self.method_text = self.fields.push_text(name.as_bytes());
    }

    /// The request target as it was received, or as it was last set.
    pub fn target(&self) -> &[u8] {
        self.fields.text(self.target)
    }

    /// Sets the target that will be written.
    pub fn set_target(&mut self, target: &[u8]) {
        self.target = self.fields.push_text(target);
    }

    /// The authority in Host, if there is one.
    pub fn host(&self) -> Option<Authority<'_>> {
        self.fields.get(FieldName::HOST).and_then(Authority::parse)
    }
}

/// More bytes are needed, unless a limit is already reached.
fn partial(
    request: &httparse::Request<'_, '_>,
    src: &[u8],
    received: usize,
    limits: &HeadLimits,
) -> Result<Parsed, HeadError> {
    let target_so_far = match (request.method, request.path) {
        (_, Some(target)) => target.len(),
        (Some(method), None) => {
            src.len().saturating_sub(strict::offset(src, method.as_bytes()) + method.len() + 1)
        }
        (None, None) => 0,
    };
    if target_so_far > limits.target {
        return Err(HeadError::TargetTooLong);
    }
    if received >= limits.head {
        return Err(HeadError::HeadTooLarge);
    }
    Ok(Parsed::Partial)
}

/// True when `HTTP/` and a digit stand behind the target; else something other than the version is wrong,
/// such as a space in the target.
fn names_a_version(request: &httparse::Request<'_, '_>, src: &[u8]) -> bool {
    let Some(target) = request.path.map(str::as_bytes) else { return true };
    let version = src.get(strict::offset(src, target) + target.len() + 1..).unwrap_or_default();
    matches!(version, [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', ..])
}
