//! HTTPS with an authority: an end to everything, and what it says when it does not want to be asked now.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient, Problem};
use rustls::{ClientConfig, RootCertStore};

use super::reason::problem_text;
use crate::causes::causes;

/// How long one request may take with all of its answer, and a connection.
const REQUEST: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
/// The most that is read of a reply: a chain of certificates is the longest.
const LONGEST: usize = 1 << 20;

/// HTTPS with an end to everything.
pub(super) struct Https(Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>);

impl Https {
    /// One that believes these authorities.
    ///
    /// # Errors
    /// rustls cannot do that.
    pub(super) fn new(roots: &Arc<RootCertStore>) -> Result<Self, String> {
        let config = ClientConfig::builder_with_provider(crate::compile::provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }
}

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let url = request.uri().to_string();
        let reply = self.0.request(request);
        Box::pin(async move {
            let whole = async {
                let (head, body) = reply.await.map_err(|e| causes(&e))?.into_parts();
                let content = Limited::new(body, LONGEST).collect().await.map_err(|e| causes(&*e))?;
                Ok::<_, String>((head, content.to_bytes()))
            };
            let (head, content) = match tokio::time::timeout(REQUEST, whole).await {
                Ok(Ok(whole)) => whole,
                Ok(Err(why)) => return Err(Error::Other(format!("{url}: {why}").into())),
                Err(_) => {
                    let why = format!("{url}: no answer within {}s", REQUEST.as_secs());
                    return Err(Error::Other(why.into()));
                }
            };
            match Refusal::of(&url, &head, &content) {
                Some(refusal) => Err(Error::Other(Box::new(refusal))),
                None => Ok(BytesResponse::from(Response::from_parts(head, Full::new(content)))),
            }
        })
    }
}

/// An authority that does not want to be asked now, or that says what is not ACME.
#[derive(Debug)]
pub(super) struct Refusal {
    url: String,
    status: StatusCode,
    problem: Option<Problem>,
    /// When it would like to be asked again.
    pub(super) wait: Option<Duration>,
}

impl Refusal {
    fn of(url: &str, head: &http::response::Parts, content: &[u8]) -> Option<Self> {
        let status = head.status;
        if status.is_success() || status.is_redirection() {
            return None;
        }
        let problem = serde_json::from_slice::<Problem>(content).ok();
        let is_later = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        // What else it says in its own words is understood by whoever asked.
        if problem.is_some() && !is_later {
            return None;
        }
        let said = head.headers.get(http::header::RETRY_AFTER).and_then(|v| v.to_str().ok());
        let wait = said.filter(|_| is_later).and_then(|said| wait(said, crate::expiry::now()));
        Some(Self { url: url.to_owned(), status, problem, wait })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Some(problem) => f.write_str(&problem_text(problem)),
            None => write!(f, "{} answers {}", self.url, self.status),
        }
    }
}

impl std::error::Error for Refusal {}

/// What `Retry-After` says: seconds, or a date (RFC 9110 §10.2.3).
fn wait(said: &str, now: i64) -> Option<Duration> {
    if let Ok(seconds) = said.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(said.trim()).ok()?.timestamp().as_second();
    Some(Duration::from_secs(u64::try_from(date - now).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_ask_again_is_said_in_seconds_or_as_a_date() {
        assert_eq!(wait("120", 0), Some(Duration::from_secs(120)));
        assert_eq!(wait("Thu, 01 Jan 1970 00:10:00 GMT", 540), Some(Duration::from_secs(60)));
        assert_eq!(wait("Thu, 01 Jan 1970 00:10:00 GMT", 999), Some(Duration::ZERO), "it is over");
        for nonsense in ["", "soon", "-1", "1.5"] {
            assert_eq!(wait(nonsense, 0), None, "{nonsense}");
        }
    }

    fn said(status: u16, retry: Option<&str>, content: &str) -> Option<Refusal> {
        let mut response = Response::builder().status(status);
        if let Some(retry) = retry {
            response = response.header("retry-after", retry);
        }
        let (head, ()) = response.body(()).unwrap().into_parts();
        Refusal::of("https://ca/new-order", &head, content.as_bytes())
    }

    #[test]
    fn what_is_not_acme_is_told_with_its_status() {
        let page = said(502, Some("3"), "<html>").unwrap();
        assert_eq!(
            (page.to_string(), page.wait),
            ("https://ca/new-order answers 502 Bad Gateway".into(), None)
        );
        assert!(said(400, None, r#"{"type":"urn:ietf:params:acme:error:badNonce"}"#).is_none());
        assert!(said(200, Some("3"), "[]").is_none());
    }

    #[test]
    fn a_limit_is_told_with_its_reason_and_when_it_is_over() {
        let problem = r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many orders"}"#;
        let limited = said(429, Some("3600"), problem).unwrap();
        assert_eq!(limited.to_string(), "too many orders (rateLimited)");
        assert_eq!(limited.wait, Some(Duration::from_secs(3600)));
        assert_eq!(said(503, None, "").unwrap().wait, None);
    }
}
