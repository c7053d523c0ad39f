//! What holds whatever protocol the client and the service speak.

mod aborts;
mod access_log;
mod compression;
mod cors;
mod expectations;
mod filter_failures;
mod filter_phases;
mod filters_on_requests;
mod forwarded;
mod metrics;
mod pairs;
mod rate_limits;
mod responses;
mod retries;
mod route_answers;
mod route_conditions;
mod route_paths;
mod route_precedence;
mod server_timing;
mod timeouts;
mod truncation;
