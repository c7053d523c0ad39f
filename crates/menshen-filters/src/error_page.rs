//! `error-page`: words what clients read when something fails.

use std::sync::Arc;

use indexmap::IndexMap;
use menshen_proxy::chain::Step;
use menshen_proxy::{ErrorFilter, Exchange, Failure, Maker, PostFilter, Recovery, Reply};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::page::{Occasion, Page, PageConfig};
use crate::trigger::Trigger;
use crate::{Filter, Setup};

/// Words what clients read when something fails, instead of `application/problem+json`. The status, `Retry-After` and
/// the code in the log stay, so that programs and people still know what happened.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Pages by what they are for: a status such as `404`, a class such as `5xx`, or a code such as `rate-limited`.
    /// The most precise one is taken: a code before a status before a class.
    pages: IndexMap<Trigger, PageConfig>,
    /// Whether the service's own answers with such a status are replaced too. Default `keep`.
    #[serde(default)]
    service_errors: ServiceErrors,
}

/// What happens to errors that the service words itself.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum ServiceErrors {
    /// They are passed on.
    #[default]
    Keep,
    /// They get the page for their status or class, so that no service shows its insides.
    Replace,
}

/// The filter.
pub struct ErrorPage {
    /// The most precise first.
    pages: Box<[(Trigger, Page)]>,
}

impl Filter for ErrorPage {
    const NAME: &'static str = "error-page";
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        let Config { pages, service_errors } = config;
        if pages.is_empty() {
            setup.error("pages", "there is no page").hint("write for example `pages: { 5xx: { html: … } }`");
        }
        let mut list = Vec::new();
        for (trigger, page) in pages {
            let page = Page::new(page, "pages", setup);
            if page.is_empty() {
                setup.error("pages", "a page says nothing").hint("give it `html`, `json` or `body`");
            }
            list.push((trigger, page));
        }
        list.sort_by(|(a, _), (b, _)| b.cmp(a));
        let filter = Arc::new(Self { pages: list.into() });
        if service_errors == ServiceErrors::Replace {
            step.post(filter.clone());
        }
        step.error(filter);
    }
}

impl ErrorPage {
    fn find(&self, status: u16, code: Option<&str>) -> Option<&Page> {
        self.pages.iter().find(|(trigger, _)| trigger.matches(status, code)).map(|(_, page)| page)
    }
}

impl ErrorFilter for ErrorPage {
    fn error(&self, exchange: &mut Exchange, failure: Failure, reply: &mut Reply) -> Recovery {
        if let Some(page) = self.find(failure.status(), Some(failure.code())) {
            page.put(exchange, &Occasion::failure(failure), reply);
        }
        // A route's own page may come after the one of its listener.
        Recovery::Continue
    }
}

impl PostFilter for ErrorPage {
    fn post(&self, exchange: &mut Exchange, reply: &mut Reply) -> Result<(), Failure> {
        let status = reply.head.status;
        if reply.maker == Maker::Service
            && status >= 400
            && let Some(page) = self.find(status, None)
        {
            page.put(exchange, &Occasion::reply_of_service(status), reply);
            reply.maker = Maker::Gateway;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
