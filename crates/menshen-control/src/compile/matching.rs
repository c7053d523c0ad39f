//! `match` and `when` → patterns and conditions.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use menshen_config::matching::{
    Day, FieldTest, FieldTests, HostPattern as WrittenHost, Match, PathPattern, Segment as Written,
    TimeWindow,
};
use menshen_config::{Path, Problems, Spanned};
use menshen_proxy::condition::{
    Condition, HostPattern, Methods, NamedTest, TimeTest, UnixSeconds, ValueTest,
};
use menshen_proxy::pattern::{Pattern, Segment};
use menshen_proxy::tls::TlsFact;

/// A compiled `match`.
pub(super) struct Matcher {
    /// Paths, at least one.
    pub(super) paths: Vec<Pattern>,
    /// The names that the paths bind; unnamed wildcards are empty.
    pub(super) variables: Box<[Box<str>]>,
    /// Hosts; empty means any.
    pub(super) hosts: Vec<HostPattern>,
    /// All but path and host.
    pub(super) condition: Condition,
}

/// Compiles the match of a route.
pub(super) fn route_match(written: &Spanned<Match>, path: &Path, problems: &mut Problems) -> Matcher {
    let mut paths: Vec<Pattern> = written.path.iter().map(|p| pattern(p)).collect();
    if paths.is_empty() {
        paths.push(Pattern { segments: [Segment::Rest].into() });
    }
    let names: Vec<Box<[Box<str>]>> = written.path.iter().map(|p| variables(p)).collect();
    if let Some((_, other)) = names.iter().zip(written.path.iter()).find(|(n, _)| Some(*n) != names.first()) {
        problems
            .error(
                other.span,
                path.key("match"),
                "the paths of one route must bind the same names in the same order",
            )
            .hint("make two routes of it");
    }
    let condition = condition(written, path, problems);
    let hosts = written.host.iter().map(|h| host(h)).collect();
    Matcher { paths, variables: names.into_iter().next().unwrap_or_default(), hosts, condition }
}

/// Compiles the `when` of a filter.
pub(super) fn when(written: &Match, path: &Path, problems: &mut Problems) -> Condition {
    if let Some(weight) = &written.weight {
        problems.error(weight.span, path, "`weight` belongs to the `match` of a route, not to `when`");
    }
    Condition {
        paths: written.path.iter().map(|p| pattern(p)).collect(),
        hosts: written.host.iter().map(|h| host(h)).collect(),
        ..condition(written, path, problems)
    }
}

fn condition(written: &Match, path: &Path, problems: &mut Problems) -> Condition {
    let mut tests = |part: &str, tests: &FieldTests| {
        tests
            .iter()
            .filter_map(|(name, test)| {
                let place = path.key(part).key(name);
                Some(NamedTest { name: name.into(), test: value_test(test, &place, problems)? })
            })
            .collect()
    };
    let headers = tests("headers", &written.headers);
    let query = tests("query", &written.query);
    let cookies = tests("cookies", &written.cookies);
    let tls = tests("tls", &written.tls);
    for (name, test) in written.tls.iter().filter(|(name, _)| TlsFact::of(name).is_none()) {
        let hint = menshen_config::hint(name, TlsFact::NAMES.map(|(name, _)| name));
        let message = format!("nothing is known of TLS under the name `{name}`");
        problems.error(test.span, path.key("tls").key(name), message).maybe_hint(hint);
    }
    Condition {
        methods: Methods::of(written.method.iter().map(|m| m.as_str())),
        headers,
        query,
        cookies,
        tls,
        client: written.client.iter().map(|c| c.0).collect(),
        time: written.time.as_ref().and_then(|t| window(t, &path.key("time"), problems)),
        ..Condition::default()
    }
}

fn value_test(test: &Spanned<FieldTest>, path: &Path, problems: &mut Problems) -> Option<ValueTest> {
    Some(match &test.value {
        FieldTest::Present => ValueTest::Present,
        FieldTest::Absent => ValueTest::Absent,
        FieldTest::Is(text) => ValueTest::Is(text.as_bytes().into()),
        FieldTest::Prefix(text) => ValueTest::Prefix(text.as_bytes().into()),
        FieldTest::Regex(text) => match super::whole_match(text) {
            Ok(regex) => ValueTest::Matches(regex),
            Err(e) => {
                problems.error(test.span, path, e);
                return None;
            }
        },
    })
}

pub(super) fn host(written: &WrittenHost) -> HostPattern {
    match written {
        WrittenHost::Exact(name) => HostPattern::Exact(name.clone()),
        WrittenHost::Under(name) => HostPattern::Below(name.clone()),
    }
}

/// Segments as the route tree compares them: decoded. A slash at the end says nothing.
fn pattern(written: &PathPattern) -> Pattern {
    let segments = written.segments();
    let segments = match segments {
        [rest @ .., Written::Literal(last)] if last.is_empty() => rest,
        all => all,
    };
    Pattern { segments: segments.iter().map(segment).collect() }
}

fn segment(written: &Written) -> Segment {
    match written {
        Written::Literal(text) => Segment::Literal(decoded(text)),
        Written::Glob(glob) if &**glob == "*" => Segment::One,
        Written::Glob(glob) => Segment::Glob(decoded(glob)),
        Written::Param(_) => Segment::One,
        Written::Rest(_) => Segment::Rest,
    }
}

/// The escapes of a pattern are canonical; the tree compares what they stand for.
fn decoded(text: &str) -> Box<[u8]> {
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return text.as_bytes().into();
    }
    let mut target = menshen_proxy::target::Target::default();
    let path = format!("/{text}");
    match target.read(path.as_bytes(), menshen_proxy::http1::Method::Get, None) {
        Ok(()) => target.decoded_path().get(1..).unwrap_or_default().into(),
        Err(_) => text.as_bytes().into(),
    }
}

fn variables(written: &PathPattern) -> Box<[Box<str>]> {
    let name = |s: &Written| match s {
        Written::Param(name) | Written::Rest(Some(name)) => Some(name.clone()),
        Written::Rest(None) => Some(Box::default()),
        Written::Glob(glob) if &**glob == "*" => Some(Box::default()),
        Written::Glob(_) | Written::Literal(_) => None,
    };
    written.segments().iter().filter_map(name).collect()
}

/// A time window with its zone.
#[derive(Debug)]
struct Window {
    after: Option<i64>,
    before: Option<i64>,
    daily: Option<(u16, u16)>,
    days: Vec<Weekday>,
    zone: TimeZone,
}

fn window(written: &Spanned<TimeWindow>, path: &Path, problems: &mut Problems) -> Option<Arc<dyn TimeTest>> {
    let zone = match written.zone.as_deref() {
        None => TimeZone::UTC,
        Some(name) => match TimeZone::get(name) {
            Ok(zone) => zone,
            Err(_) => {
                let message = format!("this machine knows no time zone `{name}`");
                problems
                    .error(written.span, path.key("zone"), message)
                    .hint("write for example `Europe/Berlin`");
                return None;
            }
        },
    };
    Some(Arc::new(Window {
        after: written.after.as_ref().map(|t| t.unix_seconds()),
        before: written.before.as_ref().map(|t| t.unix_seconds()),
        daily: written.daily.map(|d| (d.from, d.to)),
        days: written.days.iter().map(weekday).collect(),
        zone,
    }))
}

fn weekday(day: &Day) -> Weekday {
    match day {
        Day::Mon => Weekday::Monday,
        Day::Tue => Weekday::Tuesday,
        Day::Wed => Weekday::Wednesday,
        Day::Thu => Weekday::Thursday,
        Day::Fri => Weekday::Friday,
        Day::Sat => Weekday::Saturday,
        Day::Sun => Weekday::Sunday,
    }
}

impl TimeTest for Window {
    fn holds(&self, now: UnixSeconds) -> bool {
        if self.after.is_some_and(|a| now < a) || self.before.is_some_and(|b| now >= b) {
            return false;
        }
        if self.daily.is_none() && self.days.is_empty() {
            return true;
        }
        let local = Timestamp::from_second(now).unwrap_or_default().to_zoned(self.zone.clone());
        let minute =
            u16::try_from(local.hour()).unwrap_or(0) * 60 + u16::try_from(local.minute()).unwrap_or(0);
        let today = local.weekday();
        let on = |day: Weekday| self.days.is_empty() || self.days.contains(&day);
        match self.daily {
            None => on(today),
            Some((from, to)) if from < to => on(today) && (from..to).contains(&minute),
            // Over midnight: the early part belongs to the day before.
            Some((from, _)) if minute >= from => on(today),
            Some((_, to)) => minute < to && on(today.previous()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(w: &Window, at: &str) -> bool {
        w.holds(at.parse::<Timestamp>().unwrap().as_second())
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_starts() {
        let w = Window {
            after: None,
            before: None,
            daily: Some((22 * 60, 6 * 60)),
            days: vec![Weekday::Friday],
            zone: TimeZone::UTC,
        };
        assert!(holds(&w, "2026-11-20T23:00:00Z") && holds(&w, "2026-11-21T05:59:00Z"));
        assert!(!holds(&w, "2026-11-20T05:00:00Z") && !holds(&w, "2026-11-21T06:00:00Z"));
        assert!(!holds(&w, "2026-11-21T23:00:00Z"));
    }

    #[test]
    fn moments_bound_a_window() {
        let w = Window {
            after: Some(100),
            before: Some(200),
            daily: None,
            days: Vec::new(),
            zone: TimeZone::UTC,
        };
        assert_eq!([99, 100, 199, 200].map(|t| w.holds(t)), [false, true, true, false]);
    }
}
