//! The generated parts of `docs/` say what the code says. `make docs` writes them anew.

mod configuration;
mod examples;
mod failures;
mod files;
mod filters;
mod metrics;
mod names;
mod page;
#[path = "../support/mod.rs"]
mod support;
mod types;
mod words;
