//! What a document can say.

mod access_log;
mod acme;
mod address;
mod balance;
mod bind;
mod discover;
mod endpoint_list;
mod forwarded;
mod gateway;
mod health;
mod limits;
mod listener;
mod mirror;
mod named;
mod overload;
mod registries;
mod retry;
mod route;
mod route_test;
mod service;
mod split;
mod switch;
mod target;
mod timeouts;
mod tls;

pub use access_log::{AccessLog, AccessLogFields, LogTo};
pub use acme::{Acme, AcmeDirectory, Challenge, DnsHook, ExternalAccount, FolderPath, Terms};
pub use address::{Address, Place, Prefix, Protocol, Url};
pub use balance::{Balance, CookieName, HashKey, Method as BalanceMethod, Sticky};
pub use bind::{Bind, FileMode, UnixBind};
pub use discover::{Discover, DiscoverFrom, Hold};
pub use endpoint_list::{ListedEndpoint, endpoint_list};
pub use forwarded::Forwarded;
pub use gateway::{Admin, Gateway, LogLevel, Pseudonym};
pub use health::{CheckPath, Eject, EjectRules, ErrorShare, Health, Start, Statuses};
pub use limits::{Limits, RouteLimits};
pub use listener::{Listener, Underscores};
pub use mirror::{Mirror, MirrorTo};
pub use named::{Entry, Named};
pub use overload::{
    Adaptive, Breaker, Concurrency, ConcurrencyLimit, Hedge, HedgeAfter, Priority, Queue, RoutePriority,
};
pub use registries::{
    Consul, ConsulChecks, ConsulQuery, Dns, Eureka, EurekaAddress, EurekaBy, EurekaPort, EurekaQuery,
    EurekaRegistration, EurekaStatus, NamePattern, Registries, RegistryRoutes, RegistryUrl,
};
pub use retry::{BackOff, GrpcStatus, Retry, RetryBudget, RetryOn};
pub use route::{EncodedSlashes, QueryEdit, Rewrite, Route, RouteHost};
pub use route_test::{Expect, RequestLine, RouteTest};
pub use service::{Endpoint, Pool, ProxyProtocol, Service, ServiceHost};
pub use split::{GroupShare, Split, SplitBy, SplitGroup};
pub use switch::Switch;
pub use target::{Redirect, Respond, Target};
pub use timeouts::{CallTimeouts, Timeouts};
pub use tls::{
    Certificate, CertificateSource, ClientCertificates, ClientProtocol, FilePath, ListenerTls, Need,
    OwnCertificate, ServiceTls, Strangers, TlsVersion, Unlisted,
};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::filter::FilterItem;

/// All that was written, in all files together. References between the parts are not checked yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The gateway itself.
    pub gateway: Gateway,
    /// Who can be asked for the endpoints of services.
    pub registries: Registries,
    /// Where requests come in.
    pub listeners: Named<Listener>,
    /// Where requests go to.
    pub services: Named<Service>,
    /// Combinations of filters that routes can refer to.
    pub schemes: Named<Scheme>,
    /// Which request goes where, and how.
    pub routes: Named<Route>,
}

/// A named combination of filters, applied in the order of the list.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Scheme(pub Vec<FilterItem>);

impl std::ops::Deref for Scheme {
    type Target = [FilterItem];

    fn deref(&self) -> &[FilterItem] {
        &self.0
    }
}
