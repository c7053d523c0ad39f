//! The filters. A filter sees one exchange and its own configuration.
//!
//! To add one: write a file with a type that implements [`Filter`], and add a line to [`ALL`].

mod accept;
mod access_log;
mod body_limit;
mod compress;
mod cors;
mod error_page;
mod fallback;
mod fault;
mod fields;
mod grpc_json;
mod grpc_web;
mod headers;
mod ip_allow;
mod ip_deny;
mod keep;
mod networks;
mod page;
mod query;
mod rate_limit;
mod redirect;
mod request_id;
mod respond;
mod scratch;
mod secure_headers;
mod spec;
#[cfg(test)]
mod testing;
mod timeout;
mod trigger;

pub use grpc_json::{PathTemplate, json_values, read_json, write_json};
pub use keep::{Keep, State};
pub use spec::{Contract, Filter, Setup, Spec};

/// Every filter there is, in the order of the docs.
pub const ALL: &[Spec] = &[
    Spec::of::<access_log::AccessLog>(),
    Spec::of::<body_limit::BodyLimit>(),
    Spec::of::<compress::Compress>(),
    Spec::of::<cors::Cors>(),
    Spec::of::<error_page::ErrorPage>(),
    Spec::of::<fallback::Fallback>(),
    Spec::of::<fault::Fault>(),
    Spec::of::<grpc_json::GrpcJson>(),
    Spec::of::<grpc_web::GrpcWeb>(),
    Spec::of::<headers::Headers>(),
    Spec::of::<ip_allow::IpAllow>(),
    Spec::of::<ip_deny::IpDeny>(),
    Spec::of::<query::Query>(),
    Spec::of::<rate_limit::RateLimit>(),
    Spec::of::<redirect::Redirect>(),
    Spec::of::<request_id::RequestId>(),
    Spec::of::<respond::Respond>(),
    Spec::of::<secure_headers::SecureHeaders>(),
    Spec::of::<timeout::Timeout>(),
];

/// The filter with this name.
pub fn find(name: &str) -> Option<&'static Spec> {
    ALL.iter().find(|s| s.name == name)
}
