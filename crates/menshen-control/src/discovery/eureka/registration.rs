//! The gateway as an instance of a Eureka registry: registered once it is ready, renewed, marked before it leaves, taken off
//! at its end.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Method, StatusCode};
use menshen_config::document::EurekaStatus as Status;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::call::Caller;
use super::registry::pause;
use crate::discovery::client::encoded;

/// How often a lease is renewed; servers count on this.
pub const RENEWAL: Duration = Duration::from_secs(30);
/// After how many missed renewals a lease ends.
const MISSED: u64 = 3;

/// What is said of this gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Registration {
    /// The application that it is an instance of.
    pub app: Box<str>,
    /// Its name there; unique.
    pub id: Box<str>,
    /// Under which name others reach it.
    pub host: Box<str>,
    /// Its IP address.
    pub ip: Box<str>,
    /// Its port without TLS.
    pub port: Option<u16>,
    /// Its port with TLS.
    pub secure_port: Option<u16>,
    /// Its virtual address.
    pub vip: Box<str>,
    /// A page about it.
    pub home_url: Option<Box<str>>,
    /// A page about its state.
    pub status_url: Option<Box<str>>,
    /// Where its health is asked for.
    pub health_url: Option<Box<str>>,
    /// What else is said of it.
    pub metadata: BTreeMap<Box<str>, Box<str>>,
    /// How often its lease is renewed.
    pub renewal: Duration,
}

/// How far the gateway is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not ready for requests.
    Starting,
    /// Takes requests.
    Up,
    /// Finishes what is under way; nobody should come any more.
    Leaving,
    /// Has ended.
    Gone,
}

impl Phase {
    fn status(self) -> Status {
        match self {
            Self::Starting => Status::Starting,
            Self::Up => Status::Up,
            // `OUT_OF_SERVICE` is for people: servers do not believe an instance that says it of itself.
            Self::Leaving | Self::Gone => Status::Down,
        }
    }
}

/// The lease of one instance.
#[derive(Debug)]
struct Lease<'a> {
    caller: &'a Caller,
    registration: &'a Registration,
    /// `apps/GATEWAY/10.0.0.5:gateway:8080`
    path: String,
    /// When what is said last changed, in milliseconds of Unix time.
    changed: u128,
    /// Whether the server knows of the instance in this phase.
    told: Option<Phase>,
}

/// Keeps the instance in the registry until the phase is [`Phase::Gone`] or nobody sets it any more. Then it is taken off.
pub async fn run(caller: Caller, registration: Registration, mut phase: watch::Receiver<Phase>) {
    let app = registration.app.to_uppercase();
    let path = format!("apps/{}/{}", encoded(&app), encoded(&registration.id));
    let mut lease = Lease { caller: &caller, registration: &registration, path, changed: now(), told: None };
    let mut failures = 0;
    loop {
        let now_in = *phase.borrow_and_update();
        if now_in == Phase::Gone {
            return lease.end().await;
        }
        failures = match lease.keep(now_in).await {
            Ok(()) => {
                if failures > 0 {
                    tracing::info!(app = %registration.app, "eureka: registered again");
                }
                0
            }
            Err(why) => {
                if failures == 0 {
                    tracing::warn!(app = %registration.app, "eureka: this gateway is not registered: {why}");
                }
                failures + 1
            }
        };
        let again = Instant::now() + pause(registration.renewal, failures);
        tokio::select! {
            () = tokio::time::sleep_until(again) => {}
            changed = phase.changed() => if changed.is_err() {
                return lease.end().await;
            },
        }
    }
}

impl Lease<'_> {
    /// Renews it, or registers where the server does not know of it as it is.
    async fn keep(&mut self, phase: Phase) -> Result<(), String> {
        if self.told == Some(phase) && self.renew(phase).await? {
            return Ok(());
        }
        if self.told.is_some_and(|told| told != phase) {
            self.changed = now();
        }
        self.told = None;
        self.register(phase).await?;
        self.told = Some(phase);
        Ok(())
    }

    /// False when the server has forgotten it.
    async fn renew(&self, phase: Phase) -> Result<bool, String> {
        let status = phase.status().word();
        let path = format!("{}?status={status}&lastDirtyTimestamp={}", self.path, self.changed);
        let reply = self.caller.call(Method::PUT, &path, None, &[StatusCode::NOT_FOUND]).await?;
        Ok(reply.status != StatusCode::NOT_FOUND)
    }

    async fn register(&self, phase: Phase) -> Result<(), String> {
        let body = body(self.registration, phase.status(), self.changed).to_string();
        let path = format!("apps/{}", encoded(&self.registration.app.to_uppercase()));
        self.caller.call(Method::POST, &path, Some(Bytes::from(body)), &[]).await?;
        let (app, status) = (&self.registration.app, phase.status().word());
        tracing::info!(%app, id = %self.registration.id, status, "eureka: this gateway is registered");
        Ok(())
    }

    async fn end(&self) {
        let gone = self.caller.call(Method::DELETE, &self.path, None, &[StatusCode::NOT_FOUND]).await;
        match gone {
            Ok(_) => tracing::info!(app = %self.registration.app, "eureka: this gateway is taken off"),
            Err(why) => {
                tracing::warn!(app = %self.registration.app, "eureka: cannot take this gateway off: {why}")
            }
        }
    }
}

/// What is sent to register. Types are as servers want them: some numbers are texts.
fn body(registration: &Registration, status: Status, changed: u128) -> Value {
    let Registration { app, id, host, ip, secure_port, vip, metadata, .. } = registration;
    let seconds = registration.renewal.as_secs().max(1);
    let port = |port: Option<u16>, usual: u16| json!({ "$": port.unwrap_or(usual), "@enabled": port.is_some().to_string() });
    let mut instance = json!({
        "instanceId": id, "hostName": host, "app": app.to_uppercase(), "ipAddr": ip,
        "status": status.word(), "overriddenStatus": Status::Unknown.word(),
        "port": port(registration.port, 80), "securePort": port(*secure_port, 443),
        "countryId": 1,
        "dataCenterInfo": { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn" },
        "leaseInfo": { "renewalIntervalInSecs": seconds, "durationInSecs": seconds * MISSED },
        "metadata": metadata,
        "vipAddress": vip, "secureVipAddress": vip,
        "isCoordinatingDiscoveryServer": "false",
        "lastUpdatedTimestamp": changed.to_string(), "lastDirtyTimestamp": changed.to_string(),
    });
    let urls = [
        ("homePageUrl", &registration.home_url),
        ("statusPageUrl", &registration.status_url),
        ("healthCheckUrl", &registration.health_url),
    ];
    for (name, url) in urls {
        if let Some(url) = url {
            instance[name] = json!(url);
        }
    }
    json!({ "instance": instance })
}

/// Milliseconds of Unix time.
fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}
