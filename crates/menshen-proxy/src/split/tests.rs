//! Tests of splits: how many are in a group, and that they stay there.

use std::rc::Rc;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::Client;
use crate::balance::tests::live;
use crate::condition::{NamedTest, ValueTest};

fn group(name: &str, share: Share, when: Option<Condition>) -> Group {
    let stats = Arc::new(GroupStats::new(1));
    let (service, base, host) = (ServiceId(0), Box::default(), HostPolicy::default());
    Group { name: name.into(), service, base, host, when, share, stats }
}

fn fixed(start: u32, width: u32) -> Share {
    Share::Fixed { start, width }
}

fn split(by: SplitBy, groups: Vec<Group>) -> Split {
    Split::new("shop", by, groups, Action::NotFound)
}

fn by_header(groups: Vec<Group>) -> Split {
    split(SplitBy::Header("x-user".into()), groups)
}

fn request(live: &Rc<Live>, fields: &str, client: &str) -> Exchange {
    let mut exchange = Exchange::new(live.clone());
    let client = Client::direct(
        (client.parse::<std::net::IpAddr>().unwrap(), 1).into(),
        ([127, 0, 0, 1], 2).into(),
        crate::Scheme::Http,
    );
    exchange.take_request(format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n").as_bytes(), client).unwrap();
    exchange
}

fn name(choice: &Choice) -> Option<&str> {
    choice.group.as_ref().map(|group| &*group.name)
}

fn has(field: &str) -> Option<Condition> {
    let tests = [NamedTest { name: field.into(), test: ValueTest::Present }];
    Some(Condition { headers: tests.into(), ..Condition::default() })
}

/// How many of a hundred thousand keys are in a share.
fn hits(split: &Split, share: &Share) -> usize {
    (0..100_000)
        .filter(|user| share.takes(split.position(hash::of(format!("user-{user}").as_bytes()))))
        .count()
}

#[test]
fn a_share_is_hit_over_a_hundred_thousand_keys() {
    let split = by_header(Vec::new());
    for (start, width) in [(0, 10_000), (10_000, 50_000), (500_000, 333_333), (0, WHOLE), (999_000, 1_000)] {
        let (hits, wanted) = (hits(&split, &fixed(start, width)) as f64, f64::from(width) / 10.0);
        // Five standard deviations.
        let tolerance = 5.0 * (wanted * (1.0 - f64::from(width) / 1e6)).sqrt();
        assert!((hits - wanted).abs() <= tolerance, "{start}+{width}: {hits}");
    }
}

#[test]
fn other_routes_try_new_things_on_other_people() {
    let other = Split::new("cart", SplitBy::Client, Vec::new(), Action::NotFound);
    let (split, share) = (by_header(Vec::new()), fixed(0, 100_000));
    let both = (0..10_000_u64).filter(|key| {
        share.takes(split.position(hash::of(&key.to_be_bytes())))
            && share.takes(other.position(hash::of(&key.to_be_bytes())))
    });
    assert!((50..200).contains(&both.count()), "a tenth of a tenth");
}

proptest! {
    #[test]
    fn a_growing_share_moves_nobody_out_of_a_group(
        ends in proptest::collection::vec(1..=WHOLE / 4, 1..=4),
        before in proptest::collection::vec(0.0..=1.0_f64, 4),
        after in proptest::collection::vec(0.0..=1.0_f64, 4),
        users in proptest::collection::vec("[a-z0-9]{1,12}", 50),
    ) {
        let live = live();
        let rollouts: Vec<_> = ends.iter().map(|_| Arc::new(Rollout::new(0, Stage::Growing))).collect();
        let mut start = 0;
        let groups = ends.iter().zip(&rollouts).map(|(end, rollout)| {
            let share = Share::Rollout { start, rollout: rollout.clone() };
            start += end;
            group(&start.to_string(), share, None)
        });
        let split = by_header(groups.collect());
        let grow = |at: &dyn Fn(usize) -> f64| {
            for (i, (end, rollout)) in ends.iter().zip(&rollouts).enumerate() {
                rollout.set((f64::from(*end) * at(i)) as u32, Stage::Growing);
            }
        };
        let of = |user: &String| split.choose(&request(&live, &format!("X-User: {user}\r\n"), "192.0.2.1")).group.map(|g| g.name.clone());
        grow(&|i| before[i].min(after[i]));
        let earlier: Vec<_> = users.iter().map(of).collect();
        grow(&|i| before[i].max(after[i]));
        for (user, group) in users.iter().zip(earlier).filter(|(_, group)| group.is_some()) {
            prop_assert_eq!(of(user), group);
        }
    }

    #[test]
    fn a_key_is_in_one_slice_at_most(place in 0..WHOLE, ends in proptest::collection::vec(1..=WHOLE / 4, 1..=4)) {
        let mut start = 0;
        let slices = ends.iter().map(|end| {
            start += end;
            fixed(start - end, *end)
        });
        prop_assert!(slices.filter(|slice| slice.takes(place)).count() <= 1);
    }
}

#[test]
fn whom_a_condition_alone_picks_is_picked_before_shares_wherever_it_stands() {
    let live = live();
    let all = group("canary", fixed(0, WHOLE), None);
    let split = by_header(vec![all, group("beta", Share::All, has("x-beta"))]);
    let beta = split.choose(&request(&live, "X-User: 1\r\nX-Beta: yes\r\n", "192.0.2.1"));
    assert_eq!((name(&beta), beta.why), (Some("beta"), Why::Condition));
    let other = split.choose(&request(&live, "X-User: 1\r\n", "192.0.2.1"));
    assert_eq!((name(&other), other.why), (Some("canary"), Why::Key));
}

#[test]
fn a_share_with_a_condition_is_a_share_of_those_who_match() {
    let live = live();
    let split = by_header(vec![group("canary", fixed(0, WHOLE / 2), has("x-staff"))]);
    let inside = |fields: &str| {
        let of = |user| split.choose(&request(&live, &format!("X-User: {user}\r\n{fields}"), "192.0.2.1"));
        (0..1000).filter(|user| name(&of(*user)).is_some()).count()
    };
    assert!((400..600).contains(&inside("X-Staff: yes\r\n")));
    assert_eq!(inside(""), 0);
}

#[test]
fn who_has_no_key_is_in_no_share() {
    let live = live();
    let all = || vec![group("all", fixed(0, WHOLE), None)];
    for (split, fields, client) in [
        (by_header(all()), "", "192.0.2.1"),
        (by_header(all()), "X-User:\r\n", "192.0.2.1"),
        (split(SplitBy::Client, all()), "", "::"),
    ] {
        let choice = split.choose(&request(&live, fields, client));
        assert_eq!((name(&choice), choice.why), (None, Why::NoKey));
    }
}

#[test]
fn a_client_is_known_by_its_address_or_its_network() {
    let live = live();
    let split = split(SplitBy::Client, vec![group("half", fixed(0, WHOLE / 2), None)]);
    let of = |client: &str| name(&split.choose(&request(&live, "", client))).map(str::to_owned);
    let all: Vec<_> = (0..64).map(|i| of(&format!("192.0.2.{i}"))).collect();
    assert!(all.iter().any(Option::is_some) && all.iter().any(Option::is_none));
    for i in 0..64 {
        assert_eq!(of(&format!("2001:db8:0:{i:x}::1")), of(&format!("2001:db8:0:{i:x}:ffff::2")));
        assert_eq!(of(&format!("192.0.2.{i}")), of(&format!("::ffff:192.0.2.{i}")));
    }
}

#[test]
fn each_request_is_drawn_anew_where_nobody_is_to_stay() {
    let live = live();
    let split = split(SplitBy::Request, vec![group("half", fixed(0, WHOLE / 2), None)]);
    let request = request(&live, "", "192.0.2.1");
    let inside = (0..1000).filter(|_| name(&split.choose(&request)).is_some()).count();
    assert!((400..600).contains(&inside), "{inside}");
}

#[test]
fn a_newcomer_is_where_the_cookie_will_bring_him() {
    let live = live();
    let split = split(SplitBy::Cookie("visitor".into()), vec![group("half", fixed(0, WHOLE / 2), None)]);
    for _ in 0..100 {
        let first = request(&live, "Cookie: visitor=; a=b\r\n", "192.0.2.1");
        let choice = split.choose(&first);
        let mut reply = Reply::new(200);
        split.leave(&choice, &first, &mut reply);
        let given = String::from_utf8(reply.head.fields.get_named(b"set-cookie").unwrap().to_vec()).unwrap();
        let (pair, _) = given.split_once(';').unwrap();
        let next = request(&live, &format!("Cookie: {pair}\r\n"), "192.0.2.2");
        let again = split.choose(&next);
        assert_eq!((name(&again), again.why), (name(&choice), Why::Key));
        let mut reply = Reply::new(200);
        split.leave(&again, &next, &mut reply);
        assert!(reply.head.fields.is_empty());
    }
}

#[test]
fn a_cookie_of_the_service_is_not_overwritten() {
    let live = live();
    let split = split(SplitBy::Cookie("visitor".into()), vec![group("half", fixed(0, WHOLE / 2), None)]);
    let first = request(&live, "", "192.0.2.1");
    let mut reply = Reply::new(200);
    reply.head.fields.append_named(b"set-cookie", b"visitor=its-own");
    split.leave(&split.choose(&first), &first, &mut reply);
    assert_eq!(reply.head.fields.all(FieldName::SET_COOKIE).count(), 1);
}

#[test]
fn a_stopped_rollout_takes_nobody() {
    let rollout = Arc::new(Rollout::new(WHOLE, Stage::Complete));
    let share = Share::Rollout { start: 0, rollout: rollout.clone() };
    assert!(share.takes(0) && share.takes(WHOLE - 1));
    rollout.set(0, Stage::Stopped);
    assert!(!share.takes(0) && !share.takes(WHOLE - 1));
    assert_eq!(rollout.stage(), Stage::Stopped);
}
