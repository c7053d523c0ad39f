//! The commands.

mod check;
mod explain;
mod fmt;
mod routes;
mod run;
mod schema;
mod services;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use menshen_config::{Document, Problems};
use menshen_control::{Compiled, Ground, Origin, Purpose, compile};

/// Menshen, an API gateway: one safe door in front of many services.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a configuration.
    Run(Where),
    /// Proxy everything to one URL at once, without a configuration.
    Quick(run::Quick),
    /// Say everything that is wrong with a configuration, without serving it.
    Check(Where),
    /// Put a configuration into its canonical form, keeping comments.
    Fmt(fmt::Options),
    /// List the routes in order of precedence.
    Routes(routes::Options),
    /// Show where the services of a running gateway are, and how they do.
    Services(services::Options),
    /// Say which route and filters a request would meet, and why.
    Explain(explain::Options),
    /// Run the tests written beside the routes.
    Test(test::Options),
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
}

/// Where the configuration is.
#[derive(Args, Clone)]
struct Where {
    /// A YAML file, or a directory of them.
    #[arg(short, long, default_value = "menshen.yaml", value_name = "PATH")]
    config: PathBuf,
}

impl Where {
    fn origin(&self) -> Origin {
        Origin::Path(self.config.clone())
    }
}

/// Runs the command.
pub(crate) fn run() -> Result<ExitCode, String> {
    match Cli::parse().command {
        Command::Run(place) => run::run(place.origin()),
        Command::Quick(options) => run::quick(&options),
        Command::Check(place) => check::run(&place),
        Command::Fmt(options) => fmt::run(&options),
        Command::Routes(options) => routes::run(&options),
        Command::Services(options) => services::run(&options),
        Command::Explain(options) => explain::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Schema => schema::run(),
    }
}

/// A configuration that was read and compiled to be looked at.
struct Looked {
    document: Document,
    compiled: Option<Compiled>,
    /// What the filters remember of requests.
    ground: Ground,
    problems: Problems,
}

/// One without errors.
struct Good {
    document: Document,
    compiled: Compiled,
    ground: Ground,
}

fn look(place: &Where) -> Result<Looked, String> {
    let origin = place.origin();
    let sources = origin.read()?;
    let (document, mut problems) = menshen_config::parse(&sources);
    let ground = Ground::new(1).in_folder(origin.folder());
    let compiled = compile(&document, &ground, Purpose::Check, &mut problems);
    Ok(Looked { document, compiled, ground, problems })
}

/// As [`look`], but a configuration with errors is refused.
fn look_at_good(place: &Where) -> Result<Good, String> {
    let Looked { document, compiled, ground, problems } = look(place)?;
    match compiled {
        Some(compiled) => Ok(Good { document, compiled, ground }),
        None => Err(format!("the configuration has errors\n{}", problems.with_excerpts())),
    }
}
