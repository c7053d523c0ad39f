//! What must hold for every text.

use menshen_config::document::GroupShare;
use menshen_config::fmt::{Style, format};
use menshen_config::{Document, FileId, Problems, Source, parse, yaml};
use proptest::prelude::*;

fn read(text: &str) -> (Document, Problems) {
    parse(&[Source::new("menshen.yaml", text)])
}

fn formatted(text: &str) -> Result<String, Problems> {
    format(&Source::new("menshen.yaml", text), Style::Short)
}

/// Texts that look like YAML now and then.
fn soup() -> impl Strategy<Value = String> {
    let tokens = prop::sample::select(vec![
        "a",
        "b",
        "routes",
        "services",
        "match",
        "to",
        "filters",
        "endpoints",
        "/x",
        "1",
        "10s",
        "true",
        "~",
        "é",
        "😀",
        ": ",
        ":",
        "- ",
        "-",
        "\n",
        "\n",
        "\n",
        "\n  ",
        "\n    ",
        "  ",
        " ",
        "#",
        " # c",
        "'",
        "\"",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ",",
        "|",
        ">",
        "|-\n",
        "|+\n",
        ": |\n    x\n",
        "&a ",
        "*a",
        "!t ",
        "\t",
        "---\n",
        "...",
        "? ",
        "%",
        "@",
        "\\",
        "\r\n",
        "\u{feff}",
        "\u{0}",
        "\u{85}",
        "<<",
        "\"\\u",
    ]);
    prop::collection::vec(tokens, 0..40).prop_map(|tokens| tokens.concat())
}

/// Shares of groups, and what is nearly one.
fn share() -> impl Strategy<Value = String> {
    let percent = || prop_oneof![9 => (0..1200_u32).prop_map(|n| format!("{}%", f64::from(n) / 10.0)), 1 => Just("1".to_owned())];
    let time = prop::sample::select(vec!["2h", "1d12h", "0s", "5", "90m"]);
    let grown =
        (percent(), percent(), time).prop_map(|(from, to, time)| format!("from {from} to {to} over {time}"));
    let size = prop_oneof![percent(), grown, Just(String::new())];
    let between = prop::sample::select(vec![", ", " and ", " ", ",", "  ", ", and "]);
    let rule = prop_oneof![
        percent().prop_map(|p| format!("stop if 5xx > {p}")),
        Just(String::new()),
        Just("stop".to_owned())
    ];
    (size, between, rule).prop_map(|(size, between, rule)| format!("{size}{between}{rule}"))
}

/// Scalars as people write them.
fn scalar() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "a",
        "users",
        "/users/**",
        "GET /users",
        "10s",
        "5",
        "1.10",
        "true",
        "~",
        "null",
        "http://h:1/b",
        "'it''s'",
        "\"a: b\"",
        "\"x # y\"",
        "'#'",
        "\"\\n\"",
        "h:80",
        "é",
        "a b  c",
        "x#y",
        "-1",
        "''",
        "'*.example.org'",
        "'{id}'",
        "a, b",
        "^/a$",
    ])
    .prop_map(str::to_owned)
}

fn flow(depth: u32) -> BoxedStrategy<String> {
    let leaf = scalar()
        .prop_filter("needs quotes in brackets", |text| !text.contains(", ") || text.starts_with('"'));
    if depth == 0 {
        return leaf.boxed();
    }
    let list =
        prop::collection::vec(flow(depth - 1), 0..4).prop_map(|items| format!("[{}]", items.join(",   ")));
    let map = prop::collection::vec(flow(depth - 1), 0..4).prop_map(|items| {
        let entries: Vec<String> =
            items.iter().enumerate().map(|(n, item)| format!("k{n}: {item}")).collect();
        format!("{{{}}}", entries.join(", "))
    });
    prop_oneof![leaf, list, map].boxed()
}

/// The lines of a value below its key, without indentation.
fn block(depth: u32) -> BoxedStrategy<Vec<String>> {
    if depth == 0 {
        return flow(2).prop_map(|text| vec![text]).boxed();
    }
    let child = || {
        (prop::sample::select(vec!["", "# note", "\n", "# one\n\n# two"]), block(depth - 1), prop::bool::ANY)
    };
    let entries = prop::collection::vec(child(), 1..4).prop_map(|children| {
        let mut lines = Vec::new();
        for (n, (above, value, remark)) in children.into_iter().enumerate() {
            lines.extend(above.split('\n').filter(|_| !above.is_empty()).map(str::to_owned));
            let remark = if remark { "   # remark" } else { "" };
            match value.as_slice() {
                [single]
                    if !single.contains(": ") && !single.starts_with('-')
                        || single.starts_with(['{', '[', '"', '\'']) =>
                {
                    lines.push(format!("key-{n}: {single}{remark}"));
                }
                _ => {
                    lines.push(format!("key-{n}:{remark}"));
                    lines.extend(value.iter().map(|line| indented(line)));
                }
            }
        }
        lines
    });
    let items = prop::collection::vec(child(), 1..4).prop_map(|children| {
        let mut lines = Vec::new();
        for (above, value, _) in children {
            lines.extend(above.split('\n').filter(|_| !above.is_empty()).map(str::to_owned));
            for (n, line) in value.iter().enumerate() {
                lines.push(if n == 0 && !line.is_empty() && !line.starts_with('#') {
                    format!("- {line}")
                } else if n == 0 {
                    "-".into()
                } else {
                    indented(line)
                });
            }
        }
        lines
    });
    let text = Just(vec![
        "|  # remark".to_owned(),
        "  first # no remark".into(),
        "    more".into(),
        String::new(),
        "  last".into(),
    ]);
    prop_oneof![3 => entries, 2 => items, 1 => text].boxed()
}

fn indented(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!("   {line}") }
}

fn well_formed() -> impl Strategy<Value = String> {
    let names = prop::sample::subsequence(vec!["routes", "gateway", "services", "schemes", "other"], 0..5)
        .prop_shuffle();
    (names, prop::collection::vec(block(3), 5)).prop_map(|(names, values)| {
        let mut text = String::new();
        for (name, value) in names.iter().zip(values) {
            text.push_str(&format!("{name}:\n"));
            value.iter().for_each(|line| text.push_str(&format!("{}\n", indented(line))));
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn reading_never_panics_on_arbitrary_text(text in "\\PC*") {
        let _ = read(&text);
        let _ = formatted(&text);
    }

    #[test]
    fn reading_never_panics_on_what_looks_like_yaml(text in soup()) {
        let _ = read(&text);
        if let Ok(once) = formatted(&text) {
            prop_assert_eq!(formatted(&once).map_err(|problems| problems.to_string()), Ok(once));
        }
    }

    #[test]
    fn every_problem_has_a_place_in_the_text(text in soup()) {
        let (_, problems) = read(&text);
        let lines = text.lines().count() as u32;
        for problem in &problems {
            prop_assert!(problem.at.line <= lines + 1, "{}", problem);
        }
        let _ = problems.with_excerpts().to_string();
    }

    #[test]
    fn a_share_that_is_read_is_written_so_that_it_reads_the_same(words in share(), text in "\\PC*") {
        let _ = text.parse::<GroupShare>();
        if let Ok(share) = words.parse::<GroupShare>() {
            prop_assert_eq!(share.to_string().parse::<GroupShare>(), Ok(share));
            prop_assert!(share.from <= share.to);
        }
    }

    #[test]
    fn formatting_changes_neither_meaning_nor_itself(text in well_formed()) {
        let readable = {
            let mut problems = Problems::new();
            yaml::parse(FileId(0), &text, &mut problems).is_some() && problems.is_empty()
        };
        if readable {
            let once = formatted(&text).map_err(|problems| TestCaseError::fail(problems.to_string()))?;
            prop_assert_eq!(&read(&once).0, &read(&text).0);
            prop_assert_eq!(formatted(&once).map_err(|problems| problems.to_string()), Ok(once));
        }
    }
}
