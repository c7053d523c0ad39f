//! What a service asks a Eureka registry for: `USER-SERVICE`, `users.example.com?by=vip`, `USER-SERVICE?port=secure`.

use std::fmt;

use super::applications::Applications;
use super::instance::{Called, Info, Port, Status};
use crate::discovery::Instance;

/// By what instances are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum By {
    /// The name of their application.
    #[default]
    App,
    /// A virtual address.
    Vip,
    /// A virtual address for TLS.
    SecureVip,
}

/// Which instances are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    name: Box<str>,
    by: By,
    states: Vec<Status>,
    called: Called,
    port: Port,
}

impl Query {
    /// As it stands behind `eureka:` in a document.
    ///
    /// # Errors
    /// What is wrong with it, and what could be written instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, options) = text.split_once('?').unwrap_or((text, ""));
        if name.is_empty() || name.contains(['/', ' ']) {
            return Err(format!(
                "`{name}` is not the name of an application; write for example `eureka:USER-SERVICE`"
            ));
        }
        let mut query = Self {
            name: name.into(),
            by: By::App,
            states: vec![Status::Up],
            called: Called::Host,
            port: Port::Any,
        };
        for option in options.split('&').filter(|o| !o.is_empty()) {
            query.set(option)?;
        }
        Ok(query)
    }

    fn set(&mut self, option: &str) -> Result<(), String> {
        match option.split_once('=').unwrap_or((option, "")) {
            ("by", "app") => self.by = By::App,
            ("by", "vip") => self.by = By::Vip,
            ("by", "secure-vip") => (self.by, self.port) = (By::SecureVip, Port::Secure),
            ("port", "plain") => self.port = Port::Plain,
            ("port", "secure") => self.port = Port::Secure,
            ("address", "host") => self.called = Called::Host,
            ("address", "ip") => self.called = Called::Ip,
            ("status", names) => {
                self.states = names.split(',').map(state).collect::<Result<_, _>>()?;
            }
            ("by", other) => {
                return Err(format!("`by={other}`: instances are found by app, vip or secure-vip"));
            }
            ("port", other) => return Err(format!("`port={other}`: ports are plain or secure")),
            ("address", other) => return Err(format!("`address={other}`: an address is host or ip")),
            (other, _) => {
                return Err(format!(
                    "`{other}` is no option of eureka; there are by, port, address and status"
                ));
            }
        }
        Ok(())
    }

    /// The instances that it means.
    pub fn instances(&self, all: &Applications) -> Vec<Instance> {
        let seen = |info: &Info| match self.states.contains(&info.effective()) {
            true => info.seen(self.called, self.port),
            false => None,
        };
        match self.by {
            By::App => all.app(&self.name).filter_map(seen).collect(),
            By::Vip => all.all().filter(|i| is_listed(&i.vip, &self.name)).filter_map(named(seen)).collect(),
            By::SecureVip => {
                all.all().filter(|i| is_listed(&i.secure_vip, &self.name)).filter_map(named(seen)).collect()
            }
        }
    }
}

/// With names that are unique over applications: a virtual address may be of several.
fn named(seen: impl Fn(&Info) -> Option<Instance>) -> impl Fn(&Info) -> Option<Instance> {
    move |info| seen(info).map(|i| Instance { id: format!("{}/{}", info.app, info.id).into(), ..i })
}

/// Virtual addresses stand in one text, with commas between them.
fn is_listed(list: &str, name: &str) -> bool {
    list.split(',').any(|one| one.trim().eq_ignore_ascii_case(name))
}

fn state(name: &str) -> Result<Status, String> {
    match Status::of(name) {
        Status::Unknown if !name.eq_ignore_ascii_case("UNKNOWN") => {
            Err(format!("`{name}` is no status; there are UP, DOWN, STARTING, OUT_OF_SERVICE and UNKNOWN"))
        }
        status => Ok(status),
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
