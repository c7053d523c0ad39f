//! Checks of endpoints by the protocol of gRPC (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};

use bytes::Bytes;
use menshen_e2e::{Admin, TestGateway, eventually};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};

use crate::caller::Caller;
use crate::codec::Plain;

const UNKNOWN: u8 = 0;
const SERVING: u8 = 1;
const NOT_SERVING: u8 = 2;
/// Not a status: it does not offer checks.
const SILENT: u8 = 99;

/// A service whose health a test decides; of `acme.Orders` and of the server as a whole.
#[derive(Clone)]
struct Patient {
    health: Arc<AtomicU8>,
    calls: Arc<AtomicUsize>,
    /// The services that checks asked about.
    asked: Arc<Mutex<Vec<String>>>,
    address: SocketAddr,
}

impl Patient {
    /// Serves on a free port, on a thread of its own.
    fn serve() -> Self {
        let (sender, address) = mpsc::channel();
        let health = Arc::new(AtomicU8::new(SERVING));
        let calls = Arc::new(AtomicUsize::new(0));
        let asked = Arc::default();
        let place = (health.clone(), calls.clone(), Arc::clone(&asked));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
                let (health, calls, asked) = place;
                let patient = Self { health, calls, asked, address: incoming.local_addr().unwrap() };
                sender.send(patient.address).unwrap();
                Server::builder().serve_with_incoming(patient, incoming).await
            })
        });
        Self { health, calls, asked, address: address.recv().unwrap() }
    }

    fn is(&self, health: u8) {
        self.health.store(health, Ordering::SeqCst);
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Service<http::Request<Body>> for Patient {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let health = match request.uri().path() {
            "/grpc.health.v1.Health/Check" => Some(self.health.load(Ordering::SeqCst)),
            _ => {
                self.calls.fetch_add(1, Ordering::SeqCst);
                None
            }
        };
        let answer = Answer { health, asked: self.asked.clone() };
        Box::pin(async move { Ok(Grpc::new(Plain).unary(answer, request).await) })
    }
}

/// The answer to a check, or to a call.
struct Answer {
    health: Option<u8>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl UnaryService<Bytes> for Answer {
    type Response = Bytes;
    type Future = BoxFuture<Response<Bytes>, Status>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        // The field `service` of the question.
        let name = request.get_ref().get(2..).unwrap_or_default().to_vec();
        let health = self.health;
        if health.is_some() {
            self.asked.lock().unwrap().push(String::from_utf8(name.clone()).unwrap());
        }
        Box::pin(async move {
            match health {
                None => Ok(Response::new(Bytes::new())),
                Some(SILENT) => Err(Status::new(Code::Unimplemented, "")),
                Some(_) if !name.is_empty() && name != b"acme.Orders" => Err(Status::new(Code::NotFound, "")),
                Some(UNKNOWN) => Ok(Response::new(Bytes::new())),
                Some(health) => Ok(Response::new(vec![8, health].into())),
            }
        })
    }
}

/// A gateway that checks these so.
fn gateway(patients: &[&Patient], health: &str) -> TestGateway {
    let endpoints: Vec<String> = patients.iter().map(|p| format!("'{}'", p.address)).collect();
    let endpoints = endpoints.join(", ");
    TestGateway::start(
        &format!(
            "
            gateway:
              admin: 127.0.0.1:0
            services:
              s: {{ endpoints: [{endpoints}], protocol: h2c, panic: 0%, health: {health} }}
            routes: {{ all: {{ match: /**, to: s }} }}
            "
        ),
        &[],
    )
}

fn unhealthy(gateway: &TestGateway) -> u64 {
    Admin::of(gateway).metric("menshen_service_endpoints{service=\"s\",state=\"unhealthy\"}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_does_not_serve_gets_no_calls_until_it_does() {
    let (a, b) = (Patient::serve(), Patient::serve());
    let gateway = gateway(&[&a, &b], "{ grpc: acme.Orders, every: 100ms, rise: 1, fall: 2 }");
    let caller = Caller::connect(gateway.address()).await;
    for health in [NOT_SERVING, UNKNOWN, SILENT] {
        b.is(health);
        eventually("b gets nothing", || unhealthy(&gateway) == 1);
        let before = b.calls();
        for _ in 0..8 {
            caller.ask("/acme.Orders/List", "").await.unwrap();
        }
        assert_eq!(b.calls(), before, "health {health}");
        b.is(SERVING);
        eventually("b is back", || unhealthy(&gateway) == 0);
    }
    assert!(a.calls() >= 24);
    for _ in 0..16 {
        caller.ask("/acme.Orders/List", "").await.unwrap();
    }
    assert!(b.calls() > 0, "it gets calls again");
}

#[test]
fn the_server_as_a_whole_or_one_of_its_services_is_asked_about() {
    let patient = Patient::serve();
    for (health, expected) in [
        ("{ grpc: '', every: 100ms, start: unhealthy }", 0),
        ("{ grpc: acme.Orders, every: 100ms, start: unhealthy }", 0),
        ("{ grpc: acme.Other, every: 100ms, fall: 1 }", 1),
        ("{ get: /health, every: 100ms, fall: 1, expect: 404 }", 1),
    ] {
        let gateway = gateway(&[&patient], health);
        eventually("the checks say so", || unhealthy(&gateway) == expected);
    }
    patient.asked.lock().unwrap().clear();
    let _gateway = gateway(&[&patient], "grpc");
    eventually("the server is asked about", || patient.asked.lock().unwrap().contains(&String::new()));
}

#[test]
fn checks_by_grpc_are_for_services_that_speak_it() {
    for (service, why) in [
        ("{ endpoints: ['127.0.0.1:1'], health: grpc }", "not spoken over HTTP/1.1"),
        ("{ endpoints: ['127.0.0.1:1'], protocol: h2c, health: { grpc: a.B, get: /x } }", "neither a path"),
        (
            "{ endpoints: ['127.0.0.1:1'], protocol: h2c, health: { grpc: a.B, expect: 200 } }",
            "neither a path",
        ),
    ] {
        let gateway = TestGateway::start("routes: { all: { match: /**, to: 'http://127.0.0.1:1' } }", &[]);
        let document = format!("services: {{ s: {service} }}\nroutes: {{ all: {{ match: /**, to: s }} }}");
        let problems = gateway.reload(&document).unwrap_err();
        assert!(problems.contains(why), "{service}: {problems}");
    }
}
