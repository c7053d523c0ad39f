//! The interop cases as the client of grpc-go runs them, against its server.

use menshen_e2e::{Authority, GrpcInterop};

use crate::stage::gateway;

/// All cases that need neither a cloud nor a server with a name of its own.
const CASES: [&str; 16] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "rpc_soak",
    "channel_soak",
];

#[test]
fn every_case_of_grpc_go_passes() {
    let Some(interop) = GrpcInterop::start() else { return };
    let gateway = gateway("routes: { all: { match: /**, to: 'h2c://{service}' } }", interop.address());
    for case in CASES {
        interop.run(case, gateway.address(), None);
    }
}

#[test]
fn every_case_of_grpc_go_passes_over_tls() {
    let Some(interop) = GrpcInterop::start() else { return };
    let files = tempfile::tempdir().unwrap();
    let (authority, path) = (Authority::new("interop"), files.path().display());
    let leaf = authority.server(&["localhost"]);
    for (name, text) in [("ca.pem", authority.pem()), ("cert.pem", leaf.pem()), ("key.pem", leaf.key_pem())] {
        std::fs::write(files.path().join(name), text).unwrap();
    }
    let gateway = gateway(
        &format!(
            "
            listeners:
              web: {{ bind: '127.0.0.1:0', tls: {{ certificates: [{{ chain: {path}/cert.pem, key: {path}/key.pem }}] }} }}
            routes: {{ all: {{ match: /**, to: 'h2c://{{service}}' }} }}
            "
        ),
        interop.address(),
    );
    for case in CASES {
        interop.run(case, gateway.address(), Some(&files.path().join("ca.pem")));
    }
}
