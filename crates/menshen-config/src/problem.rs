//! What is wrong with a document, all of it at once.

mod excerpt;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::span::{FileId, Span};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The document cannot be used.
    Error,
    /// The document works, but probably not as meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// One thing that is wrong: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Name of the file, empty if there is none.
    pub file: Arc<str>,
    /// Where in the file.
    #[serde(flatten)]
    pub at: Span,
    /// Where in the document, such as `routes.users.to`; empty for the document itself.
    pub path: String,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// Adds what to do about it.
    pub fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what to do about it, if anything is known.
    pub fn maybe_hint(&mut self, hint: Option<String>) -> &mut Self {
        self.hint = hint.or(self.hint.take());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { severity, file, at, path, message, hint } = self;
        if !file.is_empty() {
            write!(f, "{file}:")?;
        }
        if at.line > 0 {
            write!(f, "{}:{}:", at.line, at.column)?;
        }
        if !file.is_empty() || at.line > 0 {
            f.write_str(" ")?;
        }
        write!(f, "{severity}: ")?;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        f.write_str(message)?;
        match hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// A file that problems may be about.
#[derive(Clone, Debug, Default)]
struct File {
    name: Arc<str>,
    text: Option<Arc<str>>,
}

/// All problems of one reading, and the names of the files they are in.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    files: Vec<File>,
    list: Vec<Problem>,
}

impl Problems {
    /// No problems, no files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `file` its name and, for excerpts, its text.
    pub fn name_file(&mut self, file: FileId, name: impl Into<Arc<str>>, text: Option<Arc<str>>) {
        let index = file.0 as usize;
        if self.files.len() <= index {
            self.files.resize(index + 1, File::default());
        }
        self.files[index] = File { name: name.into(), text };
    }

    /// Notes an error.
    pub fn error(&mut self, at: Span, path: impl fmt::Display, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Error, at, path.to_string(), message.into())
    }

    /// Notes a warning.
    pub fn warning(&mut self, at: Span, path: impl fmt::Display, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Warning, at, path.to_string(), message.into())
    }

    fn add(&mut self, severity: Severity, at: Span, path: String, message: String) -> &mut Problem {
        let file = self.files.get(at.file.0 as usize).map(|file| Arc::clone(&file.name)).unwrap_or_default();
        let index = self.list.len();
        self.list.push(Problem { severity, file, at, path, message, hint: None });
        &mut self.list[index]
    }

    /// Takes over the problems of another reading of the same files.
    pub fn append(&mut self, mut other: Problems) {
        self.list.append(&mut other.list);
    }

    /// Takes over a problem of another reading, with the file name it has here.
    pub(crate) fn retell(&mut self, problem: Problem) {
        let Problem { severity, at, path, message, hint, .. } = problem;
        self.add(severity, at, path, message).maybe_hint(hint);
    }

    /// Takes over single problems, with the file names they already carry.
    pub fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.list.extend(problems);
    }

    /// Puts the problems in the order of files and lines.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|problem| (problem.at.file, problem.at.line, problem.at.column));
    }

    /// Whether nothing at all was noted.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Errors and warnings.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the document cannot be used.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The problems, in the order of [`Problems::sort`] if that was called, else as they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// The line a problem is about with a mark under the place, ready to print below the problem; `None` if the
    /// text of the file is not at hand, or if the place may hold a secret.
    pub fn excerpt(&self, problem: &Problem) -> Option<String> {
        if problem.message == crate::quantity::SECRET_IN_PLAIN {
            return None;
        }
        let text = self.files.get(problem.at.file.0 as usize)?.text.as_deref()?;
        excerpt::of(text, problem.at)
    }

    /// Every problem, the first hundred with their excerpts, as a terminal shows them.
    pub fn with_excerpts(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            for (index, problem) in self.in_order().into_iter().enumerate() {
                writeln!(f, "{problem}")?;
                if let Some(excerpt) = (index < 100).then(|| self.excerpt(problem)).flatten() {
                    writeln!(f, "{excerpt}")?;
                }
            }
            Ok(())
        })
    }

    fn in_order(&self) -> Vec<&Problem> {
        let mut list: Vec<&Problem> = self.list.iter().collect();
        list.sort_by_key(|problem| (problem.at.file, problem.at.line, problem.at.column));
        list
    }
}

/// One line per problem, in the order of the files.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.in_order().into_iter().try_for_each(|problem| writeln!(f, "{problem}"))
    }
}

impl std::error::Error for Problems {}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(line: u32, column: u32) -> Span {
        Span { file: FileId(0), line, column, end_line: line, end_column: column + 4 }
    }

    #[test]
    fn a_problem_prints_like_a_compiler_message() {
        let mut problems = Problems::new();
        problems.name_file(FileId(0), "menshen.yaml", Some("routes:\n  to: usrs\n".into()));
        problems
            .error(span(2, 7), "routes.users.to", "no service named `usrs`")
            .hint("did you mean `users`?");
        assert_eq!(
            problems.to_string(),
            "menshen.yaml:2:7: error: routes.users.to: no service named `usrs`; did you mean `users`?\n"
        );
        assert_eq!(
            problems.with_excerpts().to_string(),
            format!("{problems}    2 |   to: usrs\n      |       ^^^^\n")
        );
    }

    #[test]
    fn an_excerpt_never_shows_a_secret() {
        let mut problems = Problems::new();
        problems.name_file(FileId(0), "a.yaml", Some("key: hunter2\n".into()));
        let refusal = "hunter2".parse::<crate::quantity::Secret>().unwrap_err();
        problems.error(span(1, 6), "key", refusal.message);
        assert!(!problems.with_excerpts().to_string().contains("hunter2"));
    }

    #[test]
    fn problems_print_in_the_order_of_lines() {
        let mut problems = Problems::new();
        problems.error(span(9, 1), "", "later");
        problems.warning(span(3, 1), "", "sooner");
        assert_eq!(problems.to_string(), "3:1: warning: sooner\n9:1: error: later\n");
        assert!(problems.has_errors());
    }
}
