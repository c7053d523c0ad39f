//! The HTTP client that asks registries: an end to everything, no redirects, gzip, one stack of TLS.

use std::error::Error;
use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, USER_AGENT,
};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Connections;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use menshen_config::document::RegistryUrl;
use rustls::RootCertStore;
use serde::de::DeserializeOwned;

use crate::causes::causes;
use crate::outward;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(60);
/// The most that is read of an answer as it comes, in bytes.
const LONGEST: usize = 64 << 20;
/// The most that an answer may unpack to, in bytes: room for a registry of two hundred thousand instances.
const LARGEST: u64 = 256 << 20;
/// How much of what a registry says about a refusal is shown, in bytes.
const SHOWN: usize = 120;

/// Where a registry is. Its password is kept apart and never shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Base {
    /// `http://host:8761/eureka/`: ends with a slash.
    url: Box<str>,
    /// `host:8761`
    authority: Box<str>,
    /// What goes into `Authorization`.
    credentials: Option<HeaderValue>,
}

impl Base {
    /// At this URL, with these credentials (HTTP Basic, RFC 7617): a user name and a password.
    ///
    /// # Errors
    /// They cannot be sent; the password is not repeated.
    pub fn new(url: &RegistryUrl, credentials: Option<(&str, &str)>) -> Result<Self, String> {
        let credentials = credentials.map(|(user, password)| basic(user, password)).transpose()?;
        let authority = url.0.address.to_string().into();
        Ok(Self { url: format!("{url}/").into(), authority, credentials })
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The URL without credentials.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// What goes into `Authorization` (RFC 7617 §2).
fn basic(user: &str, password: &str) -> Result<HeaderValue, String> {
    if user.contains(':') {
        return Err(format!("the user name `{user}` has a colon in it"));
    }
    let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let mut value = HeaderValue::from_str(&text).map_err(|_| "its credentials cannot be sent")?;
    value.set_sensitive(true);
    Ok(value)
}

/// A text as one segment of a path or one value of a query (RFC 3986 §2.3).
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// What is asked.
#[derive(Debug)]
pub struct Question<'a> {
    /// How.
    pub method: Method,
    /// Whom.
    pub at: &'a Base,
    /// What comes behind the base, with its query.
    pub path: &'a str,
    /// Fields beside the usual ones.
    pub fields: &'a [(HeaderName, HeaderValue)],
    /// JSON to send.
    pub content: Option<Bytes>,
    /// How long all of it may take.
    pub within: Duration,
}

/// What a registry said.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub fields: HeaderMap,
    /// Its content as it came; at most 64 MiB.
    content: Bytes,
}

/// The client. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client(Connections<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Client {
    /// With TLS believed by these roots.
    ///
    /// # Errors
    /// What rustls says.
    pub fn new(roots: Arc<RootCertStore>) -> Result<Self, String> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(outward::tls(roots)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(outward::tcp(CONNECT));
        let connections = Connections::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(2)
            .build(connector);
        Ok(Self(connections))
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    /// Why there is none, for people; it names the URL.
    pub async fn ask(&self, question: Question<'_>) -> Result<Reply, String> {
        let url = format!("{}{}", question.at.url, question.path);
        match tokio::time::timeout(question.within, self.exchange(&question, &url)).await {
            Ok(done) => done.map_err(|why| format!("{url}: {why}")),
            Err(_) => Err(format!("{url}: no whole answer within {:?}", question.within)),
        }
    }

    async fn exchange(&self, question: &Question<'_>, url: &str) -> Result<Reply, String> {
        let mut request = Request::builder()
            .method(question.method.clone())
            .uri(url)
            .header(ACCEPT, "application/json")
            .header(ACCEPT_ENCODING, "gzip")
            .header(USER_AGENT, "menshen");
        for (name, value) in question.fields {
            request = request.header(name, value);
        }
        if let Some(credentials) = &question.at.credentials {
            request = request.header(AUTHORIZATION, credentials);
        }
        if question.content.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let content = Full::new(question.content.clone().unwrap_or_default());
        let request = request.body(content).map_err(|e| e.to_string())?;
        let reply = self.0.request(request).await;
        // The outermost error says nothing but that it is one.
        let reply = reply.map_err(|e| causes(e.source().unwrap_or(&e)))?;
        let (head, body) = reply.into_parts();
        let content = match Limited::new(body, LONGEST).collect().await {
            Ok(content) => content.to_bytes(),
            Err(e) if e.is::<LengthLimitError>() => {
                return Err(format!("the answer has more than {} MiB", LONGEST >> 20));
            }
            Err(e) => return Err(format!("the answer broke off: {}", causes(&*e))),
        };
        Ok(Reply { status: head.status, fields: head.headers, content })
    }
}

impl Reply {
    /// The content as JSON, and what is made of it. That is done on another thread, because a large registry takes a while.
    ///
    /// # Errors
    /// Why it is none, for people.
    pub async fn read<T, U>(self, make: impl FnOnce(T) -> U + Send + 'static) -> Result<U, String>
    where
        T: DeserializeOwned,
        U: Send + 'static,
    {
        let is_packed = self.is_packed();
        let content = self.content;
        let read = move || {
            let unpacked = if is_packed { unpack(&content, LARGEST)? } else { Vec::new() };
            let text = if is_packed { &unpacked[..] } else { &content[..] };
            let read = serde_json::from_slice(text).map_err(|e| format!("the answer cannot be read: {e}"));
            read.map(make)
        };
        tokio::task::spawn_blocking(read).await.map_err(|e| format!("the answer cannot be read: {e}"))?
    }

    /// What it is, where it is not what was hoped for: the status and how its text begins.
    pub fn refusal(&self) -> String {
        let status = self.status;
        if status.is_redirection() {
            return format!("answered {status}; redirects are not followed");
        }
        let text = if self.is_packed() { Vec::new() } else { self.content.to_vec() };
        let text = String::from_utf8_lossy(&text[..text.len().min(SHOWN)]).into_owned();
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        match text.trim() {
            "" => format!("answered {status}"),
            text => format!("answered {status}: {text}"),
        }
    }

    fn is_packed(&self) -> bool {
        self.fields.get(CONTENT_ENCODING).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"gzip"))
    }
}

/// Unpacks gzip (RFC 1952), to a limit.
fn unpack(packed: &[u8], largest: u64) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut reader = MultiGzDecoder::new(packed).take(largest + 1);
    reader.read_to_end(&mut out).map_err(|e| format!("the answer cannot be unpacked: {e}"))?;
    match out.len() as u64 > largest {
        true => Err(format!("the answer unpacks to more than {} MiB", largest >> 20)),
        false => Ok(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_ends_with_a_slash_and_hides_its_password() {
        let url = "http://10.0.0.1:8761/eureka/".parse().unwrap();
        let base = Base::new(&url, Some(("anna", "s@cret"))).unwrap();
        assert_eq!(format!("{base:?}"), "http://10.0.0.1:8761/eureka/");
        assert_eq!(base.credentials.unwrap(), format!("Basic {}", STANDARD.encode("anna:s@cret")));
        let bare = "http://consul:8500".parse().unwrap();
        assert_eq!(Base::new(&bare, None).unwrap().url(), "http://consul:8500/");
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused() {
        let mut packed = Vec::new();
        let zeros = std::io::repeat(0).take(5 << 20);
        flate2::read::GzEncoder::new(zeros, flate2::Compression::fast()).read_to_end(&mut packed).unwrap();
        assert!(packed.len() < 1 << 20);
        assert!(unpack(&packed, 4 << 20).unwrap_err().contains("4 MiB"));
        assert_eq!(unpack(&packed, 5 << 20).unwrap().len(), 5 << 20);
    }
}
