//! `menshen routes`.

use std::cmp::Reverse;
use std::process::ExitCode;

use clap::Args;
use menshen_config::Spanned;
use menshen_config::document::{Route, Split, SplitGroup, Target};
use menshen_config::matching::{HostPattern, Match, PathPattern, Segment};
use menshen_config::{Document, Problems};
use menshen_control::compile::with_generated;
use menshen_control::generated::{self, Generated, LeftOut};

use super::{Good, Where, look_at_good};

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    place: Where,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, String> {
    let Good { document, ground, .. } = look_at_good(&options.place)?;
    // All problems were told when it was looked at.
    let (document, generated) = with_generated(&document, &ground, &mut Problems::new());
    let mut routes: Vec<_> = document.routes.iter().collect();
    routes.sort_by_cached_key(|(_, route)| precedence(&route.matches));
    let rows: Vec<[String; 6]> = routes.iter().map(|(name, route)| row(name, route, &document)).collect();
    let head = ["ROUTE", "HOST", "PATH", "METHOD", "ALSO", "TO"].map(str::to_owned);
    let width = |i: usize| rows.iter().chain([&head]).map(|r| r[i].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3), width(4)];
    for [name, host, path, method, also, to] in [&head].into_iter().chain(&rows) {
        let [a, b, c, d, e] = widths;
        println!("{name:a$}  {host:b$}  {path:c$}  {method:d$}  {also:e$}  {to}");
    }
    if let Some(generated) = &generated {
        print_notes(generated, &document);
    }
    Ok(ExitCode::SUCCESS)
}

/// What is to be said about routes that are made of what registries list.
fn print_notes(generated: &Generated, document: &Document) {
    println!();
    for LeftOut { name, why } in &generated.left_out {
        println!("{name} has no route: {why}");
    }
    for registry in generated::registries(document) {
        match generated.tallies.get(&registry) {
            Some(tally) => {
                println!("{registry}: routes made: {}, as a gateway here has known it last", tally.routes)
            }
            None => println!("{registry}: which services it has is not known here until a gateway has asked"),
        }
    }
}

/// What comes first is tried first: by host, then by path, then by the number of other conditions. A route with
/// several hosts or paths stands where its first one does.
fn precedence(m: &Match) -> impl Ord + use<> {
    let host = |h: &HostPattern| match h {
        HostPattern::Exact(name) => (0, Reverse(0), name.to_string()),
        HostPattern::Under(name) => (1, Reverse(name.len()), name.to_string()),
    };
    let host = m.host.iter().map(|h| host(h)).min().unwrap_or((2, Reverse(0), String::new()));
    let path = m
        .path
        .iter()
        .map(|p| path_precedence(p))
        .min()
        .unwrap_or_else(|| vec![(3, Reverse(0), String::new())]);
    let conditions = usize::from(!m.method.is_empty()) + also(m).len();
    (host, path, Reverse(conditions))
}

fn path_precedence(path: &PathPattern) -> Vec<(u8, Reverse<usize>, String)> {
    let segment = |s: &Segment| match s {
        Segment::Literal(text) => (0, Reverse(0), text.to_string()),
        Segment::Glob(glob) if &**glob == "*" => (2, Reverse(0), String::new()),
        Segment::Glob(glob) => {
            (1, Reverse(glob.chars().filter(|c| !"*?".contains(*c)).count()), glob.to_string())
        }
        Segment::Param(_) => (2, Reverse(0), String::new()),
        Segment::Rest(_) => (3, Reverse(0), String::new()),
    };
    path.segments().iter().map(segment).collect()
}

/// The conditions beside host, path and method, in words.
fn also(m: &Match) -> Vec<String> {
    let mut list = Vec::new();
    list.extend(m.headers.keys().map(|n| format!("header {n}")));
    list.extend(m.query.keys().map(|n| format!("query {n}")));
    list.extend(m.cookies.keys().map(|n| format!("cookie {n}")));
    if !m.client.is_empty() {
        list.push("client".to_owned());
    }
    if m.time.is_some() {
        list.push("time".to_owned());
    }
    list
}

fn target(to: &Target) -> String {
    match to {
        Target::Service(name) => name.to_string(),
        Target::Url(url) => url.to_string(),
        Target::Forward(path) => format!("forward:{path}"),
        Target::Redirect(redirect) => format!("redirect {}", redirect.to),
        Target::Respond(respond) => format!("respond {}", respond.status.unwrap_or(200)),
    }
}

/// The groups of a split: who is in them and where they lead.
fn groups(split: &Split) -> String {
    let group = |(name, group): (&String, &Spanned<SplitGroup>)| {
        let share = group.share.as_ref().map(|share| format!("{} ", share.value));
        format!("{name}: {}to {}", share.unwrap_or_default(), target(&group.to.value))
    };
    split.groups.iter().map(group).collect::<Vec<_>>().join("; ")
}

fn row(name: &str, route: &Route, document: &Document) -> [String; 6] {
    let list =
        |items: Vec<String>, none: &str| if items.is_empty() { none.to_owned() } else { items.join(" ") };
    let m = &route.matches;
    let schemes = route.scheme.iter().filter_map(|s| document.schemes.get(&s.value));
    let filters = route.filters.len() + schemes.map(|s| s.0.len()).sum::<usize>();
    let to = target(&route.to.value);
    let to = match &route.split {
        None => to,
        Some(split) => format!("{to}; {}", groups(split)),
    };
    let to = match &route.mirror {
        Some(mirror) => {
            let share = mirror.share.map_or(String::new(), |share| format!("{share} "));
            format!("{to}, {share}copied to {}", mirror.to)
        }
        None => to,
    };
    let mut conditions = also(m);
    conditions.extend(m.weight.as_ref().map(|w| format!("{} of {}", w.share, w.group)));
    [
        name.to_owned(),
        list(m.host.iter().map(|h| h.value.to_string()).collect(), "*"),
        list(m.path.iter().map(|p| p.value.as_str().to_owned()).collect(), "/**"),
        list(m.method.iter().map(|x| x.value.as_str().to_owned()).collect(), "*"),
        list(conditions, "-"),
        match filters {
            0 => to,
            1 => format!("{to} (1 filter)"),
            n => format!("{to} ({n} filters)"),
        },
    ]
}
