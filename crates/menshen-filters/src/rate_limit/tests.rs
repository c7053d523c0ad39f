use menshen_proxy::chain::Switch;
use menshen_proxy::stats::StepStats;

use super::*;
use crate::Keep;
use crate::testing::Try;

const SECOND: u64 = 1_000_000_000;

/// How many of these requests pass.
fn passed(filter: &str, requests: impl IntoIterator<Item = (&'static str, String)>) -> usize {
    let keep = Keep::default();
    let held = Try::kept(filter, &keep);
    let pass = |(client, head): (&str, String)| {
        matches!(Try::kept(filter, &keep).request_from(client, &head).pre(), Flow::Continue)
    };
    let passed = requests.into_iter().filter(|r| pass((r.0, r.1.clone()))).count();
    drop(held);
    passed
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// As many requests as there are fields.
fn with_fields(fields: &[&str]) -> Vec<(&'static str, String)> {
    fields.iter().map(|f| ("192.0.2.1", get("/", &format!("{f}\r\n")))).collect()
}

fn to(targets: &[&str]) -> Vec<(&'static str, String)> {
    targets.iter().map(|t| ("192.0.2.1", get(t, ""))).collect()
}

fn from(clients: &[&'static str]) -> Vec<(&'static str, String)> {
    clients.iter().map(|c| (*c, get("/", ""))).collect()
}

#[test]
fn a_limit_lets_its_number_pass_and_tells_the_others_when_to_come_back() {
    let keep = Keep::default();
    let limit = "rate-limit: 2/m per ip";
    let mut first = Try::kept(limit, &keep).get("/").pass();
    first.reply(Reply::new(200));
    assert_eq!(first.field("ratelimit-policy").unwrap(), "\"2/m per ip\";q=2;w=60");
    assert_eq!(first.field("ratelimit").unwrap(), "\"2/m per ip\";r=1;t=30");
    Try::kept(limit, &keep).get("/").pass();
    let mut third = Try::kept(limit, &keep).get("/");
    let failure = third.refusal();
    assert_eq!(failure, Failure::RateLimited { retry_after: 30 });
    let reply = Reply::of_failure(failure, third.exchange());
    third.reply(reply);
    assert_eq!((third.status(), third.field("retry-after").unwrap()), (429, "30".into()));
    assert_eq!(third.field("ratelimit").unwrap(), "\"2/m per ip\";r=0;t=60");
}

#[test]
fn addresses_are_counted_apart_but_not_within_a_64_bit_network() {
    assert_eq!(passed("rate-limit: 1/day per ip", from(&["192.0.2.1", "192.0.2.2", "192.0.2.1"])), 2);
    let v6 = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1", "::ffff:192.0.2.1", "192.0.2.1"];
    assert_eq!(passed("rate-limit: 1/day per ip", from(&v6)), 3);
    assert_eq!(passed("rate-limit: 1/day per ip/128", from(&v6)), 4);
    assert_eq!(passed("rate-limit: 1/day per ip/48", from(&v6)), 2);
}

#[test]
fn forwarded_addresses_of_strangers_change_nothing() {
    let spoofed =
        ["X-Forwarded-For: 1.1.1.1", "X-Real-IP: 2.2.2.2", "Forwarded: for=3.3.3.3", "X-Forwarded-For: ::1"];
    assert_eq!(passed("rate-limit: 1/day per ip", with_fields(&spoofed)), 1);
}

#[test]
fn requests_without_one_clear_key_share_one_limit() {
    let keys = [
        "X-Key: a",
        "x-key: a",
        "X-Key: b",
        "X-Key:",
        "X-Other: a",
        "X-Key: a\r\nX-Key: c",
        "X-Key: d\r\nX-Key: a",
    ];
    assert_eq!(passed("rate-limit: 1/day per header:x-key", with_fields(&keys)), 3);
    let cookies =
        ["Cookie: s=1", "Cookie: a=b; s=1", "Cookie: s=2", "Cookie: s=", "Cookie: s=1; s=3", "A: b"];
    assert_eq!(passed("rate-limit: 1/day per cookie:s", with_fields(&cookies)), 3);
    let queries = [
        "/?k=a",
        "/?k=%61",
        "/?%6b=a",
        "/?x=1&k=a",
        "/?k=b",
        "/",
        "/?k=",
        "/?k=a&k=c",
        "/?k=c+d",
        "/?k=c%20d",
    ];
    assert_eq!(passed("rate-limit: 1/day per query:k", to(&queries)), 4);
}

#[test]
fn other_spellings_of_a_path_and_other_methods_are_no_way_around() {
    let mut requests = to(&["/a", "/a/", "/A", "/%61", "//a", "/a?x", "/./a"]);
    requests.push(("192.0.2.9", "POST /a HTTP/1.1\r\nHost: a\r\n\r\n".into()));
    assert_eq!(passed("rate-limit: 1/day", requests), 1);
}

#[test]
fn several_things_make_one_key() {
    let requests =
        || with_fields(&["K: a", "K: b", "K: a"]).into_iter().chain([("192.0.2.2", get("/", "K: a\r\n"))]);
    assert_eq!(passed("rate-limit: 1/day per ip and header:k", requests()), 3);
    assert_eq!(passed("rate-limit: { limit: 1/day, per: ip }", requests()), 2);
}

#[test]
fn a_request_may_cost_more_than_one() {
    assert_eq!(passed("rate-limit: { limit: 10/day, cost: 4 }", to(&["/"; 9])), 2);
    assert_eq!(passed("rate-limit: 10/day burst 3", to(&["/"; 9])), 3);
}

#[test]
fn two_limits_of_a_route_are_both_told() {
    let mut t = Try::filter("- rate-limit: 5/s per ip\n- rate-limit: 100/day per ip").get("/").pass();
    let mut reply = Reply::new(200);
    reply.head.fields.append_named(b"RateLimit", b"\"svc\";r=3");
    t.reply(reply);
    let told = t.field("ratelimit").unwrap();
    assert_eq!(told, "\"svc\";r=3, \"100/d per ip\";r=99;t=864, \"5/s per ip\";r=4;t=1");
    let mut hidden = Try::filter("rate-limit: { limit: 5/s, headers: hidden }").get("/").pass();
    assert_eq!(hidden.reply(Reply::new(200)).field("ratelimit"), None);
}

/// Builds the filter as a reload does.
fn built(limit: &str, keep: &Keep) -> RateLimit {
    let mut problems = menshen_config::Problems::new();
    let phrase = limit.to_owned().try_into().unwrap();
    let config =
        Config { limit: phrase, burst: None, per: None, cost: 1, keys: 64, headers: Headers::Hidden };
    let mut setup = Setup {
        problems: &mut problems,
        at: Default::default(),
        path: menshen_config::Path::from("routes.a.filters[0].rate-limit"),
        place: "routes.a.filters.rate-limit[1]",
        variables: None,
        services: &|_| None,
        files: &|_| Err(String::new()),
        keep,
        workers: 1,
    };
    let stats = Arc::new(StepStats::new(1));
    let step = Step::new("rate-limit", "a.rate-limit".into(), Arc::new(Switch::default()), stats);
    RateLimit::new(config, &mut setup, &step).unwrap()
}

fn admitted(filter: &RateLimit, seconds: u64, tries: usize) -> usize {
    (0..tries).filter(|_| matches!(filter.take(7, seconds * SECOND).0, Verdict::Admitted { .. })).count()
}

#[test]
fn a_reload_refills_nothing() {
    let keep = Keep::default();
    let first = built("10/day", &keep);
    assert_eq!(admitted(&first, 0, 7), 7);
    assert_eq!(admitted(&built("10/day", &keep), 0, 9), 3);
}

#[test]
fn after_a_reset_nobody_owes_anything() {
    let keep = Keep::default();
    let filter = built("10/day", &keep);
    assert_eq!(admitted(&filter, 0, 20), 10);
    keep.reset();
    assert_eq!(admitted(&filter, 0, 20), 10);
}

#[test]
fn callers_that_were_forgotten_too_early_are_counted() {
    let keep = Keep::default();
    let filter = built("1/day", &keep);
    let callers = (0..1_000).map(|caller: u64| caller << 44);
    let admitted = callers.filter(|key| matches!(filter.take(*key, 0).0, Verdict::Admitted { .. })).count();
    assert!(admitted > 8, "new callers get at least one request");
    let evictions = keep.evictions();
    assert_eq!(evictions.get("a.rate-limit").copied(), u64::try_from(admitted - 8).ok());
}

#[test]
fn an_edited_limit_counts_what_was_used_before() {
    let keep = Keep::default();
    let hundred = built("100/day", &keep);
    assert_eq!(admitted(&hundred, 0, 200), 100);
    let thousand = built("1000/day", &keep);
    assert_eq!(admitted(&hundred, 1, 5), 0, "a generation that nobody uses yet changes nothing");
    assert_eq!(admitted(&thousand, 2, 2000), 900);
    let ten = built("10/day", &keep);
    assert_eq!(admitted(&ten, 3, 5), 0);
    assert_eq!(
        admitted(&thousand, 8_650, 5),
        1,
        "an exchange of an older generation follows the newest terms"
    );
    assert_eq!(admitted(&ten, 17_300, 5), 1);
}

#[test]
fn edits_under_way_on_several_threads_admit_no_more_than_the_limit() {
    let keep = Keep::default();
    let first = built("1000/day", &keep);
    let admitted: usize = std::thread::scope(|scope| {
        let one = |_| {
            scope.spawn(|| {
                (0..50)
                    .map(|i| {
                        admitted(&built(if i % 2 == 0 { "1000/week" } else { "1000/day" }, &keep), 0, 20)
                    })
                    .sum()
            })
        };
        let threads: Vec<std::thread::ScopedJoinHandle<'_, usize>> = (0..4).map(one).collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(admitted + super::tests::admitted(&first, 0, 10), 1000);
}

#[test]
fn wrong_limits_are_refused_with_a_reason() {
    for (yaml, message) in [
        ("rate-limit: 100", "a rate needs a time; write `100/s` or `100/m`"),
        ("rate-limit", "missing `limit`"),
        ("rate-limit: 2000000/s", "a limit can be at most 1000000 requests per second"),
        ("rate-limit: 5/s burst 0", "a burst is 1 to 1000000000 requests, not 0"),
        (
            "rate-limit: { limit: 5/s, burst: 9000000000000000000, cost: 8000000000000000000 }",
            "a burst is 1 to",
        ),
        ("rate-limit: { limit: 5/s, cost: 6 }", "a request must cost 1 to 5, which is the burst, not 6"),
        ("rate-limit: { limit: 5/s, cost: 0 }", "a request must cost 1 to 5, which is the burst, not 0"),
        ("rate-limit: { limit: 5/s burst 2, burst: 3 }", "`burst` is given here and in `limit`"),
        ("rate-limit: { limit: 5/s per ip, per: route }", "`per` is given here and in `limit`"),
        ("rate-limit: { limit: 5/s, keys: 0 }", "there can be room for 1 to 16777216 callers, not 0"),
        ("rate-limit: { limit: 5/s, bursts: 3 }", "unknown key `bursts`"),
        ("rate-limit: 5/s per consumer", "requests cannot be counted per `consumer`"),
    ] {
        let problems = Try::problems(yaml);
        assert!(problems.contains(message), "{yaml}: {problems}");
    }
}
