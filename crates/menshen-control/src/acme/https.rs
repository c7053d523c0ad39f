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
use rustls::RootCertStore;

use super::reason::problem_text;
use crate::causes::causes;
use crate::outward;

/// How long one request may take with all of its answer, and a connection.
const REQUEST: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
/// The most that is read of a reply: a chain of certificates is the longest.
const LONGEST: usize = 1 << 20;

/// HTTPS with an end to everything.
pub(super) struct Https {
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    /// How long one request may take with all of its answer.
    limit: Duration,
}

impl Https {
    /// One that believes these authorities.
    ///
    /// # Errors
    /// rustls cannot do that.
    pub(super) fn new(roots: &Arc<RootCertStore>) -> Result<Self, String> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(outward::tls(roots.clone())?)
            .https_only()
            .enable_http1()
            .wrap_connector(outward::tcp(CONNECT));
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), limit: REQUEST })
    }
}

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let url = request.uri().to_string();
        let (reply, limit) = (self.client.request(request), self.limit);
        Box::pin(async move {
            let whole = async {
                let (head, body) = reply.await.map_err(|e| causes(&e))?.into_parts();
                let content = Limited::new(body, LONGEST).collect().await.map_err(|e| causes(&*e))?;
                Ok::<_, String>((head, content.to_bytes()))
            };
            let (head, content) = match tokio::time::timeout(limit, whole).await {
                Ok(Ok(whole)) => whole,
                Ok(Err(why)) => return Err(Error::Other(format!("{url}: {why}").into())),
                Err(_) => {
                    let why = format!("{url}: no whole answer within {}s", limit.as_secs_f32());
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

impl Refusal {
    /// True when another URL would be better: what answers speaks HTTP, and not ACME.
    pub(super) fn is_about_the_url(&self) -> bool {
        self.problem.is_none() && self.status.is_client_error() && self.wait.is_none()
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
    use tokio::io::AsyncWriteExt;

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
    fn an_answer_that_stops_in_the_middle_has_an_end() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let server = rustls::ServerConfig::builder_with_provider(crate::compile::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let why = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("https://localhost:{}/dir", listener.local_addr().unwrap().port());
            tokio::spawn(async move {
                let (tcp, _) = listener.accept().await.unwrap();
                let mut tls = tokio_rustls::TlsAcceptor::from(Arc::new(server)).accept(tcp).await.unwrap();
                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await;
                let _ = tls.flush().await;
                std::future::pending::<()>().await;
            });
            let https = Https { limit: Duration::from_millis(300), ..Https::new(&Arc::new(roots)).unwrap() };
            let request = Request::get(&url).body(BodyWrapper::default()).unwrap();
            https.request(request).await.err().unwrap().to_string()
        });
        assert!(why.ends_with("/dir: no whole answer within 0.3s"), "{why}");
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
