//! `menshen test`: the tests written beside the routes.

use std::fmt;
use std::process::ExitCode;

use clap::Args;
use menshen_config::document::RouteTest;
use menshen_config::matching::FieldTest;
use menshen_control::explain::{Explainer, Explanation, Question};

use super::{Good, Where, look_at_good};

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    place: Where,
    /// Only tests of routes whose name contains this.
    filter: Option<String>,
}

/// What came of one test.
pub(super) struct Tested {
    name: String,
    /// What was expected and did not happen.
    pub(super) wrong: Vec<String>,
}

impl fmt::Display for Tested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", if self.wrong.is_empty() { "ok   " } else { "FAIL " }, self.name)?;
        self.wrong.iter().try_for_each(|w| writeln!(f, "      {w}"))
    }
}

pub(super) fn run(options: &Options) -> Result<ExitCode, String> {
    let tests = run_all(&look_at_good(&options.place)?, options.filter.as_deref());
    tests.iter().for_each(|t| print!("{t}"));
    let failed = tests.iter().filter(|t| !t.wrong.is_empty()).count();
    println!("{} passed, {failed} failed", tests.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests of all routes, or of those whose name contains `filter`. Each meets filters that have seen no request.
pub(super) fn run_all(good: &Good, filter: Option<&str>) -> Vec<Tested> {
    let explainer = Explainer::new(&good.compiled);
    let routes = good.document.routes.iter().filter(|(name, _)| filter.is_none_or(|f| name.contains(f)));
    let tests = routes.flat_map(|(name, route)| route.tests.iter().map(move |test| (name, route, test)));
    tests
        .map(|(name, route, test)| {
            good.ground.keep.reset();
            let listener = route.on.first().map(|l| l.value.clone());
            let wrong = check(test, &explainer, listener).err().unwrap_or_default();
            Tested { name: format!("{name}: {}", test.request.value), wrong }
        })
        .collect()
}

fn check(test: &RouteTest, explainer: &Explainer, listener: Option<String>) -> Result<(), Vec<String>> {
    let question = Question {
        method: test.request.method.as_str().to_owned(),
        url: test.request.target.to_string(),
        headers: test.headers.iter().map(|(n, v)| (n.clone(), v.clone())).collect(),
        client: test.client.unwrap_or_default().0,
        listener,
    };
    let seen = explainer.explain(&question).map_err(|e| vec![e])?;
    let expect = &test.expect.value;
    let mut wrong = Vec::new();
    let mut compare = |what: &str, expected: Option<String>, seen: String| {
        if let Some(expected) = expected.filter(|e| *e != seen) {
            wrong.push(format!("expected {what} {expected}, got {seen}"));
        }
    };
    compare("status", expect.status.map(|s| s.to_string()), seen.status.to_string());
    compare("route", expect.route.clone(), seen.route.clone().unwrap_or_else(|| "none".to_owned()));
    compare("group", expect.group.clone(), seen.group.clone().unwrap_or_else(|| "none".to_owned()));
    compare("target", expect.target.clone(), seen.sent.clone().unwrap_or_else(|| "nothing".to_owned()));
    for (name, wanted) in &expect.headers {
        if !field_passes(&seen, name, wanted) {
            let values: Vec<&str> = values(&seen, name).collect();
            wrong.push(format!("field {name}: expected {wanted:?}, got {values:?}"));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    if let Some(failure) = seen.failure {
        wrong.push(format!("{}: {}", failure.code(), failure.text()));
    }
    Err(wrong)
}

fn values<'a>(seen: &'a Explanation, name: &'a str) -> impl Iterator<Item = &'a str> {
    seen.reply.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
}

fn field_passes(seen: &Explanation, name: &str, wanted: &FieldTest) -> bool {
    let mut values = values(seen, name);
    match wanted {
        FieldTest::Present => values.next().is_some(),
        FieldTest::Absent => values.next().is_none(),
        FieldTest::Is(text) => values.any(|v| v == text),
        FieldTest::Prefix(text) => values.any(|v| v.starts_with(text)),
        FieldTest::Regex(text) => menshen_control::compile::whole_match(text)
            .is_ok_and(|r| values.any(|v| r.is_match(v.as_bytes()))),
    }
}
