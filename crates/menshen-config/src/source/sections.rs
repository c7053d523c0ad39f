//! The sections of one text.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::decode::{Recovered, decode};
use crate::document::{Gateway, Listener, Named, Registries, Route, Scheme, Service};
use crate::node::{Key, Node};
use crate::path::Path;
use crate::problem::Problems;
use crate::span::{FileId, Span, Spanned};
use crate::yaml;

/// The parts of a document as they stand in one file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub(crate) struct Sections {
    /// The gateway itself: what holds for all listeners and routes.
    pub(super) gateway: Option<Spanned<Recovered<Gateway>>>,
    /// Who can be asked for the endpoints of services.
    pub(super) registries: Option<Spanned<Recovered<Registries>>>,
    /// Where requests come in, by name.
    pub(super) listeners: Named<Listener>,
    /// Where requests go to, by name.
    pub(super) services: Named<Service>,
    /// Combinations of filters that routes can refer to, by name.
    pub(super) schemes: Named<Scheme>,
    /// Which request goes where, and how, by name.
    pub(super) routes: Named<Route>,
}

impl Sections {
    /// Reads a text. Each entry is decoded as soon as its YAML is read, so that there is never a tree of all of them.
    pub(super) fn read(file: FileId, text: &str, problems: &mut Problems) -> Self {
        let mut entries = Entries::default();
        let Some(rest) = yaml::parse_to(&mut entries, file, text, problems) else { return Self::default() };
        problems.append(entries.problems);
        let Self { gateway, registries, .. } = decode(&rest, &Path::root(), problems).unwrap_or_default();
        Self { gateway, registries, ..entries.sections }
    }

    /// The section of this name, if it is one of things by name.
    fn section(&mut self, name: &str) -> Option<&mut dyn Section> {
        Some(match name {
            "listeners" => &mut self.listeners,
            "services" => &mut self.services,
            "schemes" => &mut self.schemes,
            "routes" => &mut self.routes,
            _ => return None,
        })
    }
}

/// A section of which entries can be decoded one by one.
trait Section {
    fn place_of(&self, name: &str) -> Option<Span>;
    fn read(&mut self, key: &Key, value: &Node, at: &Path, problems: &mut Problems);
}

impl<T: DeserializeOwned> Section for Named<T> {
    fn place_of(&self, name: &str) -> Option<Span> {
        Named::place_of(self, name)
    }

    fn read(&mut self, key: &Key, value: &Node, at: &Path, problems: &mut Problems) {
        Named::read(self, key, value, at, problems);
    }
}

/// Decodes entries as they come.
#[derive(Default)]
struct Entries {
    sections: Sections,
    /// The section that was opened last.
    open: Path,
    problems: Problems,
}

impl yaml::Receiver for Entries {
    fn opens(&mut self, section: &str) -> bool {
        self.open = Path::root().key(section);
        self.sections.section(section).is_some()
    }

    fn line_of(&mut self, name: &str) -> Option<u32> {
        let section = self.sections.section(self.open.as_str())?;
        section.place_of(name).map(|at| at.line)
    }

    fn take(&mut self, key: &Key, value: &Node) {
        if let Some(section) = self.sections.section(self.open.as_str()) {
            section.read(key, value, &self.open, &mut self.problems);
        }
    }
}
