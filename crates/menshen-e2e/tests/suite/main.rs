//! What holds whatever protocol the client and the service speak.

mod aborts;
mod access_log;
mod breakers;
mod compression;
mod concurrency;
mod cors;
mod expectations;
mod filter_failures;
mod filter_phases;
mod filters_on_requests;
mod forwarded;
mod hedging;
mod metrics;
mod mirrors;
mod pairs;
mod rate_limits;
mod responses;
mod retries;
mod retry_policies;
mod route_answers;
mod route_conditions;
mod route_paths;
mod route_precedence;
mod server_timing;
mod timeouts;
mod truncation;
