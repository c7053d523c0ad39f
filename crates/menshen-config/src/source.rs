//! Texts in, one document out.

mod sections;

use std::sync::Arc;

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::document::Document;
use crate::path::Path;
use crate::problem::{Problem, Problems};
use crate::span::{FileId, Span};

pub(crate) use sections::Sections;

/// A text and the name that problems call it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Usually the path of a file.
    pub name: String,
    /// YAML.
    pub text: String,
}

impl Source {
    /// A text with a name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// Reads all texts as one document. What could be read is in the document, what was wrong is in the problems, in the
/// order of the texts; a document with errors must not be used.
pub fn parse(sources: &[Source]) -> (Document, Problems) {
    Reader::new().read(sources)
}

/// Reads the same files again and again, and those that did not change only once.
#[derive(Debug, Default)]
pub struct Reader {
    /// The name of each file that was ever read; its index is its [`FileId`].
    files: IndexSet<Arc<str>, FxBuildHasher>,
    parsed: FxHashMap<FileId, Parsed>,
}

/// One file, read by itself.
#[derive(Debug)]
struct Parsed {
    text: Arc<str>,
    sections: Sections,
    problems: Vec<Problem>,
}

impl Reader {
    /// A reader that has read nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what the files said, which a large document needs much memory for; the next reading parses them anew.
    pub fn forget(&mut self) {
        self.parsed.clear();
    }

    /// Like [`parse`]; files whose name and text are the same as last time are not parsed again, and their entries in
    /// the document are the same `Arc`s.
    pub fn read(&mut self, sources: &[Source]) -> (Document, Problems) {
        let files: Vec<FileId> = sources.iter().map(|source| self.file(&source.name)).collect();
        let current: FxHashSet<FileId> = files.iter().copied().collect();
        self.parsed.retain(|file, _| current.contains(file));
        for (source, &file) in sources.iter().zip(&files) {
            let unchanged = self.parsed.get(&file).is_some_and(|parsed| *parsed.text == *source.text);
            if !unchanged {
                self.parsed.insert(file, Parsed::new(file, source));
            }
        }
        self.merge(sources, &files)
    }

    fn file(&mut self, name: &str) -> FileId {
        let index = self.files.get_index_of(name).unwrap_or_else(|| self.files.insert_full(name.into()).0);
        FileId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    fn merge(&self, sources: &[Source], files: &[FileId]) -> (Document, Problems) {
        let (mut document, mut problems) = (Document::default(), Problems::new());
        let (mut gateway, mut registries): (Option<Span>, Option<Span>) = (None, None);
        let parsed: Vec<(FileId, &str, &Parsed)> = sources
            .iter()
            .zip(files)
            .filter_map(|(source, file)| Some((*file, &*source.name, self.parsed.get(file)?)))
            .collect();
        for (file, name, parsed) in &parsed {
            problems.name_file(*file, *name, Some(Arc::clone(&parsed.text)));
        }
        for (_, _, parsed) in parsed {
            let Parsed { text: _, sections, problems: found } = parsed;
            found.iter().for_each(|problem| problems.retell(problem.clone()));
            let Sections { gateway: mine, registries: asked, listeners, services, schemes, routes } =
                sections;
            if let Some(mine) = mine {
                match gateway {
                    Some(first) => self.twice(&mut problems, &Path::root(), "gateway", first, mine.span),
                    None => {
                        gateway = Some(mine.span);
                        document.gateway = mine.value.0.clone().unwrap_or_default();
                    }
                }
            }
            if let Some(asked) = asked {
                match registries {
                    Some(first) => {
                        self.twice(&mut problems, &Path::root(), "registries", first, asked.span);
                    }
                    None => {
                        registries = Some(asked.span);
                        document.registries = asked.value.0.clone().unwrap_or_default();
                    }
                }
            }
            let mut twice = |section: &str, name: &str, first, second| {
                self.twice(&mut problems, &Path::root().key(section), name, first, second);
            };
            document
                .listeners
                .merge(listeners, |name, first, second| twice("listeners", name, first, second));
            document.services.merge(services, |name, first, second| twice("services", name, first, second));
            document.schemes.merge(schemes, |name, first, second| twice("schemes", name, first, second));
            document.routes.merge(routes, |name, first, second| twice("routes", name, first, second));
        }
        problems.sort();
        (document, problems)
    }

    fn twice(&self, problems: &mut Problems, section: &Path, name: &str, first: Span, second: Span) {
        let file = self.files.get_index(first.file.0 as usize).map_or("", |file| file);
        let message = format!("`{name}` is given twice, first in {file}:{}", first.line);
        let hint = if section.as_str().is_empty() { "keep it in one file" } else { "keep one of them" };
        problems.error(second, section, message).hint(hint);
    }
}

impl Parsed {
    fn new(file: FileId, source: &Source) -> Self {
        let mut problems = Problems::new();
        let sections = Sections::read(file, &source.text, &mut problems);
        Self { text: source.text.as_str().into(), sections, problems: problems.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests;
