//! What tests of the drivers share: a worker on this thread, and connections whose other end is in the test.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::net::UnixStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::balance;
use crate::socket::Socket;
use crate::stream::Stream;
use crate::timers::Deadline;
use crate::worker::{Live, Worker};

/// Runs a test as tasks of a worker run, with deadlines that pass.
pub(super) fn on_worker(test: impl AsyncFnOnce(Rc<Live>, Rc<Worker>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let live = balance::tests::live();
        let worker = live.worker().clone();
        let timers = worker.timers.clone();
        tokio::task::spawn_local(async move { timers.run().await });
        test(live, worker).await;
    });
}

/// A connection, and its other end.
pub(super) fn plain() -> (Stream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Stream::new(Socket::Unix(ours)), theirs)
}

/// A connection over TLS whose handshake is done and whose socket takes not a byte more, and its other end, which reads
/// nothing.
pub(super) async fn clogged() -> (Stream, UnixStream) {
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(["test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![own.der().clone()];
    let mut roots = rustls::RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let server = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let client = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let name = "test".try_into().unwrap();
    let accept = TlsAcceptor::from(Arc::new(server)).accept(Socket::Unix(ours));
    let connector = TlsConnector::from(Arc::new(client));
    let (tls, _) = tokio::join!(accept, connector.connect(name, &mut theirs));
    let tls = tls.unwrap();
    // Whatever the socket still takes goes past TLS.
    while tls.get_ref().0.try_write(&[0; 4096]).is_ok() {}
    while tls.get_ref().0.try_write(&[0]).is_ok() {}
    (Stream::tls(tokio_rustls::TlsStream::Server(tls)), theirs)
}

/// Lets the time of a deadline be over.
pub(super) async fn let_pass(deadline: &Deadline) {
    deadline.set_at(Instant::now());
    poll_fn(|cx| deadline.poll(cx)).await;
}

/// Polls once.
pub(super) fn once<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls until it is ready; a test that waits longer than this has found that it never is.
pub(super) async fn soon<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    tokio::time::timeout(Duration::from_secs(10), poll_fn(poll)).await.ok()
}

/// What a panic does to a value on its way.
pub(super) fn panic_with<T>(value: T) {
    let panic = std::panic::AssertUnwindSafe(|| {
        let _held = value;
        panic!("on purpose");
    });
    assert!(std::panic::catch_unwind(panic).is_err());
}
