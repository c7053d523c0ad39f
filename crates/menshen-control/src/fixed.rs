//! Settings that only a restart changes.

use std::fmt::Display;
use std::num::NonZero;
use std::path::PathBuf;

use menshen_config::document::{Admin, Gateway, LogLevel};
use menshen_config::quantity::Duration;

use crate::store;

/// Where the admin listener is unless the document says otherwise.
const ADMIN: ([u8; 4], u16) = ([127, 0, 0, 1], 9180);
/// How long stopping may take unless the document says otherwise.
const DRAIN: Duration = Duration::seconds(30);

/// Settings that only a restart changes, with defaults for what the document does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// How many workers there are.
    pub workers: usize,
    /// Where the admin listener is.
    pub admin: Admin,
    /// How long stopping may take.
    pub drain: Duration,
    /// How much the gateway says about itself.
    pub log: LogLevel,
    /// Where the store is.
    pub store: PathBuf,
}

impl Fixed {
    /// Those of a document.
    pub fn of(gateway: &Gateway) -> Self {
        Self {
            workers: gateway.workers.map_or_else(cores, |n| n.get() as usize),
            admin: gateway.admin.as_ref().map_or(Admin::At(ADMIN.into()), |a| a.value),
            drain: gateway.drain.unwrap_or(DRAIN),
            log: gateway.log.unwrap_or_default(),
            store: store::folder(gateway.store.as_ref().map(|s| &*s.value.0)),
        }
    }

    /// What is different in `wanted`: a sentence for each setting.
    pub fn changes_to(&self, wanted: &Self) -> Vec<String> {
        let Self { workers, admin, drain, log, store } = self;
        let changes = [
            change("workers", workers, &wanted.workers),
            change("admin", admin, &wanted.admin),
            change("drain", drain, &wanted.drain),
            change("log", log, &wanted.log),
            change("store", &store.display(), &wanted.store.display()),
        ];
        changes.into_iter().flatten().collect()
    }
}

fn change<T: Display>(name: &str, from: &T, to: &T) -> Option<String> {
    let (from, to) = (from.to_string(), to.to_string());
    let sentence = || format!("gateway.{name} changed from {from} to {to}: takes effect after a restart");
    (from != to).then(sentence)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

#[cfg(test)]
mod tests {
    use menshen_config::{Source, parse};

    use super::*;

    fn fixed(text: &str) -> Fixed {
        Fixed::of(&parse(&[Source::new("test", text)]).0.gateway)
    }

    #[test]
    fn every_change_is_told_with_both_values() {
        let running = fixed("gateway: { workers: 2, drain: 90s, access-log: off }");
        let wanted = fixed("gateway: { workers: 4, drain: 5s, admin: off, log: debug, access-log: stdout }");
        assert_eq!(
            running.changes_to(&wanted),
            [
                "gateway.workers changed from 2 to 4: takes effect after a restart",
                "gateway.admin changed from 127.0.0.1:9180 to off: takes effect after a restart",
                "gateway.drain changed from 1m30s to 5s: takes effect after a restart",
                "gateway.log changed from info to debug: takes effect after a restart",
            ]
        );
    }

    #[test]
    fn a_default_that_is_written_out_is_no_change() {
        let written = fixed("gateway: { admin: 127.0.0.1:9180, drain: 30s, log: info }");
        assert!(fixed("").changes_to(&written).is_empty());
    }
}
