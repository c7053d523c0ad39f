//! The data plane of Menshen: no configuration format, no locks, no waiting for other threads.
//!
//! Down comes an immutable [`Snapshot`]; up go counters and access-log lines. The life of a request is in
//! `serve.rs`, one screen of code with the phases in order.

mod accept;
pub mod access_log;
pub mod balance;
mod body;
pub mod breaker;
mod buffer;
mod call;
pub mod chain;
pub mod challenges;
pub mod client_address;
mod clock;
pub mod concurrency;
pub mod condition;
mod connect;
mod cookie;
mod downstream;
mod endpoint;
mod exchange;
mod failure;
mod filter;
mod forwarding;
mod grpc;
mod h1;
mod h2;
pub mod health;
pub mod hedge;
mod kept;
mod latency;
mod listener;
pub mod mirror;
pub mod moment;
mod notes;
mod outbound;
mod panics;
pub mod pattern;
mod pool;
pub mod proxy_protocol;
mod reply;
pub mod retry;
mod rewrite;
pub mod routes;
mod serve;
mod server_timing;
mod service;
mod snapshot;
mod socket;
pub mod split;
pub mod stats;
mod stream;
pub mod target;
pub mod template;
mod timers;
pub mod tls;
pub mod trace;
mod translation;
mod turns;
mod wait;
mod websocket;
pub mod window;
mod worker;

pub use body::{Body, Length, Transform, Transforms};
pub use endpoint::{Answers, Endpoint, EndpointAddress, EndpointState, HttpVersion, Presence};
pub use exchange::{Attempt, Client, Exchange, Finished, Scheme};
pub use failure::{Blame, Failure, Retry};
pub use filter::{
    DoneFilter, ErrorFilter, FilterFuture, Flow, PostFilter, PreFilter, PreFilterAsync, Recovery, RouteFilter,
};
pub use grpc::{
    GrpcStatus, GrpcStatuses, is_call as is_grpc_call, is_grpc, limit as limit_call, limit_by_caller,
    set_status as set_grpc_status,
};
pub use latency::PeakLatency;
pub use listener::{ListenerAddress, Sockets, UnixAccess};
pub use menshen_http1 as http1;
pub use notes::Notes;
pub use reply::{Maker, Reply};
pub use rewrite::Rewrite;
pub use service::{Service, ServiceState};
pub use snapshot::{
    Action, ClientTimeouts, EncodedSlashes, FixedReply, Forwarding, Gateway, HostPolicy, Listener,
    ListenerLimits, Route, RouteId, RoutePriority, ServiceId, Snapshot, Timeouts,
};
pub use translation::{Held, Translation};
pub use worker::{Live, Seat, Wish, run};
