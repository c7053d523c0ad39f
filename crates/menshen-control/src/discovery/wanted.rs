//! What the configuration wants to be asked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use menshen_config::document::{Discover, DiscoverFrom, Registries};
use menshen_config::{Document, Path, Problems};

use super::listing::{self, Registry};
use super::{consul, eureka};
use crate::{Ground, generated, store};

/// All that is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// By service.
    pub services: BTreeMap<Box<str>, Wanted>,
    /// Who can be asked.
    pub registries: Arc<Registries>,
    /// Lists of services that routes are made of.
    pub lists: BTreeMap<Registry, listing::Wanted>,
    /// Where what is known is kept.
    pub folder: PathBuf,
}

/// What is asked for a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// As written.
    pub discover: Discover,
    /// Who can be asked.
    pub registries: Arc<Registries>,
}

impl Plan {
    /// That of a document. A registry that is asked and not described is a problem.
    pub(crate) fn of(document: &Document, ground: &Ground, problems: &mut Problems) -> Self {
        let registries = Arc::new(document.registries.clone());
        if let Some(eureka) = &registries.eureka {
            eureka::open::check(eureka, problems);
        }
        if let Some(consul) = &registries.consul {
            consul::open::check(consul, problems);
        }
        let mut services = BTreeMap::new();
        for (name, service) in document.services.iter() {
            let Some(discover) = &service.value.discover else { continue };
            let missing = match &discover.value.from {
                DiscoverFrom::Eureka(_) if registries.eureka.is_none() => {
                    Some(("eureka", "servers: http://127.0.0.1:8761/eureka"))
                }
                DiscoverFrom::Consul(_) if registries.consul.is_none() => {
                    Some(("consul", "address: http://127.0.0.1:8500"))
                }
                _ => None,
            };
            if let Some((kind, example)) = missing {
                let path = Path::root().key("services").key(name).key("discover");
                problems
                    .error(discover.span, path, format!("nothing says where `{kind}` is"))
                    .hint(format!("add `registries: {{ {kind}: {{ {example} }} }}`"));
            }
            let wanted = Wanted { discover: discover.value.clone(), registries: registries.clone() };
            services.insert(name.into(), wanted);
        }
        let folder = folder(document, ground);
        Self { services, lists: lists(document, ground), registries, folder }
    }
}

fn folder(document: &Document, ground: &Ground) -> PathBuf {
    let folder = store::folder(document.gateway.store.as_ref().map(|s| &*s.value.0));
    ground.files.resolve_path(&folder).join("discovered")
}

/// The lists of services that a document makes routes of.
pub(crate) fn lists(document: &Document, ground: &Ground) -> BTreeMap<Registry, listing::Wanted> {
    let wanted = || listing::Wanted {
        registries: Arc::new(document.registries.clone()),
        folder: listing::folder(&folder(document, ground)),
    };
    generated::registries(document).map(|registry| (registry, wanted())).collect()
}
