//! A request of HTTP/2 becomes one of HTTP/1.1 while its fields come in (RFC 9113 §8, RFC 9110 §7.6.1). What is malformed there,
//! or would be in HTTP/1.1, is refused.

use menshen_http1::{
    Authority, FieldName, HeadError, HeadLimits, Method, NameSet, RequestFraming, RequestHead, Underscores,
    Version, is_token_byte, valid_name, valid_value,
};
use menshen_http2::hpack::Field;

/// So many times the fields or the bytes that a request may have are an attack (CVE-2026-47774).
const ABUSE: usize = 4;
/// What a field costs beside its bytes (RFC 9113 §6.5.2).
pub(super) const OVERHEAD: usize = 32;

/// Fields of a connection, which HTTP/2 does not have (RFC 9113 §8.2.2). TE is looked at by itself.
pub(super) const OF_CONNECTION: NameSet = NameSet::of(&[
    FieldName::CONNECTION,
    FieldName::KEEP_ALIVE,
    FieldName::PROXY_CONNECTION,
    FieldName::TRANSFER_ENCODING,
    FieldName::UPGRADE,
]);

/// The pseudo-fields of a request (RFC 9113 §8.3.1, RFC 8441 §4), in one text.
#[derive(Debug, Default)]
struct Pseudo {
    text: Vec<u8>,
    method: Option<Piece>,
    scheme: Option<Piece>,
    authority: Option<Piece>,
    path: Option<Piece>,
    protocol: Option<Piece>,
}

type Piece = (usize, usize);

impl Pseudo {
    fn get(&self, piece: Option<Piece>) -> Option<&[u8]> {
        let (from, to) = piece?;
        self.text.get(from..to)
    }

    /// Takes a pseudo-field. False when it is unknown, or was there before.
    fn take(&mut self, name: &[u8], value: &[u8]) -> bool {
        let piece = Some((self.text.len(), self.text.len() + value.len()));
        let place = match name {
            b":method" => &mut self.method,
            b":scheme" => &mut self.scheme,
            b":authority" => &mut self.authority,
            b":path" => &mut self.path,
            b":protocol" => &mut self.protocol,
            _ => return false,
        };
        if place.is_some() {
            return false;
        }
        *place = piece;
        self.text.extend_from_slice(value);
        true
    }

    fn clear(&mut self) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        *self = Self { text, ..Self::default() };
    }
}

/// Builds a head from the fields of a block.
#[derive(Debug)]
pub(super) struct HeadBuilder {
    limits: HeadLimits,
    underscores: Underscores,
    pseudo: Pseudo,
    /// Fields other than pseudo-fields have come.
    is_started: bool,
    cookie: Vec<u8>,
    length: Option<u64>,
    has_host: bool,
    expects: bool,
    /// Method and target are in the head.
    has_line: bool,
    fields: usize,
    bytes: usize,
    /// The first thing that was wrong.
    error: Option<HeadError>,
}

impl HeadBuilder {
    pub(super) fn new() -> Self {
        Self {
            limits: HeadLimits::default(),
            underscores: Underscores::default(),
            pseudo: Pseudo::default(),
            is_started: false,
            cookie: Vec::new(),
            length: None,
            has_host: false,
            expects: false,
            has_line: false,
            fields: 0,
            bytes: 0,
            error: None,
        }
    }

    /// Starts a head anew.
    pub(super) fn begin(&mut self, limits: HeadLimits, underscores: Underscores) {
        let (mut pseudo, mut cookie) = (std::mem::take(&mut self.pseudo), std::mem::take(&mut self.cookie));
        pseudo.clear();
        cookie.clear();
        *self = Self { limits, underscores, pseudo, cookie, ..Self::new() };
    }

    /// True when the block has so many fields that nobody sends it in good faith.
    pub(super) fn is_abuse(&self) -> bool {
        self.fields > ABUSE.saturating_mul(self.limits.fields)
            || self.bytes > ABUSE.saturating_mul(self.limits.head)
    }

    /// Takes the next field.
    pub(super) fn field(&mut self, head: &mut RequestHead, field: Field<'_>) {
        let is_pseudo = field.name.first() == Some(&b':');
        // Pseudo-fields stand for the request line, which is no field.
        self.fields += usize::from(!is_pseudo);
        self.bytes += field.name.len() + field.value.len() + OVERHEAD;
        if self.fields > self.limits.fields {
            self.refuse(HeadError::TooManyFields);
        } else if self.bytes > self.limits.head {
            self.refuse(HeadError::HeadTooLarge);
        }
        if self.error.is_some() {
            return;
        }
        let taken = if is_pseudo {
            let is_in_order = !self.is_started && self.pseudo.take(field.name, field.value);
            if is_in_order { Ok(()) } else { Err(HeadError::StartLine) }
        } else {
            self.plain(head, field.name, field.value)
        };
        if let Err(error) = taken {
            self.refuse(error);
        }
    }

    fn refuse(&mut self, error: HeadError) {
        self.error.get_or_insert(error);
    }

    fn plain(&mut self, head: &mut RequestHead, name: &[u8], value: &[u8]) -> Result<(), HeadError> {
        if !std::mem::replace(&mut self.is_started, true) {
            self.start(head)?;
        }
        if !valid_value(value) {
            return Err(HeadError::FieldValue);
        }
        let id = FieldName::of(name);
        match id {
            FieldName::OTHER => {
                if !is_name(name) {
                    return Err(HeadError::FieldLine);
                }
                if memchr::memchr(b'_', name).is_some() {
                    match self.underscores {
                        Underscores::Refuse => return Err(HeadError::Underscore),
                        Underscores::Drop => return Ok(()),
                        Underscores::Allow => {}
                    }
                }
            }
            _ if name.iter().any(u8::is_ascii_uppercase) => return Err(HeadError::FieldLine),
            _ if OF_CONNECTION.contains(id) => return Err(HeadError::FieldLine),
            FieldName::TE if !value.eq_ignore_ascii_case(b"trailers") => return Err(HeadError::FieldLine),
            FieldName::HOST => return self.host(head, value),
            FieldName::CONTENT_LENGTH => return self.length(value),
            FieldName::COOKIE => {
                if !self.cookie.is_empty() {
                    self.cookie.extend_from_slice(b"; ");
                }
                self.cookie.extend_from_slice(value);
                return Ok(());
            }
            FieldName::EXPECT => {
                if self.expects || !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(HeadError::Expect);
                }
                self.expects = true;
            }
            _ => {}
        }
        head.fields.append_named(name, value);
        Ok(())
    }

    /// Host is `:authority`, or stands for it where there is none (RFC 9113 §8.3.1).
    fn host(&mut self, head: &mut RequestHead, value: &[u8]) -> Result<(), HeadError> {
        if std::mem::replace(&mut self.has_host, true) {
            return Err(HeadError::HostRepeated);
        }
        match self.pseudo.get(self.pseudo.authority) {
            Some(authority) if authority.eq_ignore_ascii_case(value) => Ok(()),
            Some(_) => Err(HeadError::HostInvalid),
            None if Authority::parse(value).is_none() => Err(HeadError::HostInvalid),
            None => {
                head.fields.append(FieldName::HOST, value);
                Ok(())
            }
        }
    }

    fn length(&mut self, value: &[u8]) -> Result<(), HeadError> {
        let is_plain = !value.is_empty()
            && value.iter().all(u8::is_ascii_digit)
            && (value.len() == 1 || !value.starts_with(b"0"));
        let length = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
        match (is_plain, self.length) {
            (true, None) => self.length = Some(length.ok_or(HeadError::ContentLength)?),
            _ => return Err(HeadError::ContentLength),
        }
        Ok(())
    }

    /// The pseudo-fields are complete: they become method, target and Host.
    fn start(&mut self, head: &mut RequestHead) -> Result<(), HeadError> {
        let Pseudo { method, scheme, authority, path, protocol, .. } = self.pseudo;
        let method = self.pseudo.get(method).ok_or(HeadError::StartLine)?;
        let method = std::str::from_utf8(method).map_err(|_| HeadError::StartLine)?;
        if method.is_empty() || !method.bytes().all(is_token_byte) {
            return Err(HeadError::StartLine);
        }
        let is_connect = method == "CONNECT";
        let (scheme, path) = (self.pseudo.get(scheme), self.pseudo.get(path));
        let target = match (scheme, path, self.pseudo.get(protocol)) {
            // CONNECT has neither (RFC 9113 §8.5); with a protocol it has both (RFC 8441 §4).
            (None, None, None) if is_connect => &b"/"[..],
            (Some(scheme), Some(path), protocol) if is_connect == protocol.is_some() => {
                let is_scheme = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
                let is_path = path.starts_with(b"/") || (path == b"*" && method == "OPTIONS");
                let is_visible = path.iter().all(|byte| (0x21..0x7f).contains(byte));
                if !is_scheme || !is_path || !is_visible {
                    return Err(HeadError::StartLine);
                }
                if path.contains(&b'#') {
                    return Err(HeadError::TargetBytes);
                }
                path
            }
            _ => return Err(HeadError::StartLine),
        };
        let is_websocket = is_connect && self.pseudo.get(protocol) == Some(b"websocket");
        self.has_line = true;
        head.restart(if is_websocket { "GET" } else { method }, target, Version::Http2);
        if target.len() > self.limits.target {
            return Err(HeadError::TargetTooLong);
        }
        if let Some(authority) = self.pseudo.get(authority) {
            if Authority::parse(authority).is_none() {
                return Err(HeadError::HostInvalid);
            }
            head.fields.append(FieldName::HOST, authority);
        }
        Ok(())
    }

    /// The block is complete. `ends` when no content follows.
    ///
    /// # Errors
    /// As a client of HTTP/1 would be told, but for those of [`is_malformed`].
    pub(super) fn finish(&mut self, head: &mut RequestHead, ends: bool) -> Result<(), HeadError> {
        if !self.is_started && self.error.is_none() {
            self.is_started = true;
            if let Err(error) = self.start(head) {
                self.refuse(error);
            }
        }
        if !self.has_line {
            // Nothing of the request before must be left.
            head.restart("GET", b"/", Version::Http2);
        }
        if let Some(error) = self.error {
            return Err(error);
        }
        if !head.fields.has(FieldName::HOST) {
            return Err(HeadError::HostMissing);
        }
        if !self.cookie.is_empty() {
            head.fields.append(FieldName::COOKIE, &self.cookie);
        }
        head.keep_alive = true;
        if self.pseudo.get(self.pseudo.protocol) == Some(b"websocket") {
            ask_for_websocket(head);
            return Ok(());
        }
        head.framing = match (self.length, ends) {
            (Some(n), true) if n > 0 => return Err(HeadError::ContentLength),
            (Some(n), _) => RequestFraming::Length(n),
            (None, true) => RequestFraming::None,
            (None, false) => RequestFraming::Chunked,
        };
        head.expects_continue = self.expects && !ends;
        Ok(())
    }
}

/// What a client asks for with CONNECT in HTTP/2 it asks for with an upgrade in HTTP/1.1 (RFC 8441 §5).
fn ask_for_websocket(head: &mut RequestHead) {
    // A number that only has to be another each time (RFC 6455 §4.1); who checks the answer to it is not there.
    const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut key = [b'A'; 24];
    for byte in key.iter_mut().take(21) {
        *byte = fastrand::choice(BASE64).copied().unwrap_or(b'A');
    }
    let [.., a, b] = &mut key;
    (*a, *b) = (b'=', b'=');
    head.fields.append(FieldName::UPGRADE, b"websocket");
    head.fields.set_named(b"sec-websocket-key", &key);
    head.wants_upgrade = true;
}

/// True for a field name as HTTP/2 has them, without capitals (RFC 9113 §8.2.1).
pub(super) fn is_name(name: &[u8]) -> bool {
    valid_name(name) && !name.iter().any(u8::is_ascii_uppercase)
}

/// True when a request is malformed in the sense of RFC 9113 §8.1.1, which wants the stream reset. What is refused for
/// other reasons gets an answer.
pub(super) fn is_malformed(error: HeadError, method: Method) -> bool {
    match error {
        HeadError::StartLine
        | HeadError::FieldLine
        | HeadError::FieldValue
        | HeadError::HostRepeated
        | HeadError::HostInvalid
        | HeadError::ContentLength => true,
        HeadError::HostMissing => method == Method::Connect,
        _ => false,
    }
}
