//! gRPC through the gateway, spoken by a library that thousands use: the interop cases of gRPC that concern a proxy
//! (<https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md>), what the gateway itself answers, and
//! gRPC-Web by hand.

mod again;
mod caller;
mod cancellation;
mod codec;
mod deadlines;
mod echo;
mod failures;
mod flaky;
mod go;
mod health;
mod interop;
mod json;
mod mirrors;
mod service;
mod stage;
mod statuses;
mod web;
