use super::*;

fn short(text: &str) -> String {
    let source = Source::new("menshen.yaml", text);
    let once = format(&source, Style::Short).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let twice = format(&Source::new("again.yaml", once.as_str()), Style::Short).unwrap();
    assert_eq!(once, twice);
    once
}

fn long(text: &str) -> String {
    let fields = |name: &str| match name {
        "cors" => Some("origins"),
        "jwt" => Some("jwks"),
        _ => None,
    };
    let once = format(&Source::new("menshen.yaml", text), Style::Long(&fields)).unwrap();
    let twice = format(&Source::new("again.yaml", once.as_str()), Style::Long(&fields)).unwrap();
    assert_eq!(once, twice);
    once
}

#[test]
fn sections_come_in_their_order_with_their_comments() {
    assert_eq!(
        short(
            "# The shop.\n\n# where it goes\nroutes:\n    users:   # all of them\n        to: 'users'\n        # the path\n        \
             match:   /users/**\n        # no more\n# who answers\nservices:\n    users: http://h # one\n# the end\n"
        ),
        "# The shop.\n\n# who answers\nservices:\n  users: http://h # one\n\n# where it goes\nroutes:\n  users: # all of \
         them\n    to: 'users'\n    # the path\n    match: /users/**\n    # no more\n\n# the end\n"
    );
}

#[test]
fn what_was_in_brackets_stays_on_one_line_if_it_fits() {
    assert_eq!(
        short("services: {a: {endpoints: [h:1,   h:2]}}\n"),
        "services: { a: { endpoints: [h:1, h:2] } }\n"
    );
    let address = "a-host-with-a-rather-long-name.example.org:8080";
    assert_eq!(
        short(&format!("services:\n  a: {{ endpoints: [{address}, {address}] }}\n")),
        format!("services:\n  a:\n    endpoints:\n      - {address}\n      - {address}\n")
    );
}

#[test]
fn comments_in_brackets_open_them() {
    assert_eq!(
        short("services:\n  a: { endpoints: [h:1, # first\n    h:2] } # last\n"),
        "services:\n  a: # first\n    endpoints: [h:1, h:2] # last\n"
    );
}

#[test]
fn comments_behind_quoted_text_stay() {
    let text = "routes:\n  a: 'it''s' # one\n  b: \"x\\\"#\" # two\n  c: \"x # y\" # three\n";
    assert_eq!(short(text), text);
}

#[test]
fn lists_are_indented_below_their_key() {
    assert_eq!(
        short(
            "schemes:\n  p:\n  - any: [ api-key, jwt: https://id ]\n  # then\n  - rate-limit: 5/s\n    mode: shadow\n"
        ),
        "schemes:\n  p:\n    - any: [api-key, jwt: https://id]\n    # then\n    - rate-limit: 5/s\n      mode: shadow\n"
    );
}

#[test]
fn single_blank_lines_stay() {
    assert_eq!(
        short("routes:\n\n  a:\n    to: x\n\n\n\n    # why\n    match: /\n\n  b: { to: y }\n"),
        "routes:\n  a:\n    to: x\n\n    # why\n    match: /\n\n  b: { to: y }\n"
    );
}

#[test]
fn texts_keep_their_quotes_and_lines() {
    let text = "routes:\n  a:\n    about: |\n      first # no comment\n        second\n\n      third\n    to: \"x: y\"\n    \
                strip: 'it''s'\n    prefix: null\n    on:\n";
    assert_eq!(short(text), text);
    assert_eq!(short("routes:\n  a: \"line\\n\\ttab\\u0001\"\n"), "routes:\n  a: \"line\\n\\ttab\\u0001\"\n");
}

#[test]
fn bad_input_is_refused() {
    let problems = format(&Source::new("a.yaml", "a: [\n"), Style::Short).unwrap_err();
    assert!(problems.to_string().starts_with("a.yaml:"), "{problems}");
    assert!(format(&Source::new("a.yaml", "- a\n"), Style::Short).is_err());
    assert!(format(&Source::new("a.yaml", "a: &x 1\n"), Style::Short).is_err());
}

#[test]
fn an_empty_text_stays_empty() {
    assert_eq!(short(""), "");
    assert_eq!(short("# nothing yet\n"), "# nothing yet\n");
}

#[test]
fn the_long_form_has_no_sugar() {
    assert_eq!(
        long(
            "gateway:\n  access-log: stdout\n  acme: { challenge: { dns-01: /hook } }\nservices:\n  a: https://h/base # here\n  b: { endpoints: [h:1] }\nschemes:\n  \
             p: [cors, any: [jwt: u]]\nroutes:\n  r:\n    match: GET|HEAD /a # read\n    to: a\n    filters:\n      - cors: \
             https://a\n        when: /b\n      - log-it\n    tests:\n      - GET /a: 200\n"
        ),
        "gateway:\n  access-log:\n    to: stdout\n  acme: { challenge: { dns-01: { hook: /hook } } }\n\nservices:\n  a: # here\n    endpoints:\n      - address: \
         \"h:443\"\n    protocol: https\n    base: /base\n  b: { endpoints: [address: h:1] }\n\nschemes:\n  p: [cors: {}, \
         any: [jwt: { jwks: u }]]\n\nroutes:\n  r:\n    match: # read\n      method:\n        - GET\n        - HEAD\n      \
         path: /a\n    to: a\n    filters:\n      - cors:\n          origins: https://a\n        when:\n          path: \
         /b\n      - log-it: {}\n    tests:\n      - request: \"GET /a\"\n        expect:\n          status: 200\n"
    );
}
