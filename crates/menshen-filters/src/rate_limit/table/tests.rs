use super::*;

const R: u64 = 256;

fn admits(table: &Table, key: u64, now: u64, burst: u64) -> bool {
    matches!(table.take(key, now, R, burst * R), Verdict::Admitted { .. })
}

/// Keys of one bucket, each with a tag of its own.
fn key(tag: u64) -> u64 {
    tag << MOMENT_BITS
}

#[test]
fn a_burst_passes_at_once_and_then_one_request_at_a_time() {
    let t = Table::new(8);
    assert_eq!((0..10).filter(|_| admits(&t, key(1), 0, 5)).count(), 5);
    assert_eq!(t.take(key(1), 0, R, 5 * R), Verdict::Refused { excess: R });
    assert_eq!(t.take(key(1), R - 1, R, 5 * R), Verdict::Refused { excess: 1 });
    assert!(admits(&t, key(1), R, 5) && !admits(&t, key(1), R, 5));
    assert!(admits(&t, key(2), 0, 5), "another caller has its own debt");
}

#[test]
fn no_window_holds_more_than_its_share_and_a_burst() {
    let (t, burst) = (Table::new(8), 20);
    let mut admitted = Vec::new();
    let mut now = 0;
    let mut random = fastrand::Rng::with_seed(7);
    while admitted.len() < 5_000 {
        now += random.u64(0..R * 2) * u64::from(random.u8(0..4) == 0);
        if admits(&t, key(1), now, burst) {
            admitted.push(now);
        }
    }
    for (i, from) in admitted.iter().enumerate() {
        for (j, to) in admitted.iter().enumerate().skip(i) {
            assert!((j - i + 1) as u64 * R <= to - from + burst * R, "{i}..{j}");
        }
    }
}

#[test]
fn a_saturated_caller_gets_exactly_the_rate() {
    let t = Table::new(8);
    let admitted = (0..1_000_000).filter(|i| admits(&t, key(1), i * 16, 20)).count();
    assert_eq!(admitted, 1_000_000 * 16 / 256 + 19);
}

#[test]
fn threads_share_a_limit_exactly() {
    for round in 0..200u64 {
        let t = Table::new(64);
        let go = std::sync::Barrier::new(4);
        let admitted: usize = std::thread::scope(|scope| {
            let one = |thread: u64| {
                let (t, go) = (&t, &go);
                scope.spawn(move || {
                    go.wait();
                    // Every thread has its own idea of the time, and strangers come and go in between.
                    (0..400u64)
                        .filter(|i| {
                            t.take(key(1000 + (i * 7 + thread) % 6), thread * 3 + i / 50, R, R);
                            admits(t, key(5), round + thread % 2, 100)
                        })
                        .count()
                })
            };
            let threads: Vec<_> = (0..4).map(one).collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(admitted, 100, "round {round}");
    }
}

#[test]
fn new_callers_that_race_for_the_same_slots_are_never_counted_apart() {
    for _ in 0..2_000 {
        let t = Table::new(8);
        let go = std::sync::Barrier::new(4);
        let admitted: Vec<usize> = std::thread::scope(|scope| {
            let one = |thread: u64| {
                let (t, go) = (&t, &go);
                scope.spawn(move || {
                    go.wait();
                    (1..=6).map(|tag| usize::from(admits(t, key((tag + thread) % 6 + 1), 0, 1))).sum()
                })
            };
            let threads: Vec<_> = (0..4).map(one).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(admitted.iter().sum::<usize>(), 6, "each of six callers exactly once");
        let words = t.pages[0].get().unwrap()[0].0.iter().map(|s| s.load(Ordering::Relaxed));
        assert_eq!(words.filter(|w| *w != 0).count(), 6);
    }
}

#[test]
fn slots_of_callers_that_owe_nothing_are_used_again() {
    let t = Table::new(8);
    for generation in 0..1_000u64 {
        for tag in 1..=8 {
            assert!(admits(&t, key(generation * 8 + tag), generation * R, 1));
        }
    }
    assert_eq!(t.evictions(), 0);
}

#[test]
fn in_a_full_bucket_the_least_indebted_goes_and_its_debt_stays() {
    let t = Table::new(8);
    for tag in 1..=8 {
        for _ in 0..tag {
            assert!(admits(&t, key(tag), 0, 10));
        }
    }
    assert!(admits(&t, key(9), 0, 10));
    assert_eq!(t.evictions(), 1);
    assert_eq!((0..20).filter(|_| admits(&t, key(8), 0, 10)).count(), 2, "who owes much is not forgotten");
    assert_eq!((0..20).filter(|_| admits(&t, key(9), 0, 10)).count(), 8, "one taken over, one passed");
}

#[test]
fn many_new_callers_each_get_one_request_but_no_burst() {
    let t = Table::new(8);
    let first = (0..10_000).filter(|tag| admits(&t, key(tag % 0xfffff + 1), 0, 3)).count();
    assert_eq!(first, 10_000, "nobody is refused at the first request");
    let t = Table::new(8);
    let all: usize = (1..1_001).map(|tag| (0..3).filter(|_| admits(&t, key(tag), 0, 3)).count()).sum();
    assert!(all < 8 * 3 + 1_001, "{all}");
}

#[test]
fn a_round_of_the_clock_revives_no_debt_and_forgets_none() {
    let t = Table::new(8);
    let round = 1u64 << MOMENT_BITS;
    let mut now = 0;
    while now < 3 * round {
        assert!(admits(&t, key(1), now, 1));
        assert!(!admits(&t, key(1), now + R - 1, 1), "{now}");
        assert!(admits(&t, key(2), now, 20), "{now}");
        now += round / 37;
    }
    let t = Table::new(8);
    assert!(admits(&t, key(1), 0, 1));
    for step in 1..32 {
        assert!(admits(&t, key(2), step * round / 16, 1));
    }
    assert!(admits(&t, key(1), 2 * round - 10 * R, 1), "a moment long ago is not taken for one to come");
}

#[test]
fn a_lowered_burst_leaves_nobody_deeper_in_debt_than_it_allows() {
    let t = Table::new(8);
    assert_eq!((0..5_000).filter(|_| admits(&t, key(1), 0, 5_000)).count(), 5_000);
    t.settle(0, 10 * R);
    assert!(!admits(&t, key(1), 0, 10));
    assert!(admits(&t, key(1), R, 10) && !admits(&t, key(1), R, 10));
}
