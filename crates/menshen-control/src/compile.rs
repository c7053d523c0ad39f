//! Document → snapshot. Checking is compiling without publishing: the same function for `menshen check`, a reload
//! and the first start.

mod acme;
mod balance;
mod chain;
mod listener;
mod matching;
mod mirror;
mod order;
mod overload;
mod registration;
mod route;
mod service;
mod settings;
mod sockets;
mod split;
mod tls;

use std::borrow::Cow;
use std::sync::Arc;

pub(crate) use tls::{provider, system_roots};

use menshen_config::{Document, Problems};
use menshen_proxy::{Gateway, Listener, Service};

use crate::Ground;
use crate::acme::Plan;
use crate::discovery;
use crate::discovery::eureka::registration::Registration;
use crate::generated::{self, Generated};
use service::Services;

/// A linear-time pattern that must match from start to end.
///
/// # Errors
/// What is wrong with it, for people.
pub fn whole_match(text: &str) -> Result<regex::bytes::Regex, String> {
    route::regex(&format!("^(?:{text})$"))
}

/// Whether sockets are opened and names resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be served.
    Serve,
    /// To be looked at: nothing is opened and nobody is asked.
    Check,
}

/// A compiled document.
pub struct Compiled {
    /// The listeners with their routes.
    pub listeners: Arc<[Arc<Listener>]>,
    /// The services, in the order of their numbers.
    pub services: Arc<[Arc<Service>]>,
    /// What holds for the whole gateway.
    pub gateway: Arc<Gateway>,
    /// The certificates that are to be got.
    pub acme: Option<Arc<Plan>>,
    /// Who is asked where services are.
    pub discovery: Arc<discovery::Plan>,
    /// What is said of this gateway to others.
    pub registration: Option<Registration>,
    /// The routes that were made of what registries list.
    pub generated: Option<Generated>,
    /// The services as documents, to compile their endpoints anew.
    pub(crate) plans: Services,
}

/// The document with the routes that are made of what registries list, as far as that is known; what became of the listed services, if there
/// are to be such routes.
pub fn with_generated<'a>(
    document: &'a Document,
    ground: &Ground,
    problems: &mut Problems,
) -> (Cow<'a, Document>, Option<Generated>) {
    let wanted = discovery::lists(document, ground);
    if wanted.is_empty() {
        return (Cow::Borrowed(document), None);
    }
    let known = wanted.iter().filter_map(|(registry, wanted)| {
        let list = ground.discovery.list(*registry, wanted)?;
        Some((*registry, list))
    });
    let (document, generated) = generated::expand(document, &known.collect(), problems);
    (document, Some(generated))
}

/// Compiles a document. All problems are added to `problems`; with an error among them there is no result.
pub fn compile(
    document: &Document,
    ground: &Ground,
    purpose: Purpose,
    problems: &mut Problems,
) -> Option<Compiled> {
    ground.files.forget();
    let (document, generated) = with_generated(document, ground, problems);
    let document = &*document;
    let mut services = Services::of(document);
    let gateway = settings::gateway(document, ground, problems);
    let acme = acme::compile(document, ground, purpose, problems);
    let discovery = discovery::Plan::of(document, ground, problems);
    let mut builder = chain::Builder::new(document, ground);
    let listeners: Vec<Arc<Listener>> = document
        .listeners
        .iter()
        .filter_map(|(name, entry)| {
            let mut place =
                listener::Place { document, ground, purpose, services: &mut services, chains: &mut builder };
            listener::compile(name, entry, &mut place, problems).map(Arc::new)
        })
        .collect();
    sockets::check_addresses(document, ground, problems);
    route::check_references(document, problems);
    if document.listeners.is_empty() && !problems.has_errors() {
        problems
            .error(
                menshen_config::Span::default(),
                "listeners",
                "there is no listener, so nobody could ask anything",
            )
            .hint("add `listeners: { web: { bind: 127.0.0.1:8001 } }`");
    }
    // For a document that is refused nobody is asked for addresses: what they say would hide why.
    let purpose = if problems.has_errors() { Purpose::Check } else { purpose };
    if purpose == Purpose::Serve {
        ground.discovery.prepare(&discovery);
    }
    let registration = registration::compile(document, &listeners, ground, purpose, problems);
    let list = services.compile(ground, purpose, problems);
    problems.sort();
    if problems.has_errors() {
        return None;
    }
    Some(Compiled {
        listeners: listeners.into(),
        services: list,
        gateway: Arc::new(gateway),
        acme: acme.map(Arc::new),
        discovery: Arc::new(discovery),
        registration,
        generated,
        plans: services,
    })
}
