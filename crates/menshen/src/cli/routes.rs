//! `menshen routes`.

use std::process::ExitCode;

use clap::Args;
use menshen_config::Document;
use menshen_config::document::{Route, Target};

use super::{Where, look_at_good};

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    place: Where,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, String> {
    let (document, _) = look_at_good(&options.place)?;
    let mut rows: Vec<[String; 5]> = document.routes.iter().map(|(name, route)| row(name, route, &document)).collect();
    rows.sort_by(|a, b| (&a[1], &a[2], &a[3]).cmp(&(&b[1], &b[2], &b[3])));
    let head = ["ROUTE", "HOST", "PATH", "METHOD", "TO"].map(str::to_owned);
    let width = |i: usize| rows.iter().chain([&head]).map(|r| r[i].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    for [name, host, path, method, to] in [&head].into_iter().chain(&rows) {
        let [a, b, c, d] = widths;
        println!("{name:a$}  {host:b$}  {path:c$}  {method:d$}  {to}");
    }
    Ok(ExitCode::SUCCESS)
}

fn row(name: &str, route: &Route, document: &Document) -> [String; 5] {
    let list = |items: Vec<String>, none: &str| if items.is_empty() { none.to_owned() } else { items.join(" ") };
    let m = &route.matches;
    let filters = route.filters.len() + route.scheme.iter().filter_map(|s| document.schemes.get(&s.value)).map(|s| s.0.len()).sum::<usize>();
    let to = match &route.to.value {
        Target::Service(name) => name.to_string(),
        Target::Url(url) => url.to_string(),
        Target::Forward(path) => format!("forward:{path}"),
        Target::Redirect(redirect) => format!("redirect {}", redirect.to),
        Target::Respond(respond) => format!("respond {}", respond.status.unwrap_or(200)),
    };
    [
        name.to_owned(),
        list(m.host.iter().map(|h| h.value.to_string()).collect(), "*"),
        list(m.path.iter().map(|p| p.value.as_str().to_owned()).collect(), "/**"),
        list(m.method.iter().map(|x| x.value.as_str().to_owned()).collect(), "*"),
        if filters > 0 { format!("{to} ({filters} filters)") } else { to },
    ]
}
