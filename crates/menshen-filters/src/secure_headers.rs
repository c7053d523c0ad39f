//! `secure-headers`: header fields that tell browsers to be careful.

use std::sync::Arc;

use menshen_config::{Spanned, did_you_mean};
use menshen_proxy::chain::Step;
use menshen_proxy::http1::valid_value;
use menshen_proxy::{Exchange, Failure, PostFilter, Reply, Scheme};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Filter, Setup};

/// Tells browsers to be careful with replies, by header fields with sensible defaults. Each can be given another value
/// or be turned `off`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Keeps browsers from guessing what content is. Default: `nosniff`.
    x_content_type_options: Option<Spanned<String>>,
    /// Which sites may show replies in a frame: `DENY` or `SAMEORIGIN`. Default: `DENY`. Browsers that find
    /// `frame-ancestors` in a `content-security-policy` follow that instead.
    x_frame_options: Option<Spanned<String>>,
    /// How much of a URL is told to the site that a link leads to. Default: `strict-origin-when-cross-origin`.
    referrer_policy: Option<Spanned<String>>,
    /// Makes browsers come back by HTTPS only; sent only where the client speaks HTTPS. Default: `max-age=31536000`,
    /// a year, without subdomains.
    strict_transport_security: Option<Spanned<String>>,
    /// What a page may load, run and be framed by, such as `default-src 'none'; frame-ancestors 'none'`. Default: `off`.
    content_security_policy: Option<Spanned<String>>,
    /// What of a device a page may use, such as `camera=(), geolocation=()`. Default: `off`.
    permissions_policy: Option<Spanned<String>>,
    /// Which pages may share a browsing context group with a page: `same-origin`, `same-origin-allow-popups`,
    /// `noopener-allow-popups` or `unsafe-none`. Default: `off`.
    cross_origin_opener_policy: Option<Spanned<String>>,
    /// Whether a page may load what does not agree to it: `require-corp`, `credentialless` or `unsafe-none`.
    /// Default: `off`.
    cross_origin_embedder_policy: Option<Spanned<String>>,
    /// Which pages may load replies: `same-origin`, `same-site` or `cross-origin`. Default: `off`.
    cross_origin_resource_policy: Option<Spanned<String>>,
    /// What happens to fields that the service has set itself. Default: `keep`.
    existing: Existing,
}

/// What happens to fields that are there already.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Existing {
    /// They stay.
    #[default]
    Keep,
    /// They are replaced.
    Replace,
}

/// The filter.
pub struct SecureHeaders {
    fields: Box<[Field]>,
    /// Sent to those who speak HTTPS.
    transport: Option<Box<[u8]>>,
    existing: Existing,
}

type Field = (&'static str, Box<[u8]>);

const TRANSPORT: &str = "strict-transport-security";

/// What a field may say.
enum Values {
    /// Whatever a field value may be.
    Any,
    /// One of these words in any case, with or without parameters behind a semicolon.
    Word(&'static [&'static str]),
    /// These words in any case, separated by commas.
    Words(&'static [&'static str]),
    /// `max-age=` and a number.
    MaxAge,
}

const REFERRER: &[&str] = &[
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
];
const OPENER: &[&str] = &["same-origin", "same-origin-allow-popups", "noopener-allow-popups", "unsafe-none"];
const EMBEDDER: &[&str] = &["require-corp", "credentialless", "unsafe-none"];
const RESOURCE: &[&str] = &["same-origin", "same-site", "cross-origin"];

impl Filter for SecureHeaders {
    const NAME: &'static str = "secure-headers";
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        let c = config;
        let known = [
            ("x-content-type-options", c.x_content_type_options, Some("nosniff"), Values::Word(&["nosniff"])),
            ("x-frame-options", c.x_frame_options, Some("DENY"), Values::Word(&["DENY", "SAMEORIGIN"])),
            (
                "referrer-policy",
                c.referrer_policy,
                Some("strict-origin-when-cross-origin"),
                Values::Words(REFERRER),
            ),
            ("content-security-policy", c.content_security_policy, None, Values::Any),
            ("permissions-policy", c.permissions_policy, None, Values::Any),
            ("cross-origin-opener-policy", c.cross_origin_opener_policy, None, Values::Word(OPENER)),
            ("cross-origin-embedder-policy", c.cross_origin_embedder_policy, None, Values::Word(EMBEDDER)),
            ("cross-origin-resource-policy", c.cross_origin_resource_policy, None, Values::Word(RESOURCE)),
        ];
        let transport = (TRANSPORT, c.strict_transport_security, Some("max-age=31536000"), Values::MaxAge);
        let mut chosen =
            |(name, text, default, values): (_, Option<Spanned<String>>, Option<&str>, Values)| {
                if let Some(text) = &text {
                    check(name, text, &values, setup);
                }
                let value = text.as_ref().map(|t| t.as_str()).or(default).filter(|v| *v != "off")?;
                Some((name, value.as_bytes().into()))
            };
        let transport = chosen(transport).map(|(_, value)| value);
        let fields = known.into_iter().filter_map(chosen).collect();
        step.post(Arc::new(Self { fields, transport, existing: c.existing }));
    }
}

fn check(name: &str, text: &Spanned<String>, values: &Values, setup: &mut Setup<'_>) {
    let path = setup.path.key(name);
    if **text == "off" {
        return;
    }
    if text.is_empty() || !valid_value(text.as_bytes()) {
        setup.problems.error(text.span, path, "this cannot be the value of a header field");
        return;
    }
    let first = |text: &'_ str| text.split(';').next().unwrap_or_default().trim().to_owned();
    let (words, allowed): (Vec<String>, _) = match values {
        Values::Any => return,
        Values::MaxAge => {
            let age = text.split(';').find_map(|d| d.trim().strip_prefix("max-age="));
            if age.is_none_or(|age| age.is_empty() || !age.bytes().all(|b| b.is_ascii_digit())) {
                let problem = setup.problems.error(text.span, path, "it does not say for how many seconds");
                problem.hint("write for example `max-age=31536000; includeSubDomains`");
            }
            return;
        }
        Values::Word(allowed) => (vec![first(text)], allowed),
        Values::Words(allowed) => (text.split(',').map(|word| word.trim().to_owned()).collect(), allowed),
    };
    for word in words.iter().filter(|word| !allowed.iter().any(|a| a.eq_ignore_ascii_case(word))) {
        let hint = match did_you_mean(word, allowed.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write `{}` or `off`", allowed.join("`, `")),
        };
        setup.problems.error(text.span, &path, format!("browsers do not know `{word}` here")).hint(hint);
    }
}

impl PostFilter for SecureHeaders {
    fn post(&self, exchange: &mut Exchange, reply: &mut Reply) -> Result<(), Failure> {
        let fields = &mut reply.head.fields;
        let transport = self.transport.as_deref().filter(|_| exchange.client.scheme == Scheme::Https);
        let transport = transport.map(|value| (TRANSPORT, value));
        for (name, value) in self.fields.iter().map(|(name, value)| (*name, &**value)).chain(transport) {
            let name = name.as_bytes();
            if self.existing == Existing::Replace || fields.get_named(name).is_none() {
                fields.set_named(name, value);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
