//! The gateway as an instance of a Eureka registry: registered once it is ready, renewed, marked before it leaves, taken off
//! at its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Method, StatusCode};
use menshen_config::document::EurekaStatus as Status;
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::sync::watch;

use super::registry::{Registry, pause};
use crate::discovery::client::encoded;

/// After how many missed renewals a lease ends.
const MISSED: u64 = 3;

/// How long is slept where nothing is to be done.
const IDLE: Duration = Duration::from_secs(24 * 3600);

/// What is said of this gateway, and to whom.
#[derive(Clone, Debug)]
pub struct Registration {
    /// To whom.
    pub registry: Arc<Registry>,
    /// What is said.
    pub entry: Entry,
}

/// What is said of this gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The app that it is an instance of, in upper case.
    pub app: Box<str>,
    /// Its name there; unique. `None` makes one of host, app and port.
    pub id: Option<Box<str>>,
    /// Under which name others reach it. `None` is the address from which the servers are reached.
    pub host: Option<Box<str>>,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Not ready for requests: nobody should know of it yet.
    #[default]
    Starting,
    /// Takes requests.
    Up,
    /// Finishes what is under way; nobody should come any more.
    Leaving,
    /// Has ended.
    Gone,
}

/// What the one who registers has to know; outlives generations.
#[derive(Debug, Default)]
pub struct Registering {
    wanted: watch::Sender<Option<Arc<Registration>>>,
    phase: watch::Sender<Phase>,
}

impl Registering {
    /// This is what the configuration wants that is served.
    pub fn want(&self, registration: Option<Registration>) {
        self.wanted.send_if_modified(|now| {
            let is_other = !is_same(now.as_deref(), registration.as_ref());
            if is_other {
                *now = registration.map(Arc::new);
            }
            is_other
        });
    }

    /// The gateway is this far. It never goes back.
    pub fn is_at(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let goes_on = (*now as u8) < phase as u8;
            if goes_on {
                *now = phase;
            }
            goes_on
        });
    }
}

fn is_same(a: Option<&Registration>, b: Option<&Registration>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(&a.registry, &b.registry) && a.entry == b.entry,
        (None, None) => true,
        _ => false,
    }
}

/// Keeps the gateway registered as it is wanted, until it is gone; then it is taken off.
pub async fn run(registering: &Registering) {
    let (mut wanted, mut phase) = (registering.wanted.subscribe(), registering.phase.subscribe());
    let mut lease: Option<Lease> = None;
    loop {
        let (want, now_at) = (wanted.borrow_and_update().clone(), *phase.borrow_and_update());
        if !is_same(lease.as_ref().map(|l| &*l.registration), want.as_deref()) {
            if let Some(old) = lease.take() {
                old.end().await;
            }
            lease = want.map(Lease::new);
        }
        let again_in = match (&mut lease, now_at) {
            (Some(lease), Phase::Up) => lease.attempt(now_at).await,
            (Some(lease), Phase::Leaving) if lease.told.is_some() => lease.attempt(now_at).await,
            (Some(lease), Phase::Gone) => return lease.end().await,
            (None, Phase::Gone) => return,
            _ => IDLE,
        };
        tokio::select! {
            () = tokio::time::sleep(again_in) => {}
            _ = phase.changed() => {}
            _ = wanted.changed() => {}
        }
    }
}

/// The lease of the gateway.
#[derive(Debug)]
struct Lease {
    registration: Arc<Registration>,
    /// What the server knows of: under which address, and in which phase.
    told: Option<(Place, Phase)>,
    /// When what is said last changed, in milliseconds of Unix time.
    changed: u128,
    failures: u32,
}

/// Where the gateway is in the registry.
#[derive(Clone, Debug)]
struct Place {
    host: Box<str>,
    ip: Box<str>,
    id: Box<str>,
}

impl Lease {
    fn new(registration: Arc<Registration>) -> Self {
        Self { registration, told: None, changed: now(), failures: 0 }
    }

    /// Registers or renews, and says in how long to do so again.
    async fn attempt(&mut self, phase: Phase) -> Duration {
        let app = self.registration.entry.app.clone();
        match self.keep(phase).await {
            Ok(()) => self.failures = 0,
            Err(why) => {
                if self.failures == 0 {
                    tracing::warn!(%app, "eureka: the gateway cannot be registered or renewed: {why}");
                }
                self.failures += 1;
            }
        }
        pause(self.registration.entry.renewal, self.failures)
    }

    async fn keep(&mut self, phase: Phase) -> Result<(), String> {
        let place = match self.told.clone() {
            Some((place, told)) if told == phase => match self.renew(&place, phase).await? {
                true => return Ok(()),
                // The server has forgotten it.
                false => place,
            },
            Some((place, _)) => {
                self.changed = now();
                place
            }
            None => self.place().await?,
        };
        self.register(&place, phase).await?;
        self.told = Some((place, phase));
        Ok(())
    }

    /// False when the server does not know of it.
    async fn renew(&self, place: &Place, phase: Phase) -> Result<bool, String> {
        let (path, status) = (self.path(place), status(phase).word());
        let path = format!("{path}?status={status}&lastDirtyTimestamp={}", self.changed);
        let caller = self.registration.registry.caller();
        let (_, reply) = caller.call(Method::PUT, &path, None, &[StatusCode::NOT_FOUND]).await?;
        Ok(reply.status != StatusCode::NOT_FOUND)
    }

    async fn register(&self, place: &Place, phase: Phase) -> Result<(), String> {
        let entry = &self.registration.entry;
        let body = body(entry, place, status(phase), self.changed).to_string();
        let path = format!("apps/{}", encoded(&entry.app));
        self.registration.registry.caller().call(Method::POST, &path, Some(Bytes::from(body)), &[]).await?;
        let (app, id, status) = (&entry.app, &place.id, status(phase).word());
        tracing::info!(%app, %id, status, "eureka: the gateway is registered");
        Ok(())
    }

    async fn end(&self) {
        let Some((place, _)) = &self.told else { return };
        let app = &self.registration.entry.app;
        let caller = self.registration.registry.caller();
        match caller.call(Method::DELETE, &self.path(place), None, &[StatusCode::NOT_FOUND]).await {
            Ok(_) => tracing::info!(%app, id = %place.id, "eureka: the gateway is taken off"),
            Err(why) => {
                tracing::warn!(%app, id = %place.id, "eureka: the gateway cannot be taken off: {why}")
            }
        }
    }

    /// `apps/GATEWAY/10.0.0.5:gateway:8080`
    fn path(&self, place: &Place) -> String {
        format!("apps/{}/{}", encoded(&self.registration.entry.app), encoded(&place.id))
    }

    /// What is not written is found out.
    async fn place(&self) -> Result<Place, String> {
        let Entry { app, id, host, port, secure_port, .. } = &self.registration.entry;
        let ip: Box<str> = match host.as_deref().filter(|host| host.parse::<std::net::IpAddr>().is_ok()) {
            Some(ip) => ip.into(),
            None => self.own_address().await?,
        };
        let host = host.clone().unwrap_or_else(|| ip.clone());
        let port = port.or(*secure_port).unwrap_or_default();
        let id = id.clone().unwrap_or_else(|| format!("{host}:{}:{port}", app.to_lowercase()).into());
        Ok(Place { host, ip, id })
    }

    /// The address from which a server is reached. No packet is sent to find it out.
    async fn own_address(&self) -> Result<Box<str>, String> {
        let mut why = "no server could be looked up".to_owned();
        for server in &self.registration.registry.settings().servers {
            let authority = server.at.authority();
            let addresses = match tokio::net::lookup_host(authority).await {
                Ok(addresses) => addresses,
                Err(e) => {
                    why = format!("{authority}: {e}");
                    continue;
                }
            };
            for address in addresses {
                let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let Ok(socket) = UdpSocket::bind(any).await else { continue };
                if socket.connect(address).await.is_ok()
                    && let Ok(own) = socket.local_addr()
                {
                    return Ok(own.ip().to_string().into());
                }
            }
        }
        Err(format!("the own address is not known ({why}); write it as `register: {{ host: ADDRESS }}`"))
    }
}

/// `OUT_OF_SERVICE` is for people: servers do not believe an instance that says it of itself.
fn status(phase: Phase) -> Status {
    match phase {
        Phase::Up => Status::Up,
        Phase::Starting => Status::Starting,
        Phase::Leaving | Phase::Gone => Status::Down,
    }
}

/// What is sent to register. Types are as servers want them: some numbers are texts.
fn body(entry: &Entry, place: &Place, status: Status, changed: u128) -> Value {
    let Entry { app, vip, metadata, .. } = entry;
    let Place { host, ip, id } = place;
    let seconds = entry.renewal.as_secs().max(1);
    let port = |port: Option<u16>, usual: u16| json!({ "$": port.unwrap_or(usual), "@enabled": port.is_some().to_string() });
    let mut instance = json!({
        "instanceId": id, "hostName": host, "app": app, "ipAddr": ip,
        "status": status.word(), "overriddenStatus": Status::Unknown.word(),
        "port": port(entry.port, 80), "securePort": port(entry.secure_port, 443),
        "countryId": 1,
        "dataCenterInfo": { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn" },
        "leaseInfo": { "renewalIntervalInSecs": seconds, "durationInSecs": seconds * MISSED },
        "metadata": metadata,
        "vipAddress": vip, "secureVipAddress": vip,
        "isCoordinatingDiscoveryServer": "false",
        "lastUpdatedTimestamp": changed.to_string(), "lastDirtyTimestamp": changed.to_string(),
    });
    let urls = [
        ("homePageUrl", &entry.home_url),
        ("statusPageUrl", &entry.status_url),
        ("healthCheckUrl", &entry.health_url),
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
