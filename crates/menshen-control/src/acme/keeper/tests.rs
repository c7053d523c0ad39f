use rustls::RootCertStore;

use super::*;
use crate::acme::certificate::tests::made;
use crate::acme::plan::Proof;
use crate::store::Opened;
use crate::store::memory::Memory;

/// Nobody listens there, so that an attempt to get a certificate can be told by its failure.
const NOWHERE: &str = "https://127.0.0.1:1/dir";

fn plan(names: &[&str]) -> Arc<Plan> {
    Arc::new(Plan {
        directory: NOWHERE.into(),
        email: None,
        roots: Arc::new(RootCertStore::empty()),
        proof: Proof::Http01,
        renew: None,
        account: None,
        wanted: vec![Names::new(names.iter().copied())],
    })
}

/// A node that shares this store with others.
fn node(store: &Arc<dyn Store>) -> (Keeper, mpsc::Receiver<Change>) {
    let mut ground = Ground::new(1);
    ground.store = Opened::with(store.clone());
    let shared = Shared {
        ground: Arc::new(ground),
        status: Default::default(),
        log: Default::default(),
        services: Default::default(),
    };
    let (changes, changed) = mpsc::channel(4);
    (Keeper::new(Arc::new(shared), changes), changed)
}

fn round(keeper: &mut Keeper, plan: &Arc<Plan>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_sender, plans) = watch::channel(None);
    runtime.block_on(keeper.round(plan, &plans));
}

fn lease_of(holder: &str) -> Lease {
    Lease::new(LEASE, holder, Duration::from_secs(60))
}

#[test]
fn a_node_that_does_not_lead_picks_up_what_the_leader_has_stored_and_orders_nothing() {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    lease_of("leader").take(&*store, now()).unwrap();
    let (certificate, bytes) = made(NOWHERE, &["a.example"], now() - 10..now() + 1_000);
    store.write(&Certificate::key_of(NOWHERE, &certificate.names), Some(&bytes)).unwrap();
    let (mut follower, mut changed) = node(&store);
    round(&mut follower, &plan(&["b.example"]));
    assert!(follower.acme().shelf.exact(NOWHERE, &certificate.names).is_some());
    assert!(matches!(changed.try_recv(), Ok(Change::Certificates)));
    let progress = follower.acme().progress();
    assert_eq!(progress.leader.as_deref(), Some("leader"));
    assert_eq!(progress.standings[&Names::new(["b.example"])].state(), "pending");
}

#[test]
fn a_node_takes_over_when_the_leader_is_not_heard_of_any_more() {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    lease_of("leader").take(&*store, now() - 61).unwrap();
    let (mut next, _changed) = node(&store);
    round(&mut next, &plan(&["a.example"]));
    let progress = next.acme().progress();
    let standing = &progress.standings[&Names::new(["a.example"])];
    assert_eq!((progress.leader.as_deref(), standing.state(), standing.failures), (None, "failing", 1));
    assert!(standing.problem.as_ref().unwrap().contains("127.0.0.1:1/dir"), "{standing:?}");
}

#[test]
fn of_two_nodes_one_orders_and_after_it_has_let_go_the_other() {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    let plan = plan(&["a.example"]);
    let ((mut first, _a), (mut second, _b)) = (node(&store), node(&store));
    round(&mut first, &plan);
    round(&mut second, &plan);
    let failures = |k: &Keeper| k.acme().progress().standings[&plan.wanted[0]].failures;
    assert_eq!((failures(&first), failures(&second)), (1, 0));
    let_go(&first.board.shared.ground);
    round(&mut second, &plan);
    assert_eq!(failures(&second), 1);
}

#[test]
fn what_failed_is_not_tried_again_before_its_time_unless_something_else_is_wanted() {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    let (mut keeper, _changed) = node(&store);
    let first = plan(&["a.example"]);
    round(&mut keeper, &first);
    round(&mut keeper, &first);
    let names = Names::new(["a.example"]);
    assert_eq!(keeper.acme().progress().standings[&names].failed, 1);
    round(&mut keeper, &plan(&["a.example"]));
    assert_eq!(keeper.acme().progress().standings[&names].failed, 2);
    round(&mut keeper, &plan(&["b.example"]));
    assert!(!keeper.acme().progress().standings.contains_key(&names));
}

#[test]
fn a_certificate_that_lasts_is_left_alone() {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    let (certificate, bytes) = made(NOWHERE, &["a.example"], now() - 10..now() + 100_000);
    store.write(&Certificate::key_of(NOWHERE, &certificate.names), Some(&bytes)).unwrap();
    let (mut keeper, _changed) = node(&store);
    round(&mut keeper, &plan(&["a.example"]));
    let progress = keeper.acme().progress();
    assert_eq!(progress.standings[&certificate.names].state(), "valid");
}
