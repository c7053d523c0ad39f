use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::{FilePath, Url};
use crate::one_or_many::OneOrMany;
use crate::quantity::{Duration, Secret};
use crate::span::Spanned;
use crate::text::{FromText, Refusal, text_type};

/// Eureka: where it is and how it is asked.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Eureka {
    /// Its servers, as in `http://10.0.0.1:8761/eureka/`. The next one is asked where one fails.
    pub servers: OneOrMany<Spanned<Url>>,
    /// Servers by zone: those of our own zone are asked first.
    #[serde(default)]
    pub zones: BTreeMap<Box<str>, OneOrMany<Spanned<Url>>>,
    /// The zone of this gateway. Default: none.
    #[serde(default)]
    pub zone: Option<Box<str>>,
    /// The user name that servers ask for (HTTP Basic). Default: none.
    #[serde(default)]
    pub user: Option<Box<str>>,
    /// Where the password is.
    #[serde(default)]
    pub password: Option<Spanned<Secret>>,
    /// The PEM file with the roots that servers are believed by. Default: those of the system.
    #[serde(default)]
    pub ca: Option<Spanned<FilePath>>,
    /// How often is asked. Default: `30s`.
    #[serde(default)]
    pub refresh: Option<Duration>,
    /// How long an answer may take. Default: `5s`.
    #[serde(default)]
    pub timeout: Option<Duration>,
    /// Registers the gateway itself. Default: not.
    #[serde(default)]
    pub register: Option<Spanned<EurekaRegistration>>,
}

/// How the gateway registers itself.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EurekaRegistration {
    /// The name of the app.
    pub app: Box<str>,
    /// The host name or IP address under which others reach this gateway.
    pub host: Box<str>,
    /// The port. Default: that of the first listener without TLS.
    #[serde(default)]
    pub port: Option<u16>,
    /// The port with TLS. Default: none.
    #[serde(default)]
    pub secure_port: Option<u16>,
    /// What else is said of it.
    #[serde(default)]
    pub metadata: BTreeMap<Box<str>, Box<str>>,
}

/// What Eureka is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EurekaQuery {
    /// The name of the app, as in `USER-SERVICE`; case does not matter.
    pub app: Box<str>,
}

impl FromText for EurekaQuery {
    const WHAT: &'static str = "the name of an app such as `USER-SERVICE`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let is_good = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
        match !text.is_empty() && text.bytes().all(is_good) {
            true => Ok(Self { app: text.into() }),
            false => Err(Refusal::new(format!("`{text}` is not the name of an app"))
                .hint("write for example `eureka:USER-SERVICE`")),
        }
    }
}

impl fmt::Display for EurekaQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.app)
    }
}

text_type!(EurekaQuery, "EurekaQuery", {
    "description": "the name of an app in Eureka",
    "examples": ["USER-SERVICE"]
});
