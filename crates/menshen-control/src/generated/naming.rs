//! How the name of a service becomes a path.

use menshen_config::document::RegistryRoutes;
use menshen_config::matching::PathPattern;
use menshen_config::{Path, Problems, Spanned};

/// What `path` is where nothing else is said, or the name is not of the form that is expected.
const PATH: &str = "/${service}/**";
/// The longest name that becomes a path, in bytes.
const LONGEST: usize = 128;
/// The group that is always there.
const SERVICE: &str = "service";

/// How the name of a service becomes a path.
pub(super) struct Naming {
    pattern: Option<regex::Regex>,
    path: Box<str>,
}

impl Naming {
    /// As it is written; `None` when that cannot work.
    pub(super) fn of(routes: &Spanned<RegistryRoutes>, path: &Path, problems: &mut Problems) -> Option<Self> {
        let pattern = match &routes.name {
            None => None,
            Some(text) => match whole(text) {
                Ok(regex) => Some(regex),
                Err(why) => {
                    problems.error(text.span, path.key("name"), why);
                    return None;
                }
            },
        };
        let written = routes.path.as_ref();
        let naming = Self { pattern, path: written.map_or(PATH, |path| &path.value).into() };
        let span = written.map_or(routes.span, |path| path.span);
        let known = naming.groups();
        let unknown = names(&naming.path).find(|name| !known.contains(name));
        if let Some(unknown) = unknown {
            problems
                .error(span, path.key("path"), format!("nothing is called `${{{unknown}}}`"))
                .hint(format!("there are `${{{}}}`", known.join("}`, `${")));
            return None;
        }
        if names(&naming.path).next().is_none() {
            problems
                .error(span, path.key("path"), "all services would have the same path")
                .hint("write for example `/${service}/**`");
            return None;
        }
        match filled(&naming.path, |_| Some("x")).parse::<PathPattern>() {
            Ok(_) => Some(naming),
            Err(refusal) => {
                problems.error(span, path.key("path"), refusal.message).maybe_hint(refusal.hint);
                None
            }
        }
    }

    fn groups(&self) -> Vec<&str> {
        let groups = self.pattern.iter().flat_map(|p| p.capture_names().flatten());
        std::iter::once(SERVICE).chain(groups).collect()
    }

    /// The path of a service, or why it has none.
    pub(super) fn path(&self, service: &str) -> Result<PathPattern, String> {
        is_safe(service)?;
        let captures = self.pattern.as_ref().map(|pattern| pattern.captures(service));
        let text = match captures {
            Some(None) => filled(PATH, |_| Some(service)),
            None => filled(&self.path, |_| Some(service)),
            Some(Some(groups)) => filled(&self.path, |name| match groups.name(name) {
                Some(group) => Some(group.as_str()),
                None if name == SERVICE => Some(service),
                // A group of a part that may be missing.
                None => None,
            }),
        };
        text.parse()
            .map_err(|refusal: menshen_config::Refusal| format!("{}, made of its name", refusal.message))
    }
}

/// A name is a segment of a path that nobody reads in another way.
fn is_safe(service: &str) -> Result<(), String> {
    let is_good = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    if service.len() > LONGEST {
        return Err(format!("its name is longer than {LONGEST} bytes"));
    }
    match !service.is_empty() && service.bytes().all(is_good) && !service.bytes().all(|b| b == b'.') {
        true => Ok(()),
        false => Err("its name cannot stand in a path".to_owned()),
    }
}

/// A linear-time pattern on the whole name, of bounded size.
fn whole(text: &str) -> Result<regex::Regex, String> {
    const LARGEST: usize = 1 << 18;
    regex::RegexBuilder::new(&format!("^(?:{text})$"))
        .size_limit(LARGEST)
        .dfa_size_limit(LARGEST)
        .build()
        .map_err(|e| format!("`{text}` is not a regular expression: {}", last_line(&e.to_string())))
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// The names in `${…}`.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

/// The text with what each `${name}` stands for. Slashes that meet because nothing stands between them are one.
fn filled<'t>(text: &str, value: impl Fn(&str) -> Option<&'t str>) -> String {
    let mut parts = text.split("${");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('}') {
            Some((name, rest)) => {
                out.push_str(value(name).unwrap_or_default());
                out.push_str(rest);
            }
            None => out.push_str(part),
        }
    }
    while out.contains("//") {
        out = out.replace("//", "/");
    }
    out
}
