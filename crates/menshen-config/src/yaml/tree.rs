//! From the parser's events to a tree, refusing what is not allowed on the way.

use std::ops::ControlFlow;

use super::entries::Entries;
use super::*;
use crate::node::Key;

/// A list or map that is not closed yet.
struct Open {
    span: Span,
    /// Flow collections end at their bracket, block collections where their last child ends.
    flow: bool,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Entries, key: Option<Key> },
}

/// The tree as far as it has been read.
pub(super) struct Tree<'p> {
    file: FileId,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    broken: bool,
    receiver: &'p mut dyn Receiver,
    pub(super) problems: &'p mut Problems,
}

impl<'p> Tree<'p> {
    pub(super) fn new(file: FileId, receiver: &'p mut dyn Receiver, problems: &'p mut Problems) -> Self {
        Self { file, open: Vec::new(), root: None, documents: 0, broken: false, receiver, problems }
    }

    /// Takes the next event; breaks when reading on makes no sense.
    pub(super) fn take(&mut self, event: Event<'_>, span: saphyr_parser::Span) -> ControlFlow<()> {
        let at = self.span(span);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => return self.document(at),
            Event::Alias(_) => {
                self.refuse(
                    at,
                    "aliases (`*name`) are not allowed",
                    "write the value out, or quote text that starts with `*`",
                );
                self.skip();
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.decorations(at, anchor, tag.as_deref());
                let (escapes, text) = Escapes::of(text);
                self.scalar(up_to_quote(at, &text, escapes, style), Scalar::new(text, style_of(style)));
            }
            Event::SequenceStart(anchor, tag) => {
                self.decorations(at, anchor, tag.as_deref());
                return self.start(at, Content::List(Vec::new()));
            }
            Event::MappingStart(anchor, tag) => {
                self.decorations(at, anchor, tag.as_deref());
                let entries = self.entries();
                return self.start(at, Content::Map { entries, key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(at),
        }
        ControlFlow::Continue(())
    }

    /// The tree; `None` if reading was given up.
    pub(super) fn finish(self) -> Option<Node> {
        match self.root {
            _ if self.broken => None,
            Some(root) => Some(root),
            None => Some(Node::empty_map(Span {
                line: 1,
                column: 1,
                end_line: 1,
                end_column: 1,
                ..Span::whole(self.file)
            })),
        }
    }

    fn document(&mut self, at: Span) -> ControlFlow<()> {
        self.documents += 1;
        if self.documents == 1 {
            return ControlFlow::Continue(());
        }
        self.refuse(at, "a second YAML document starts here", "put it into its own file or remove the `---`");
        ControlFlow::Break(())
    }

    fn decorations(&mut self, at: Span, anchor: usize, tag: Option<&saphyr_parser::Tag>) {
        if anchor != 0 {
            self.refuse(
                at,
                "anchors (`&name`) are not allowed",
                "write the value out, or quote text that starts with `&`",
            );
        }
        if tag.is_some() {
            self.refuse(
                at,
                "tags (`!name`) are not allowed",
                "remove it, or quote text that starts with `!`",
            );
        }
    }

    fn start(&mut self, at: Span, content: Content) -> ControlFlow<()> {
        if self.open.len() == MAX_DEPTH {
            self.refuse(at, &format!("nested deeper than {MAX_DEPTH} levels"), "no configuration needs that");
            self.broken = true;
            return ControlFlow::Break(());
        }
        if self.expects_key() {
            self.refuse(
                at,
                "a key must be plain text, not a list or map",
                "quote text that starts with `{` or `[`",
            );
            self.broken = true;
            return ControlFlow::Break(());
        }
        let flow = (at.end_line, at.end_column) > (at.line, at.column);
        self.open.push(Open { span: at, flow, content });
        ControlFlow::Continue(())
    }

    /// Room for the entries of the map that starts here. Those of a section may be wanted one by one.
    fn entries(&mut self) -> Entries {
        let [Open { content: Content::Map { entries, key: Some(section) }, .. }] = self.open.as_mut_slice()
        else {
            return Entries::kept();
        };
        let is_first = entries.line_of(&section.name, self.receiver).is_none();
        match is_first && self.receiver.opens(&section.name) {
            true => Entries::handed_over(),
            false => Entries::kept(),
        }
    }

    fn end(&mut self, at: Span) {
        let Some(Open { mut span, flow, content }) = self.open.pop() else { return };
        let (value, last) = match content {
            Content::List(items) => {
                let last = items.last().map(|item| item.span);
                (Value::List(items), last)
            }
            Content::Map { entries, .. } => {
                let (entries, last) = entries.close();
                (Value::Map(entries), last)
            }
        };
        span = if flow { span.to(at) } else { span.to(last.unwrap_or(span)) };
        self.place(Node { span, value });
    }

    fn scalar(&mut self, at: Span, scalar: Scalar) {
        if !self.expects_key() {
            let nothing = scalar.style == Style::Plain && scalar.text.is_empty();
            let span = if nothing { self.after_key().unwrap_or(at) } else { at };
            return self.place(Node { span, value: Value::Scalar(scalar) });
        }
        let plain = scalar.style == Style::Plain;
        if plain && scalar.text.is_empty() {
            self.refuse(at, "a key is missing here", "write `name: value`");
        }
        if plain && &*scalar.text == "<<" {
            self.refuse(at, "merge keys (`<<`) are not allowed", "write the entries out");
        }
        if let Some(Open { content: Content::Map { key, .. }, .. }) = self.open.last_mut() {
            *key = Some(Key { span: at, name: scalar.text });
        }
    }

    /// Leaves out the value that would come here, and its key, so that nothing is said about it twice.
    fn skip(&mut self) {
        if let Some(Open { content: Content::Map { key, .. }, .. }) = self.open.last_mut() {
            // A key that cannot be read still needs a name for its value to go away with.
            *key = if key.is_some() {
                None
            } else {
                Some(Key { span: Span::whole(self.file), name: "*".into() })
            };
        }
    }

    /// The place of a value that was not written: right after its key.
    fn after_key(&self) -> Option<Span> {
        match &self.open.last()?.content {
            Content::Map { key: Some(key), .. } => {
                Some(Span { line: key.span.end_line, column: key.span.end_column + 1, ..key.span }.widened())
            }
            _ => None,
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Map { key: None, .. }, .. }))
    }

    fn place(&mut self, node: Node) {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key }) => {
                let Some(key) = key.take() else { return };
                match entries.line_of(&key.name, self.receiver) {
                    Some(first) => self.duplicate(&key, first),
                    None => entries.add(key, node, self.receiver),
                }
            }
        }
    }

    fn duplicate(&mut self, key: &Key, first: u32) {
        let path = self.path();
        let message = format!("`{}` is given twice, first in line {first}", key.name);
        self.problems.error(key.span, path, message).hint("keep one of them");
    }

    fn refuse(&mut self, at: Span, message: &str, hint: &str) {
        let path = self.path();
        self.problems.error(at, path, message).hint(hint);
    }

    /// The way to the value being read.
    fn path(&self) -> Path {
        self.open.iter().fold(Path::root(), |path, open| match &open.content {
            Content::List(items) => path.index(items.len()),
            Content::Map { key: Some(key), .. } => path.key(&key.name),
            Content::Map { key: None, .. } => path,
        })
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span {
            file: self.file,
            line: number(span.start.line()),
            column: number(span.start.col() + 1),
            end_line: number(span.end.line()),
            end_column: number(span.end.col() + 1),
        }
    }
}

/// Whether the text differs from what was written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    Some,
}

impl Escapes {
    /// The parser borrows a text without escapes from the source.
    fn of(text: Cow<'_, str>) -> (Self, Cow<'_, str>) {
        let escapes = if matches!(text, Cow::Borrowed(_)) { Self::None } else { Self::Some };
        (escapes, text)
    }
}

/// The parser's span of a quoted text goes on to what comes next; where the width of the text is known, this one ends
/// at its quote.
fn up_to_quote(span: Span, text: &str, escapes: Escapes, style: ScalarStyle) -> Span {
    let quotes = match style {
        ScalarStyle::SingleQuoted => 2 + text.matches('\'').count(),
        ScalarStyle::DoubleQuoted if escapes == Escapes::None => 2,
        _ => return span,
    };
    let width = u32::try_from(text.chars().count() + quotes).unwrap_or(u32::MAX);
    match span.line == span.end_line && !text.contains('\n') {
        true => Span { end_column: span.end_column.min(span.column.saturating_add(width)), ..span },
        false => span,
    }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::Single,
        ScalarStyle::DoubleQuoted => Style::Double,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

impl Span {
    /// An empty span that starts after its own end ends where it starts.
    fn widened(self) -> Span {
        Span { end_column: self.end_column.max(self.column), ..self }
    }
}
