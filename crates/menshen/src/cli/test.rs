//! `menshen test`: the tests written beside the routes.

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use clap::Args;
use menshen_config::document::RouteTest;
use menshen_config::matching::FieldTest;
use menshen_control::explain::{Explainer, Explanation, Question};

use super::{Where, look_at_good};

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    place: Where,
    /// Only tests of routes whose name contains this.
    filter: Option<String>,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, String> {
    let (document, compiled) = look_at_good(&options.place)?;
    let explainer = Explainer::new(&compiled);
    let (mut passed, mut failed) = (0, 0);
    for (name, route) in document.routes.iter() {
        if options.filter.as_ref().is_some_and(|f| !name.contains(f)) {
            continue;
        }
        for test in &route.tests {
            let line = format!("{name}: {} {}", test.request.method.as_str(), test.request.target);
            match check(test, &explainer, route.on.first().map(|l| l.value.clone())) {
                Ok(()) => {
                    passed += 1;
                    println!("ok    {line}");
                }
                Err(why) => {
                    failed += 1;
                    println!("FAIL  {line}");
                    why.iter().for_each(|w| println!("      {w}"));
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(test: &RouteTest, explainer: &Explainer, listener: Option<String>) -> Result<(), Vec<String>> {
    let question = Question {
        method: test.request.method.as_str().to_owned(),
        url: test.request.target.to_string(),
        headers: test.headers.iter().map(|(n, v)| (n.clone(), v.clone())).collect(),
        client: test.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
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
        FieldTest::Regex(text) => {
            menshen_control::compile::whole_match(text).is_ok_and(|r| values.any(|v| r.is_match(v.as_bytes())))
        }
    }
}
