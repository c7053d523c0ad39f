//! `menshen explain METHOD URL`.

use std::process::ExitCode;

use clap::Args;
use menshen_config::quantity::Caller;
use menshen_control::explain::{Explainer, Explanation, Question};
use menshen_proxy::routes::Considered;

use super::{Where, look_at_good};

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    place: Where,
    /// The method, such as GET.
    method: String,
    /// A path or URL; the host of a URL counts.
    url: String,
    /// A field of the request, as `Name: value`; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// The address the request comes from, or `unix`.
    #[arg(long, default_value_t = Caller::default())]
    client: Caller,
    /// The listener it arrives at; the first one where it is not given.
    #[arg(long)]
    listener: Option<String>,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, String> {
    let compiled = look_at_good(&options.place)?.compiled;
    if !["/", "http://", "https://", "*"].iter().any(|start| options.url.starts_with(start)) {
        return Err(format!("`{0}` is neither a path nor a URL; write `/{0}` or `http://{0}`", options.url));
    }
    let headers = options.headers.iter().map(|h| {
        let (name, value) =
            h.split_once(':').ok_or_else(|| format!("`{h}` is not a field; write `Name: value`"))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    });
    let question = Question {
        method: options.method.clone(),
        url: options.url.clone(),
        headers: headers.collect::<Result<_, String>>()?,
        client: options.client.0,
        listener: options.listener.clone(),
    };
    print(&Explainer::new(&compiled).explain(&question)?);
    Ok(ExitCode::SUCCESS)
}

fn print(e: &Explanation) {
    println!("listener   {}", e.listener);
    if !e.target.is_empty() {
        println!("target     {}", e.target);
        print_candidates(e);
    }
    println!("route      {}", e.route.as_deref().unwrap_or("none"));
    for (name, value) in &e.variables {
        println!("  {{{name}}} = {value}");
    }
    println!("filters");
    for (id, phases, remarks) in &e.steps {
        println!("  {id:<24} {phases:<16} {remarks}");
    }
    if let Some(group) = &e.group {
        println!("groups");
        for (name, who, to) in &e.groups {
            println!("  {name:<24} {who:<24} {to}");
        }
        println!("group      {group}: {}", e.because);
    }
    println!("leads to   {}", e.leads_to);
    if let Some(sent) = &e.sent {
        println!("sent as    {sent}");
    } else {
        println!("status     {}", e.status);
    }
    if let Some(failure) = e.failure {
        println!("code       {}", failure.code());
    }
}

fn print_candidates(e: &Explanation) {
    println!("candidates");
    for candidate in &e.candidates {
        let verdict = match candidate.considered {
            Considered::Matches => "matches",
            Considered::WrongMethod => "path matches, method does not",
            Considered::ConditionFails => "path matches, another condition does not",
            Considered::NotDrawn => "matches, but another of its group was drawn",
        };
        println!("  {:<24} {verdict}", candidate.route);
    }
    if e.candidates.is_empty() {
        println!("  none: no route has this host and path");
    }
}
