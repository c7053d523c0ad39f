use super::*;
use crate::testing::Try;

fn replied(yaml: &str, scheme: Scheme, own: &[(&str, &str)]) -> Try {
    let mut t = Try::filter(yaml).get("/").pass();
    t.exchange().client.scheme = scheme;
    let mut reply = Reply::new(200);
    for (name, value) in own {
        reply.head.fields.append_named(name.as_bytes(), value.as_bytes());
    }
    t.reply(reply);
    t
}

#[test]
fn a_bare_name_sends_the_defaults() {
    let t = replied("secure-headers", Scheme::Https, &[]);
    assert_eq!(t.field("x-content-type-options").unwrap(), "nosniff");
    assert_eq!(t.field("x-frame-options").unwrap(), "DENY");
    assert_eq!(t.field("referrer-policy").unwrap(), "strict-origin-when-cross-origin");
    assert_eq!(t.field("strict-transport-security").unwrap(), "max-age=31536000");
    assert_eq!((t.field("content-security-policy"), t.field("cross-origin-opener-policy")), (None, None));
}

#[test]
fn transport_security_is_promised_only_by_https() {
    let yaml = "secure-headers: { strict-transport-security: max-age=60 }";
    assert_eq!(replied(yaml, Scheme::Http, &[]).field("strict-transport-security"), None);
    assert_eq!(replied(yaml, Scheme::Https, &[]).field("strict-transport-security").unwrap(), "max-age=60");
}

#[test]
fn each_field_can_be_given_or_turned_off() {
    let yaml = "secure-headers: { x-frame-options: SAMEORIGIN, referrer-policy: off, strict-transport-security: off, \
                permissions-policy: camera=(), cross-origin-resource-policy: same-site }";
    let t = replied(yaml, Scheme::Https, &[]);
    assert_eq!(t.field("x-frame-options").unwrap(), "SAMEORIGIN");
    assert_eq!((t.field("referrer-policy"), t.field("strict-transport-security")), (None, None));
    assert_eq!(t.field("permissions-policy").unwrap(), "camera=()");
    assert_eq!(t.field("cross-origin-resource-policy").unwrap(), "same-site");
}

#[test]
fn what_the_service_said_stays_unless_it_is_to_be_replaced() {
    let own = [("X-Frame-Options", "SAMEORIGIN"), ("x-frame-options", "SAMEORIGIN")];
    let t = replied("secure-headers", Scheme::Http, &own);
    assert_eq!(t.field("x-frame-options").unwrap(), "SAMEORIGIN | SAMEORIGIN");
    let t = replied("secure-headers: { existing: replace }", Scheme::Http, &own);
    assert_eq!(t.field("x-frame-options").unwrap(), "DENY");
    let t = replied("secure-headers: { existing: replace, x-frame-options: off }", Scheme::Http, &own[..1]);
    assert_eq!(t.field("x-frame-options").unwrap(), "SAMEORIGIN");
}

#[test]
fn values_that_browsers_would_ignore_are_refused() {
    for (field, message) in [
        ("x-frame-options: ALLOW", "browsers do not know `ALLOW` here; write `DENY`, `SAMEORIGIN` or `off`"),
        ("x-content-type-options: no-sniff", "did you mean `nosniff`?"),
        ("referrer-policy: \"origin, same-orign\"", "did you mean `same-origin`?"),
        ("strict-transport-security: 1y", "it does not say for how many seconds"),
        ("strict-transport-security: max-age=1y", "it does not say for how many seconds"),
        ("content-security-policy: \"a\\nb\"", "cannot be the value of a header field"),
        ("cross-origin-opener-policy: same-orign", "did you mean `same-origin`?"),
        ("existing: override", "existing"),
        ("x-frame-option: DENY", "did you mean `x-frame-options`?"),
    ] {
        let problems = Try::problems(&format!("secure-headers: {{ {field} }}"));
        assert!(problems.contains(message), "{field}: {problems}");
    }
    for fine in ["referrer-policy: \"no-referrer, origin\"", "x-frame-options: deny"] {
        assert_eq!(Try::problems(&format!("secure-headers: {{ {fine} }}")), "");
    }
}
