//! Tests of choices: who gets how many, and who gets none.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Balance, Key, Method, Settings, Sticky};
use crate::chain::Chain;
use crate::endpoint::{Endpoint, EndpointAddress, EndpointState, HttpVersion};
use crate::health::{Eject, ErrorShare, Health, Outcome, ServiceHealth};
use crate::service::Service;
use crate::snapshot::HostPolicy;
use crate::stats::ServiceStats;
use crate::worker::Live;
use crate::{Client, Exchange, Failure, Presence, Reply};

const SECOND: u64 = 1_000_000;

/// A gateway without a network.
pub(crate) fn live() -> Rc<Live> {
    Live::alone(Chain::new(Vec::new(), 0))
}

/// An endpoint where nobody is.
pub(crate) fn endpoint() -> Arc<Endpoint> {
    Try::of(Method::RoundRobin, 1).service.endpoints[0].clone()
}

/// A service with endpoints of these weights and priorities.
struct Try {
    service: Service,
    live: Rc<Live>,
    now: u64,
}

impl Try {
    fn new(settings: Settings, endpoints: &[(u16, u8, &str)]) -> Self {
        let state = Arc::new(ServiceHealth::default());
        let endpoints: Vec<Arc<Endpoint>> = endpoints
            .iter()
            .zip(0u32..)
            .map(|((weight, priority, zone), i)| {
                Arc::new(Endpoint {
                    id: i + 1,
                    authority: format!("10.0.{}.{}:80", i / 250, i % 250).into(),
                    address: EndpointAddress::Tcp(([10, 0, (i / 250) as u8, (i % 250) as u8], 80).into()),
                    weight: *weight,
                    priority: *priority,
                    zone: (!zone.is_empty()).then(|| (*zone).into()),
                    tls: None,
                    version: HttpVersion::Http1,
                    introduction: None,
                    state: Arc::new(EndpointState::new(1, Health::new(state.clone(), 0))),
                    presence: Presence::default(),
                })
            })
            .collect();
        let service = Service {
            name: "test".into(),
            balance: Balance::new(settings, &endpoints, state, 1),
            endpoints: endpoints.into(),
            base: Box::default(),
            host: HostPolicy::default(),
            idle_connections: 1,
            warm_connections: 0,
            idle_timeout: Duration::from_secs(1),
            max_age: Duration::from_secs(1),
            breaker: None,
            concurrency: None,
            hedge: None,
            stats: Arc::new(ServiceStats::new(1)),
            state: Arc::new(crate::ServiceState::new(1)),
        };
        Self { service, live: live(), now: 100 * SECOND }
    }

    /// So many equal endpoints.
    fn of(method: Method, n: usize) -> Self {
        Self::new(with(method), &vec![(1, 0, ""); n])
    }

    fn endpoint(&self, i: usize) -> &Endpoint {
        &self.service.endpoints[i]
    }

    fn pick(&self) -> Option<usize> {
        self.pick_for(None, &[])
    }

    fn pick_for(&self, exchange: Option<&Exchange>, failed: &[u32]) -> Option<usize> {
        self.service.pick_at(self.now, &self.live, exchange, failed).map(|e| e.id as usize - 1)
    }

    /// Who gets how many of so many requests.
    fn shares(&self, n: usize) -> Vec<usize> {
        let mut shares = vec![0; self.service.endpoints.len()];
        (0..n).filter_map(|_| self.pick()).for_each(|i| shares[i] += 1);
        shares
    }

    fn down(&self, i: usize) {
        self.endpoint(i).state.health.set_checked(false, self.now);
    }

    fn fails(&self, i: usize, times: usize) {
        for _ in 0..times {
            let failed = Outcome::Failed(Failure::ConnectFailed);
            self.service.observe_at(self.now, 0, self.endpoint(i), failed, 100);
        }
    }

    fn answers(&self, i: usize, status: u16, micros: u64) {
        self.service.observe_at(self.now, 0, self.endpoint(i), Outcome::Answered(status), micros);
    }

    fn under_way(&self, i: usize, n: u64) {
        self.endpoint(i).state.in_flight.of(0).unwrap().set(n);
    }

    fn request(&self, head: &str) -> Exchange {
        let mut exchange = Exchange::new(self.live.clone());
        let head = format!("{head}\r\nHost: a.example\r\n\r\n");
        exchange.take_request(head.as_bytes(), Client::default()).unwrap();
        exchange
    }
}

fn with(method: Method) -> Settings {
    Settings { method, panic: 0.5, eject: Some(Eject::default()), ..Settings::default() }
}

fn all_methods() -> Vec<Method> {
    vec![
        Method::RoundRobin,
        Method::Random,
        Method::LeastRequests { choices: 2 },
        Method::PeakEwma,
        Method::RingHash(Key::Client),
        Method::Maglev(Key::Client),
        Method::WeightedResponseTime,
        Method::AvailabilityFiltering { requests: 100 },
        Method::ZoneAware { own: None },
    ]
}

fn roughly(shares: &[usize], wanted: &[usize]) -> bool {
    shares.iter().zip(wanted).all(|(is, wanted)| is.abs_diff(*wanted) <= wanted / 4 + 20)
}

#[test]
fn every_method_gives_equal_endpoints_about_equally_many() {
    for method in all_methods() {
        let shares = Try::of(method.clone(), 5).shares(10_000);
        assert!(roughly(&shares, &[2000; 5]), "{method:?}: {shares:?}");
    }
}

#[test]
fn every_method_goes_by_weight() {
    for method in all_methods() {
        let t = Try::new(with(method.clone()), &[(3, 0, ""), (1, 0, ""), (0, 0, "")]);
        let shares = t.shares(8_000);
        assert!(roughly(&shares, &[6000, 2000, 0]) && shares[2] == 0, "{method:?}: {shares:?}");
    }
}

#[test]
fn no_method_sends_anything_to_an_endpoint_that_is_not_well() {
    for method in all_methods() {
        let t = Try::of(method.clone(), 5);
        t.down(1);
        t.down(3);
        t.service.balance.refresh();
        let shares = t.shares(3_000);
        assert_eq!((shares[1], shares[3]), (0, 0), "{method:?}: {shares:?}");
        assert!(shares.iter().all(|n| *n == 0 || *n > 500), "{method:?}: {shares:?}");
    }
}

#[test]
fn another_attempt_goes_to_another_endpoint_while_there_is_one() {
    for method in all_methods() {
        let t = Try::of(method.clone(), 3);
        for _ in 0..100 {
            assert_eq!(t.pick_for(None, &[1, 3]), Some(1), "{method:?}");
            assert!(t.pick_for(None, &[1, 2, 3]).is_some(), "{method:?}");
        }
    }
}

#[test]
fn when_few_are_well_all_get_requests_and_without_panic_only_those() {
    let t = Try::of(Method::RoundRobin, 4);
    (0..3).for_each(|i| t.down(i));
    assert_eq!(t.shares(400), [100; 4]);
    let calm = Settings { panic: 0.0, ..with(Method::RoundRobin) };
    let t = Try::new(calm, &[(1, 0, ""); 4]);
    (0..3).for_each(|i| t.down(i));
    assert_eq!(t.shares(400), [0, 0, 0, 400]);
    t.down(3);
    assert_eq!(t.pick(), None);
    assert_eq!(t.service.nobody(), Failure::NoHealthyEndpoint);
    t.endpoint(2).state.health.set_checked(true, t.now);
    assert_eq!(t.pick(), Some(2));
}

#[test]
fn the_next_priority_helps_when_too_few_of_the_first_are_well() {
    let t = Try::new(with(Method::RoundRobin), &[(1, 0, ""), (1, 0, ""), (1, 7, ""), (1, 7, "")]);
    assert_eq!(t.shares(100), [50, 50, 0, 0]);
    t.down(0);
    assert_eq!(t.shares(100), [0, 100, 0, 0]);
    t.down(1);
    assert_eq!(t.shares(100), [0, 0, 50, 50]);
    t.down(2);
    t.down(3);
    assert_eq!(t.shares(100), [50, 50, 0, 0], "nobody is well: as if all were");
    t.endpoint(3).state.health.set_checked(true, t.now);
    assert_eq!(t.shares(100), [0, 0, 0, 100], "half of the second is better than nothing of the first");
}

#[test]
fn what_nobody_can_connect_to_is_ejected_longer_each_time_and_comes_back_by_one_trial() {
    let mut t = Try::of(Method::RoundRobin, 4);
    t.fails(1, 4);
    t.answers(1, 200, 100);
    t.fails(1, 4);
    assert!(t.endpoint(1).state.health.is_available(), "not five in a row");
    t.fails(1, 1);
    assert_eq!(t.shares(300), [100, 0, 100, 100]);
    t.now += 5 * SECOND;
    let shares = t.shares(300);
    assert_eq!(shares[1], 1, "one trial, not a herd: {shares:?}");
    t.fails(1, 1);
    t.now += 9 * SECOND;
    assert_eq!(t.shares(300)[1], 0, "longer than the first time");
    t.now += SECOND;
    assert_eq!(t.shares(300)[1], 1);
    t.answers(1, 200, 100);
    assert_eq!(t.shares(400), [100; 4]);
}

#[test]
fn a_trial_that_nobody_reports_of_is_made_again() {
    let mut t = Try::of(Method::RoundRobin, 2);
    t.fails(0, 5);
    t.now += 5 * SECOND;
    assert_eq!(t.shares(100)[0], 1);
    t.now += SECOND;
    assert_eq!(t.shares(100)[0], 1);
}

#[test]
fn only_so_many_are_ejected_at_once() {
    for (n, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (10, 5)] {
        let t = Try::of(Method::RoundRobin, n);
        (0..n).for_each(|i| t.fails(i, 20));
        let ejected = (0..n).filter(|i| !t.endpoint(*i).state.health.is_available()).count();
        assert_eq!(ejected, most, "of {n}");
    }
}

#[test]
fn statuses_slow_answers_and_shares_of_failures_eject() {
    let eject = Eject {
        failures: 3,
        only_connecting: false,
        statuses: 1 << 3,
        slower_than: SECOND,
        error_share: Some(ErrorShare { share: 0.5, of: 10, within: 10 * SECOND }),
        ..Eject::default()
    };
    let settings = || Settings { eject: Some(eject.clone()), ..with(Method::RoundRobin) };
    let t = Try::new(settings(), &[(1, 0, ""); 8]);
    let is_in = |i: usize| t.endpoint(i).state.health.is_available();
    (0..3).for_each(|_| t.answers(0, 503, 10));
    (0..9).for_each(|_| t.answers(1, 500, 10));
    (0..3).for_each(|_| t.answers(2, 200, 2 * SECOND));
    (0..6).for_each(|i| t.answers(3, if i % 2 == 0 { 200 } else { 503 }, 10));
    assert_eq!((is_in(0), is_in(1), is_in(2), is_in(3)), (false, true, false, true));
    (0..6).for_each(|i| t.answers(3, if i % 2 == 0 { 200 } else { 503 }, 10));
    assert!(!is_in(3), "half of ten");
    let client_gone = Outcome::Failed(Failure::ClientGone);
    (0..9).for_each(|_| t.service.observe_at(t.now, 0, t.endpoint(4), client_gone, 10));
    assert!(is_in(4), "it has nothing to do with the endpoint");
}

#[test]
fn the_same_key_goes_to_the_same_endpoint_and_only_the_keys_of_a_lost_one_move() {
    for method in
        [Method::RingHash(Key::Header("x-user".into())), Method::Maglev(Key::Header("x-user".into()))]
    {
        let t = Try::of(method.clone(), 10);
        let ask =
            |user: u32| t.pick_for(Some(&t.request(&format!("GET / HTTP/1.1\r\nX-User: u{user}"))), &[]);
        let before: Vec<_> = (0..500).map(ask).collect();
        assert_eq!(before, (0..500).map(ask).collect::<Vec<_>>());
        t.down(4);
        let after: Vec<_> = (0..500).map(ask).collect();
        assert!(before.iter().zip(&after).all(|(b, a)| *b == Some(4) || a == b), "{method:?}");
        let mut heirs: Vec<_> =
            before.iter().zip(&after).filter(|(b, _)| **b == Some(4)).map(|(_, a)| a).collect();
        heirs.sort();
        heirs.dedup();
        assert!(heirs.len() > 4, "one alone would be overrun: {heirs:?}");
    }
}

#[test]
fn keys_are_found_in_every_part_of_a_request() {
    use crate::template::Template;
    let keys = [
        Key::Header("x-user".into()),
        Key::Cookie("s".into()),
        Key::Query("id".into()),
        Key::Path,
        Key::Template(Template::parse("{path}-{header:x-user}", None).unwrap()),
    ];
    for key in keys {
        let t = Try::of(Method::RingHash(key.clone()), 2);
        let hash = |n: u32| {
            key.hash(&t.request(&format!("GET /{n}?id={n} HTTP/1.1\r\nX-User: {n}\r\nCookie: a=b; s={n}")))
        };
        assert!(hash(1).is_some() && hash(1) == hash(1) && hash(1) != hash(2), "{key:?}");
    }
    assert_eq!(Key::Cookie("s".into()).hash(&Try::of(Method::Random, 1).request("GET / HTTP/1.1")), None);
}

#[test]
fn busy_and_slow_endpoints_get_less() {
    let t = Try::of(Method::LeastRequests { choices: 2 }, 5);
    t.under_way(0, 9);
    assert_eq!(t.shares(1000)[0], 0);
    let t = Try::of(Method::PeakEwma, 5);
    (0..5).for_each(|i| t.answers(i, 200, if i == 0 { 10_000 } else { 1_000 }));
    assert_eq!(t.shares(1000)[0], 0);
    (1..5).for_each(|i| t.under_way(i, 20));
    assert!(t.shares(1000)[0] > 300, "better the slow one than a queue");
    let t = Try::of(Method::AvailabilityFiltering { requests: 5 }, 3);
    t.under_way(1, 5);
    assert_eq!(t.shares(300)[1], 0);
    (0..3).for_each(|i| t.under_way(i, 5));
    assert_eq!(t.shares(300).iter().sum::<usize>(), 300, "all are busy: whose turn it is");
}

#[test]
fn weights_of_response_times_are_reckoned_from_what_was_seen() {
    let t = Try::of(Method::WeightedResponseTime, 3);
    t.answers(0, 200, 1_000);
    t.answers(1, 200, 1_000);
    t.service.balance.refresh();
    assert!(roughly(&t.shares(3000), &[1000; 3]), "the third is not known yet");
    t.answers(2, 200, 8_000);
    t.service.balance.refresh();
    // 10 ms in sum: weights are 9, 9 and 2.
    assert!(roughly(&t.shares(10_000), &[4500, 4500, 1000]));
}

#[test]
fn requests_stay_in_the_zone_until_it_is_not_well() {
    let zoned = [(1, 0, "a"), (1, 0, "a"), (1, 0, "b"), (1, 0, "b")];
    let t = Try::new(with(Method::ZoneAware { own: Some("A".into()) }), &zoned);
    assert_eq!(t.shares(100)[2..], [0, 0]);
    t.down(0);
    t.down(1);
    t.service.balance.refresh();
    assert_eq!(t.shares(100)[..2], [0, 0]);
}

#[test]
fn an_endpoint_that_is_back_gets_less_at_first() {
    let settings = Settings { slow_start: Duration::from_secs(10), ..with(Method::Random) };
    let mut t = Try::new(settings, &[(1, 0, ""); 4]);
    t.down(0);
    t.endpoint(0).state.health.set_checked(true, t.now);
    let first = t.shares(4000)[0];
    assert!((40..300).contains(&first), "{first}");
    t.now += 5 * SECOND;
    let half = t.shares(4000)[0];
    assert!((450..750).contains(&half), "{half}");
    t.now += 5 * SECOND;
    assert!(roughly(&t.shares(4000), &[1000; 4]));
}

#[test]
fn a_client_stays_with_its_endpoint_by_a_cookie_while_that_is_well() {
    let sticky = Sticky { cookie: "where".into(), ttl: Some(Duration::from_secs(60)) };
    let settings = Settings { sticky: Some(sticky.clone()), ..with(Method::RoundRobin) };
    let t = Try::new(settings, &[(1, 0, ""); 4]);
    let first = t.request("GET / HTTP/1.1");
    let at = t.pick_for(Some(&first), &[]).unwrap();
    let mut reply = Reply::new(200);
    sticky.mark(&first, t.endpoint(at), &mut reply);
    let given = reply.head.fields.get_named(b"set-cookie").unwrap();
    let given = String::from_utf8(given.to_vec()).unwrap();
    let (cookie, attributes) = given.split_once(';').unwrap();
    assert_eq!(attributes, " Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
    assert!(!given.contains("10.0."), "not the address");

    let next = t.request(&format!("GET / HTTP/1.1\r\nCookie: a=b; {cookie}"));
    assert!((0..20).all(|_| t.pick_for(Some(&next), &[]) == Some(at)));
    let mut reply = Reply::new(200);
    sticky.mark(&next, t.endpoint(at), &mut reply);
    assert!(reply.head.fields.is_empty(), "it has it already");
    t.down(at);
    assert!((0..20).all(|_| t.pick_for(Some(&next), &[]) != Some(at)));
    let forged = t.request("GET / HTTP/1.1\r\nCookie: where=00000000000000zz");
    assert!(t.pick_for(Some(&forged), &[]).is_some());
}

/// `cargo test --release -p menshen-proxy -- --ignored --nocapture nanoseconds` prints what a choice costs.
#[test]
#[ignore = "a measurement"]
fn nanoseconds_of_a_choice_among_a_hundred() {
    const N: u32 = 1_000_000;
    for method in all_methods() {
        for ill in [0, 10] {
            let t = Try::of(method.clone(), 100);
            (0..100).for_each(|i| t.answers(i, 200, 1_000 + i as u64));
            (0..ill).for_each(|i| t.down(i * 10));
            t.service.balance.refresh();
            let exchange = t.request("GET / HTTP/1.1");
            let started = Instant::now();
            for _ in 0..N {
                std::hint::black_box(t.service.pick(&t.live, Some(&exchange), &[]));
            }
            let nanos = started.elapsed().as_nanos() / u128::from(N);
            println!("{nanos:>5} ns with {ill:>2} of 100 not well: {method:?}");
        }
    }
}
