//! `access-log`: what the lines of a route say, and whether there are any.

use std::sync::Arc;

use indexmap::IndexMap;
use menshen_config::Spanned;
use menshen_proxy::access_log::{LineFields, LineNote, Lines as Line, MEMBERS};
use menshen_proxy::chain::Step;
use menshen_proxy::http1::valid_name;
use menshen_proxy::template::Template;
use menshen_proxy::{Exchange, Flow, PreFilter};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Filter, Setup};

/// Adds fields to the lines of the access log, or turns the lines off: `access-log: off` for health checks. A request
/// that an earlier filter refuses does not get here, so this filter stands best before all others.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Which requests get a line: `all`, `failed` or `off`. Default: what an earlier `access-log` says, else `all`.
    lines: Option<Lines>,
    /// Further fields of a line: a name and the template of its value, made when the exchange has ended. They take the
    /// place of those with the same names in the `access-log` of the gateway.
    fields: IndexMap<String, Spanned<String>>,
}

/// Which requests get a line.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Lines {
    /// All.
    All,
    /// Those whose reply has a status of 400 or above, and those that were cut short.
    Failed,
    /// None.
    Off,
}

/// The filter.
pub struct AccessLog {
    lines: Option<Line>,
    fields: Option<Arc<LineFields>>,
}

impl Filter for AccessLog {
    const NAME: &'static str = "access-log";
    const SHORT: Option<&'static str> = Some("lines");
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        let Config { lines, fields } = config;
        if lines.is_none() && fields.is_empty() {
            setup.error("", "it says nothing").hint("write `access-log: off`, or `fields`");
        }
        if lines == Some(Lines::Off) && !fields.is_empty() {
            setup.error("fields", "a line that is not written has no fields").hint("leave out `lines: off`");
        }
        let fields: Vec<(Box<str>, Template)> =
            fields.iter().filter_map(|(name, text)| field(name, text, setup)).collect();
        let lines = lines.map(|lines| match lines {
            Lines::All => Line::All,
            Lines::Failed => Line::Failed,
            Lines::Off => Line::Off,
        });
        step.pre(Arc::new(Self { lines, fields: (!fields.is_empty()).then(|| fields.into()) }));
    }
}

fn field(name: &str, text: &Spanned<String>, setup: &mut Setup<'_>) -> Option<(Box<str>, Template)> {
    let path = setup.path.key("fields").key(name);
    if !valid_name(name.as_bytes()) {
        let problem =
            setup.problems.error(text.span, &path, format!("`{name}` cannot be the name of a field"));
        problem.hint("names have letters, digits, hyphens and underscores");
    }
    if MEMBERS.contains(&name) {
        let problem = setup.problems.error(text.span, &path, format!("every line has a `{name}` already"));
        problem.hint("take another name");
    }
    match Template::parse(text, setup.variables) {
        Ok(template) => Some((name.into(), template)),
        Err(e) => {
            setup.problems.error(text.span, &path, e.to_string());
            None
        }
    }
}

impl PreFilter for AccessLog {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        if let Some(note) = LineNote::of(exchange) {
            if let Some(lines) = self.lines {
                note.lines = lines;
            }
            if let Some(fields) = &self.fields {
                note.add(fields.clone());
            }
        }
        Flow::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Try;
    use menshen_proxy::access_log::Format;
    use menshen_proxy::{Failure, Finished};

    /// The line of an exchange that ended like this.
    fn line(yaml: &str, status: u16, failure: Option<Failure>) -> Option<serde_json::Value> {
        let mut t = Try::filter(yaml).request("GET /a HTTP/1.1\r\nHost: a\r\nX-A: \"1\"\r\n\r\n").pass();
        let format = Format {
            fields: [("gateway".into(), Template::parse("g", None).unwrap())].into(),
            ..Format::default()
        };
        let finished = Finished { status, failure, received: 0, sent: 0, micros: 0 };
        let mut out = Vec::new();
        let exchange = t.exchange();
        format.write(exchange, exchange.route(), &finished, &mut out);
        (!out.is_empty()).then(|| serde_json::from_slice(&out).unwrap())
    }

    #[test]
    fn fields_are_added_to_the_line_of_the_route() {
        let line =
            line("access-log: { fields: { a: \"{header:x-a}\", place: \"{method} {path}\" } }", 200, None)
                .unwrap();
        assert_eq!((&line["a"], &line["place"]), (&"\"1\"".into(), &"GET /a".into()));
        assert_eq!((&line["gateway"], &line["status"]), (&"g".into(), &200.into()));
    }

    #[test]
    fn the_last_of_several_fields_with_one_name_is_written_once() {
        let yaml =
            "- access-log: { fields: { a: 1, b: 1 } }\n- access-log: { fields: { b: 2, gateway: mine } }";
        let mut t = Try::filter(yaml).get("/").pass();
        let format = Format {
            fields: [("gateway".into(), Template::parse("g", None).unwrap())].into(),
            ..Format::default()
        };
        let finished = Finished { status: 200, failure: None, received: 0, sent: 0, micros: 0 };
        let mut out = Vec::new();
        let exchange = t.exchange();
        format.write(exchange, exchange.route(), &finished, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with(",\"a\":\"1\",\"b\":\"2\",\"gateway\":\"mine\"}\n"), "{text}");
    }

    #[test]
    fn a_route_can_be_left_out_or_only_its_failures_be_written() {
        assert!(line("access-log: off", 500, None).is_none());
        assert!(line("access-log: failed", 399, None).is_none());
        assert!(line("access-log: failed", 400, None).is_some());
        assert!(line("access-log: failed", 200, Some(Failure::ServiceTruncated)).is_some());
        assert!(line("access-log: all", 200, None).is_some());
    }

    #[test]
    fn a_later_filter_turns_lines_on_again_and_one_with_fields_alone_does_not() {
        assert!(line("- access-log: off\n- access-log: all", 200, None).is_some());
        assert!(line("- access-log: off\n- access-log: { fields: { a: 1 } }", 200, None).is_none());
    }

    #[test]
    fn wrong_fields_are_refused() {
        for (config, message) in [
            ("{ fields: { status: 1 } }", "every line has a `status` already"),
            ("{ fields: { \"a\\\"b\": 1 } }", "cannot be the name of a field"),
            ("{ fields: { a: \"{x\" } }", "a `{` has no `}`"),
            ("{ lines: off, fields: { a: 1 } }", "a line that is not written has no fields"),
            ("{}", "it says nothing"),
            ("on", "access-log"),
        ] {
            let problems = Try::problems(&format!("access-log: {config}"));
            assert!(problems.contains(message), "{config}: {problems}");
        }
    }
}
