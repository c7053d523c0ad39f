use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{RegistryRoutes, RegistryUrl};
use crate::document::{FilePath, Switch};
use crate::one_or_many::OneOrMany;
use crate::quantity::{Duration, Secret};
use crate::span::Spanned;
use crate::suggest;
use crate::text::{FromText, Refusal, text_type};

/// Eureka: where it is and how it is asked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Eureka {
    /// Its servers, as in `http://10.0.0.1:8761/eureka/`. The next one is asked where one fails.
    pub servers: OneOrMany<Spanned<RegistryUrl>>,
    /// Servers by zone: those of the own zone are asked first.
    pub zones: BTreeMap<Box<str>, OneOrMany<Spanned<RegistryUrl>>>,
    /// The zone of this gateway. Default: none.
    pub zone: Option<Box<str>>,
    /// Regions whose instances are wanted beside those of the servers' own. Default: none.
    pub regions: Vec<Box<str>>,
    /// The user name that servers ask for (HTTP Basic). Default: none.
    pub user: Option<Box<str>>,
    /// Where the password is.
    pub password: Option<Spanned<Secret>>,
    /// The PEM file with the roots that servers are believed by. Default: those of the system.
    pub ca: Option<Spanned<FilePath>>,
    /// How often is asked. Default: `30s`.
    pub refresh: Option<Duration>,
    /// How long an answer may take. Default: `5s`.
    pub timeout: Option<Duration>,
    /// Whether only what has changed is asked for where that is enough. Default: `on`.
    pub deltas: Option<Switch>,
    /// Registers the gateway itself. Default: not.
    pub register: Option<Spanned<EurekaRegistration>>,
    /// Makes a route for each app, also for those that no service names. Default: none.
    pub routes: Option<Spanned<RegistryRoutes>>,
}

/// How the gateway registers itself.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EurekaRegistration {
    /// The name of the app, as in `GATEWAY`; servers write it in upper case.
    pub app: Box<str>,
    /// The host name or IP address under which others reach this gateway. Default: the address from which the servers
    /// are reached.
    #[serde(default)]
    pub host: Option<Box<str>>,
    /// The name of the instance, unique in the app. Default: `host:app:port`.
    #[serde(default)]
    pub id: Option<Box<str>>,
    /// The port. Default: that of the first listener without TLS.
    #[serde(default)]
    pub port: Option<u16>,
    /// The port with TLS. Default: that of the first listener with TLS.
    #[serde(default)]
    pub secure_port: Option<u16>,
    /// The virtual address. Default: the name of the app in lower case.
    #[serde(default)]
    pub vip: Option<Box<str>>,
    /// The URL of a page about the gateway. Default: none.
    #[serde(default)]
    pub home_url: Option<Box<str>>,
    /// The URL of a page about its state. Default: none.
    #[serde(default)]
    pub status_url: Option<Box<str>>,
    /// The URL where its health is asked for. Default: none.
    #[serde(default)]
    pub health_url: Option<Box<str>>,
    /// What else is said of it. Its zone need not be repeated here.
    #[serde(default)]
    pub metadata: BTreeMap<Box<str>, Box<str>>,
    /// How often the lease is renewed; it ends after three times as long. Default: `30s`, which servers count on.
    #[serde(default)]
    pub renew: Option<Duration>,
}

/// What Eureka is asked for: `USER-SERVICE`, `users.example.com?by=vip`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EurekaQuery {
    /// The name of the app, or the virtual address; case does not matter.
    pub name: Box<str>,
    /// By what instances are found.
    pub by: EurekaBy,
    /// Which of their ports is called.
    pub port: EurekaPort,
    /// Which of their addresses is called.
    pub address: EurekaAddress,
    /// In which states they take requests; empty means [`EurekaStatus::Up`] only.
    pub status: Vec<EurekaStatus>,
}

/// Words of the protocol and of queries, with what they mean.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$note:meta])* $item:ident = $word:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$note])* $item),+ }

        impl $name {
            const ALL: &'static [Self] = &[$(Self::$item),+];

            /// The word for it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$item => $word),+ }
            }
        }
    };
}

words! {
    /// By what instances are found.
    EurekaBy {
        /// The name of their app.
        #[default]
        App = "app",
        /// One of their virtual addresses.
        Vip = "vip",
        /// One of their virtual addresses for TLS; they are called over TLS.
        SecureVip = "secure-vip",
    }
}

words! {
    /// Which port of an instance is called.
    EurekaPort {
        /// The secure one where it is switched on, else the plain one.
        #[default]
        Any = "any",
        /// The plain one only.
        Plain = "plain",
        /// The secure one only, over TLS.
        Secure = "secure",
    }
}

words! {
    /// Which address of an instance is called.
    EurekaAddress {
        /// Its host name.
        #[default]
        Host = "host",
        /// Its IP address.
        Ip = "ip",
    }
}

words! {
    /// The state of an instance, sorted by name as the protocol counts them.
    EurekaStatus {
        /// Its own health check says no.
        Down = "DOWN",
        /// Taken out by people.
        OutOfService = "OUT_OF_SERVICE",
        /// Not ready yet.
        Starting = "STARTING",
        /// Nobody knows.
        #[default]
        Unknown = "UNKNOWN",
        /// Takes requests.
        Up = "UP",
    }
}

impl EurekaStatus {
    /// By its name; one that nobody knows is [`EurekaStatus::Unknown`].
    pub fn of(text: &str) -> Self {
        Self::ALL.iter().copied().find(|s| s.word().eq_ignore_ascii_case(text)).unwrap_or(Self::Unknown)
    }
}

fn word<T: Copy>(option: &str, text: &str, all: &[T], word: fn(T) -> &'static str) -> Result<T, Refusal> {
    let words = all.iter().map(|one| word(*one));
    all.iter().copied().find(|one| word(*one).eq_ignore_ascii_case(text)).ok_or_else(|| {
        let words: Vec<&str> = words.collect();
        Refusal::new(format!("`{option}` cannot be `{text}`"))
            .hint(format!("write one of {}", words.join(", ")))
    })
}

const OPTIONS: [&str; 4] = ["by", "port", "address", "status"];

impl EurekaQuery {
    fn set(&mut self, option: &str) -> Result<(), Refusal> {
        let (name, text) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "by" => self.by = word(name, text, EurekaBy::ALL, EurekaBy::word)?,
            "port" => self.port = word(name, text, EurekaPort::ALL, EurekaPort::word)?,
            "address" => self.address = word(name, text, EurekaAddress::ALL, EurekaAddress::word)?,
            "status" => {
                let states = text.split(',').map(|s| word(name, s, EurekaStatus::ALL, EurekaStatus::word));
                self.status = states.collect::<Result<_, _>>()?;
            }
            _ => {
                let hint = suggest::hint(name, OPTIONS)
                    .unwrap_or_else(|| "it takes `by`, `port`, `address` and `status`".to_owned());
                return Err(Refusal::new(format!("`{name}` cannot be asked of Eureka")).hint(hint));
            }
        }
        Ok(())
    }
}

impl FromText for EurekaQuery {
    const WHAT: &'static str = "the name of an app such as `USER-SERVICE`";

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let (name, options) = text.split_once('?').unwrap_or((text, ""));
        // A virtual address may have a port.
        let is_good = |b: u8| b.is_ascii_alphanumeric() || b"-_.~:".contains(&b);
        if name.is_empty() || !name.bytes().all(is_good) {
            return Err(Refusal::new(format!("`{name}` is not the name of an app"))
                .hint("write for example `eureka:USER-SERVICE`"));
        }
        let mut query = Self {
            name: name.into(),
            by: EurekaBy::default(),
            port: EurekaPort::default(),
            address: EurekaAddress::default(),
            status: Vec::new(),
        };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            query.set(option)?;
        }
        Ok(query)
    }
}

impl fmt::Display for EurekaQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, by, port, address, status } = self;
        let mut options = Vec::new();
        if *by != EurekaBy::default() {
            options.push(format!("by={}", by.word()));
        }
        if *port != EurekaPort::default() {
            options.push(format!("port={}", port.word()));
        }
        if *address != EurekaAddress::default() {
            options.push(format!("address={}", address.word()));
        }
        if !status.is_empty() {
            let states: Vec<&str> = status.iter().map(|s| s.word()).collect();
            options.push(format!("status={}", states.join(",")));
        }
        let sign = if options.is_empty() { "" } else { "?" };
        write!(f, "{name}{sign}{}", options.join("&"))
    }
}

text_type!(EurekaQuery, "EurekaQuery", {
    "description": "the name of an app in Eureka, and which of its instances and ports are meant",
    "examples": ["USER-SERVICE", "users.example.com?by=vip", "USER-SERVICE?port=secure"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_reads_as_it_is_written() {
        for text in [
            "USER-SERVICE",
            "users.example.com:80?by=vip",
            "U?by=secure-vip&port=secure&address=ip&status=UP,OUT_OF_SERVICE",
        ] {
            assert_eq!(text.parse::<EurekaQuery>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_slip_is_told() {
        for (text, hint) in [
            ("U?prt=secure", "did you mean `port`?"),
            ("U?port=tls", "write one of any, plain, secure"),
            ("U?status=up,gone", "write one of DOWN, OUT_OF_SERVICE, STARTING, UNKNOWN, UP"),
            ("a b", "write for example `eureka:USER-SERVICE`"),
            ("", "write for example `eureka:USER-SERVICE`"),
        ] {
            assert_eq!(text.parse::<EurekaQuery>().unwrap_err().hint.as_deref(), Some(hint), "{text}");
        }
    }
}
