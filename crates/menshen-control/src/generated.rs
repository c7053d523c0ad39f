//! Routes that are generated: one for each service that a registry lists. They are put into the document beside those that
//! are written, so that they are compiled, shown and counted like all others. Their names say who lists the service:
//! `eureka:users`.

mod naming;
mod taken;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use menshen_config::document::{
    ConsulQuery, Discover, DiscoverFrom, EurekaQuery, Hold, NamePattern, Prefix, RegistryRoutes, Route,
    Service, Target,
};
use menshen_config::matching::{Match, PathPattern};
use menshen_config::{Document, Entry, OneOrMany, Path, Problems, Span, Spanned};
use menshen_proxy::pattern::glob_matches;

use crate::discovery::listing::Registry;
use naming::Naming;
use taken::Taken;

/// The most routes that a registry makes, where nothing else is said.
const AT_MOST: u32 = 1000;
/// So many services that get no route are named; the others are counted.
const NAMED: usize = 5;

/// The services that registries list.
pub type Lists = BTreeMap<Registry, Arc<[Box<str>]>>;

/// What became of the services that registries list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// What each registry has made whose list is known.
    pub tallies: BTreeMap<Registry, Tally>,
    /// Services without a route, and why, in words.
    pub left_out: Vec<LeftOut>,
}

/// How many of the services of a registry have routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Routes.
    pub routes: usize,
    /// Services that are wanted and get none.
    pub left_out: usize,
}

/// A service that a registry lists and that gets no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The name that its route would have.
    pub name: String,
    /// Why it has none.
    pub why: String,
}

/// The routes of a registry as they are written.
fn written(document: &Document, registry: Registry) -> Option<&Spanned<RegistryRoutes>> {
    let registries = &document.registries;
    match registry {
        Registry::Eureka => registries.eureka.as_ref()?.routes.as_ref(),
        Registry::Consul => registries.consul.as_ref()?.routes.as_ref(),
    }
}

/// The registries of which routes are made.
pub fn registries(document: &Document) -> impl Iterator<Item = Registry> {
    Registry::ALL.into_iter().filter(|registry| written(document, *registry).is_some())
}

/// The document with a route for each service that is listed. What is wrong with how they are to be made is a problem; what is wrong with
/// a service costs that service its route.
pub fn expand<'a>(
    document: &'a Document,
    lists: &Lists,
    problems: &mut Problems,
) -> (Cow<'a, Document>, Generated) {
    let (mut all, mut generated) = (Cow::Borrowed(document), Generated::default());
    for registry in registries(document) {
        let Some(routes) = written(document, registry) else { continue };
        let path = Path::root().key("registries").key(registry.word()).key("routes");
        let Some(naming) = Naming::of(routes, &path, problems) else { continue };
        let mut maker = Maker {
            registry,
            routes,
            naming,
            taken: Taken::of(&all, &routes.on),
            made: 0,
            left_out: Vec::new(),
        };
        for name in lists.get(&registry).map_or(&[][..], |list| list) {
            maker.take(name, document, all.to_mut());
        }
        warn(&maker.left_out, routes.span, &path, problems);
        if lists.contains_key(&registry) {
            let tally = Tally { routes: maker.made, left_out: maker.left_out.len() };
            generated.tallies.insert(registry, tally);
        }
        generated.left_out.append(&mut maker.left_out);
    }
    (all, generated)
}

fn warn(left_out: &[LeftOut], at: Span, path: &Path, problems: &mut Problems) {
    let Some((first, _)) = left_out.split_first() else { return };
    let mut message = match left_out.len() {
        1 => format!("a service gets no route: {}", first.name),
        n => format!("{n} services get no route: {}", first.name),
    };
    let _ = write!(message, " ({})", first.why);
    for other in left_out.iter().take(NAMED).skip(1) {
        let _ = write!(message, ", {} ({})", other.name, other.why);
    }
    problems.warning(at, path.clone(), message).hint("`menshen routes` shows all of them");
}

/// Makes the routes of one registry.
struct Maker<'a> {
    registry: Registry,
    routes: &'a Spanned<RegistryRoutes>,
    naming: Naming,
    taken: Taken,
    made: usize,
    left_out: Vec<LeftOut>,
}

impl Maker<'_> {
    fn take(&mut self, listed: &str, written: &Document, to: &mut Document) {
        let service = self.registry.name_of(listed);
        if !self.is_wanted(&service) || is_own(self.registry, &service, written) {
            return;
        }
        let name = format!("{}:{service}", self.registry.word());
        match self.route(&service, &name, written, to) {
            Ok(()) => self.made += 1,
            Err(why) => self.left_out.push(LeftOut { name, why }),
        }
    }

    fn is_wanted(&self, service: &str) -> bool {
        let is_one_of = |patterns: &[NamePattern]| {
            let is_it = |p: &NamePattern| {
                glob_matches(p.0.to_lowercase().as_bytes(), service.to_lowercase().as_bytes())
            };
            patterns.iter().any(is_it)
        };
        let RegistryRoutes { only, ignore, .. } = &self.routes.value;
        (only.is_empty() || is_one_of(only)) && !is_one_of(ignore)
    }

    fn route(
        &mut self,
        service: &str,
        name: &str,
        written: &Document,
        to: &mut Document,
    ) -> Result<(), String> {
        let RegistryRoutes { strip, on, scheme, filters, at_most, .. } = &self.routes.value;
        if self.made >= at_most.unwrap_or(AT_MOST) as usize {
            return Err("there are as many as `at-most` allows".to_owned());
        }
        let at = self.routes.span;
        let path = self.naming.path(service)?;
        if let Some(other) = self.taken.by(&path) {
            return Err(format!("route `{other}` has the same path `{}`", path.as_str()));
        }
        let from = source(self.registry, service)?;
        if to.routes.declares(name) {
            return Err("a route of this name is written".to_owned());
        }
        let target = service_for(name, from, at, written, to);
        let prefix = fixed_part(&path);
        let matches =
            Match { path: [Spanned::new(at, path.clone())].into_iter().collect(), ..Match::default() };
        let mut route = Route::new(Spanned::new(at, matches), Spanned::new(at, Target::Service(target)));
        route.on = OneOrMany(on.to_vec());
        route.scheme = OneOrMany(scheme.to_vec());
        route.filters.clone_from(filters);
        if strip.is_none_or(|strip| strip.is_on()) && !prefix.is_empty() {
            route.strip = Some(Box::new(Spanned::new(at, Prefix(prefix.into()))));
        }
        self.taken.add(&path, name);
        // The name is free, as was just seen.
        let _ = to.routes.insert(name, Entry { at, value: Arc::new(route) });
        Ok(())
    }
}

/// The path in front of what varies.
fn fixed_part(path: &PathPattern) -> String {
    use menshen_config::matching::Segment;
    let fixed = path.segments().iter().map_while(|segment| match segment {
        Segment::Literal(text) if !text.is_empty() => Some(text),
        _ => None,
    });
    fixed.fold(String::new(), |prefix, segment| format!("{prefix}/{segment}"))
}

/// How its instances are asked for. The name has come from the registry and must be one that can be asked for.
fn source(registry: Registry, service: &str) -> Result<DiscoverFrom, String> {
    match registry {
        Registry::Eureka => service.parse::<EurekaQuery>().map(DiscoverFrom::Eureka),
        Registry::Consul => service.parse::<ConsulQuery>().map(DiscoverFrom::Consul),
    }
    .map_err(|refusal| refusal.message)
}

/// The service that is written and asks for the same; else one of the route's name.
fn service_for(name: &str, from: DiscoverFrom, at: Span, written: &Document, to: &mut Document) -> Box<str> {
    let asks_the_same = |service: &Service| {
        service.discover.as_ref().is_some_and(|d| d.from.to_string().eq_ignore_ascii_case(&from.to_string()))
    };
    if let Some((own, _)) = written.services.iter().find(|(_, service)| asks_the_same(service)) {
        return own.into();
    }
    let discover = Discover { from, refresh: None, hold: Hold::default() };
    let service = Service { discover: Some(Spanned::new(at, discover)), ..Service::default() };
    // One that is there already has been written with this name on purpose.
    let _ = to.services.insert(name, Entry { at, value: Arc::new(service) });
    name.into()
}

/// True for this gateway itself, and for Consul, which lists its own servers.
fn is_own(registry: Registry, service: &str, document: &Document) -> bool {
    let registered = document.registries.eureka.as_ref().and_then(|eureka| eureka.register.as_ref());
    match registry {
        Registry::Eureka => registered.is_some_and(|own| own.app.eq_ignore_ascii_case(service)),
        Registry::Consul => service == "consul",
    }
}

#[cfg(test)]
mod tests;
