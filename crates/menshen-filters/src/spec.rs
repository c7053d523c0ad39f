//! What a filter is to the compiler: a name, a configuration type, a contract, and how to install it.

use std::sync::Arc;

use menshen_config::{FilterItem, Path, Problem, Problems, Span, decode_filter};
use menshen_proxy::ServiceId;
use menshen_proxy::chain::Step;
use menshen_proxy::template::Template;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;

use crate::{Keep, State};

/// A kind of filter.
pub trait Filter {
    /// Its name in the document.
    const NAME: &'static str;
    /// The field that a scalar or list stands for: `cors: https://a` is `cors: { origins: https://a }`.
    const SHORT: Option<&'static str> = None;
    /// What the compiler may rely on.
    const CONTRACT: Contract = Contract::NONE;
    /// Its configuration.
    type Config: DeserializeOwned + JsonSchema;

    /// Builds the filter and registers it for its phases. What is wrong with the configuration goes to `setup`.
    fn install(config: Self::Config, setup: &mut Setup<'_>, step: &mut Step);
}

/// What a filter declares about itself; the compiler checks the order of filters by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    /// It may answer or refuse, so shadow mode makes sense and later filters may not run.
    pub decides: bool,
    /// It answers CORS preflights, so it must stand before filters that refuse requests without credentials.
    pub answers_preflight: bool,
    /// It refuses callers by who or how many they are; a preflight must not meet it first.
    pub refuses_callers: bool,
    /// It changes the bytes of the reply's content.
    pub changes_reply_content: bool,
    /// It sets the request id that others may use.
    pub sets_request_id: bool,
    /// It uses the request id.
    pub uses_request_id: bool,
}

impl Contract {
    /// Nothing special.
    pub const NONE: Self = Self {
        decides: false,
        answers_preflight: false,
        refuses_callers: false,
        changes_reply_content: false,
        sets_request_id: false,
        uses_request_id: false,
    };
}

/// A kind of filter as a value, for the list.
pub struct Spec {
    /// Its name in the document.
    pub name: &'static str,
    /// The field that a scalar or list stands for.
    pub short: Option<&'static str>,
    /// What the compiler may rely on.
    pub contract: Contract,
    /// The JSON Schema of its configuration.
    pub schema: fn() -> Schema,
    install: fn(&FilterItem, &mut Setup<'_>, &mut Step),
}

impl Spec {
    /// The specification of a filter type.
    pub const fn of<F: Filter>() -> Self {
        Self {
            name: F::NAME,
            short: F::SHORT,
            contract: F::CONTRACT,
            schema: || schemars::schema_for!(F::Config),
            install: |item, setup, step| {
                if let Some(config) = decode_filter::<F::Config>(item, F::SHORT, setup.problems) {
                    F::install(config, setup, step);
                }
            },
        }
    }

    /// Decodes the configuration of an item and installs the filter; problems go to `setup`.
    pub fn install(&self, item: &FilterItem, setup: &mut Setup<'_>, step: &mut Step) {
        (self.install)(item, setup, step);
    }
}

/// What a filter may ask for while it is built.
pub struct Setup<'a> {
    /// Where problems go.
    pub problems: &'a mut Problems,
    /// Where the filter stands in the document.
    pub at: Span,
    /// The same as a path.
    pub path: Path,
    /// A name of this place that stays the same when filters are put before this one.
    pub place: &'a str,
    /// The path variables of the route; `None` where the filter is used by many routes.
    pub variables: Option<&'a [Box<str>]>,
    /// Finds a service by its name.
    pub services: &'a dyn Fn(&str) -> Option<ServiceId>,
    /// Reads a file by the name under which the document knows it, or says why not.
    pub files: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
    /// State that outlives a generation.
    pub keep: &'a Keep,
    /// How many workers there are, for [`menshen_proxy::stats::PerWorker`].
    pub workers: usize,
}

impl Setup<'_> {
    /// Reports an error about a field of the configuration; the empty name is the filter itself. A hint may be added.
    pub fn error(&mut self, field: &str, message: impl Into<String>) -> &mut Problem {
        let path = if field.is_empty() { self.path.clone() } else { self.path.key(field) };
        self.problems.error(self.at, path, message)
    }

    /// Warns about a field of the configuration.
    pub fn warn(&mut self, field: &str, message: impl Into<String>) {
        let path = if field.is_empty() { self.path.clone() } else { self.path.key(field) };
        self.problems.warning(self.at, path, message);
    }

    /// State of the filter of this step under a name of its own, which outlives the generation.
    pub fn kept<T: State>(&self, step: &Step, name: &str, make: impl FnOnce() -> T) -> Arc<T> {
        self.keep.get(&format!("{}#{name}", self.place), &step.id, make)
    }

    /// Reads a template; one that cannot be read is reported and becomes empty.
    pub fn template(&mut self, field: &str, text: &str) -> Template {
        Template::parse(text, self.variables).unwrap_or_else(|e| {
            self.error(field, e.to_string());
            Template::default()
        })
    }

    /// Reads a file that the configuration names; one that cannot be read is reported. A change of it is a change of the
    /// configuration.
    pub fn file(&mut self, field: &str, name: &str) -> Option<Vec<u8>> {
        (self.files)(name).map_err(|why| self.error(field, why)).ok()
    }

    /// Finds a service; an unknown one is reported.
    pub fn service(&mut self, field: &str, name: &str) -> Option<ServiceId> {
        let id = (self.services)(name);
        if id.is_none() {
            self.error(field, format!("no service named `{name}`"));
        }
        id
    }
}
