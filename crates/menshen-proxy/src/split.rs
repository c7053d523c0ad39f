//! A route that is split: some of its requests are in groups, which go elsewhere or are told apart by their service. Who is in a
//! group stays in it: a hash of the route and of what the request is known by decides.

mod key;
mod share;
mod stats;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use menshen_http1::FieldName;

use crate::balance::hash::{self, mix};
use crate::condition::Condition;
use crate::snapshot::{Action, HostPolicy, ServiceId};
use crate::worker::Live;
use crate::{Exchange, Failure, Finished, Reply};

pub use key::SplitBy;
use key::{Key, set_cookie};
pub use share::{Rollout, Share, Stage, WHOLE};
pub use stats::{GroupCells, GroupStats};

/// The name of the group, for the service; no client can send it.
pub const FIELD: &str = "x-menshen-group";

/// How the requests of a route are split.
#[derive(Clone, Debug)]
pub struct Split {
    /// What decides who stays in a group.
    by: SplitBy,
    /// Groups that take all who match, then those with shares.
    groups: Box<[Arc<Group>]>,
    /// Where all others go.
    rest: Action,
    /// Makes the hashes of this route other than those of others, so that not always the same people try what is new.
    salt: u64,
}

/// Some of the requests of a route.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name in the document.
    pub name: Box<str>,
    /// Where it leads.
    pub service: ServiceId,
    /// What is put in front of the target; without trailing slash, may be empty.
    pub base: Box<str>,
    /// Which Host the service sees.
    pub host: HostPolicy,
    /// Who may be in it; everybody, if there is none.
    pub when: Option<Condition>,
    /// How many of those are in it.
    pub share: Share,
    /// Its counters.
    pub stats: Arc<GroupStats>,
}

/// Which group a request is in, and why.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The group; none for those who go where the route leads.
    pub group: Option<Arc<Group>>,
    /// What decided.
    pub why: Why,
}

/// What decided which group a request is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The conditions of the group alone.
    Condition,
    /// What the request is known by: it is the same next time.
    Key,
    /// Chance, because requests are drawn one by one.
    Chance,
    /// Chance; the client gets a cookie with this key, so that it is the same next time.
    Newcomer(u64),
    /// The request has nothing to be known by, so that it is in no share.
    NoKey,
}

/// That a request is in a group, until it is finished.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) group: Arc<Group>,
    /// The group did badly, whatever was made of it for the client.
    failed: bool,
}

impl Split {
    /// The split of the route of this name. The conditions of groups without share are asked first.
    pub fn new(route: &str, by: SplitBy, groups: Vec<Group>, rest: Action) -> Self {
        let (exact, shared): (Vec<_>, Vec<_>) = groups.into_iter().partition(|g| g.share == Share::All);
        let groups = exact.into_iter().chain(shared).map(Arc::new).collect();
        Self { by, groups, rest, salt: hash::of(route.as_bytes()) }
    }

    /// What decides who stays in a group.
    pub fn by(&self) -> &SplitBy {
        &self.by
    }

    /// The groups, in the order in which they are asked.
    pub fn groups(&self) -> &[Arc<Group>] {
        &self.groups
    }

    /// Where those go who are in no group.
    pub fn rest(&self) -> &Action {
        &self.rest
    }

    /// Which group a request is in.
    pub fn choose(&self, exchange: &Exchange) -> Choice {
        let holds = |group: &&Arc<Group>| group.admits(exchange);
        let exact = |group: &&Arc<Group>| group.share == Share::All;
        if let Some(group) = self.groups.iter().take_while(exact).find(holds) {
            return Choice { group: Some(group.clone()), why: Why::Condition };
        }
        if self.groups.last().is_none_or(|group| exact(&group)) {
            return Choice { group: None, why: Why::Condition };
        }
        let (position, why) = match self.by.key(exchange) {
            Key::Known(key) => (self.position(key), Why::Key),
            Key::Drawn(key) => (self.position(key), Why::Chance),
            Key::Given(key) => (self.position(key::of_given(key)), Why::Newcomer(key)),
            Key::Missing => return Choice { group: None, why: Why::NoKey },
        };
        let at = |group: &&Arc<Group>| group.share.takes(position);
        Choice { group: self.groups.iter().filter(at).find(holds).cloned(), why }
    }

    /// Where a key is among all, from 0 to [`WHOLE`].
    fn position(&self, key: u64) -> u32 {
        let product = u128::from(mix(key ^ self.salt)) * u128::from(WHOLE);
        u32::try_from(product >> 64).unwrap_or(0)
    }

    /// Finds the group of a request and tells the service. What is returned is for [`Split::leave`].
    pub(crate) fn enter(&self, exchange: &mut Exchange) -> Choice {
        let choice = self.choose(exchange);
        let fields = &mut exchange.request.fields;
        // A gateway in front of this one may have its own groups.
        match &choice.group {
            Some(group) => fields.set(FieldName::X_MENSHEN_GROUP, group.name.as_bytes()),
            None => drop(fields.remove(FieldName::X_MENSHEN_GROUP)),
        }
        exchange.group = choice.group.clone().map(|group| Box::new(Membership { group, failed: false }));
        choice
    }

    /// Gives newcomers the cookie by which they are known next time.
    pub(crate) fn leave(&self, choice: &Choice, exchange: &Exchange, reply: &mut Reply) {
        if let (SplitBy::Cookie(name), Why::Newcomer(key)) = (&self.by, choice.why) {
            set_cookie(name, key, exchange, reply);
        }
    }
}

impl Group {
    /// True when the request may be in it.
    fn admits(&self, exchange: &Exchange) -> bool {
        let Exchange { request, target, client, live, .. } = exchange;
        self.when.as_ref().is_none_or(|when| when.holds(request, target, client, live.clock()))
    }
}

impl Membership {
    /// Takes note of what the service made of the request.
    pub(crate) fn note<T>(&mut self, result: &Result<T, Failure>, status: impl FnOnce(&T) -> u16) {
        let status = match result {
            Ok(answer) => status(answer),
            Err(failure) => failure.status(),
        };
        self.failed |= (500..600).contains(&status);
    }

    /// Counts the request, which is over.
    pub(crate) fn count(&self, live: &Live, exchange: &Exchange, finished: &Finished) {
        let Some(cells) = self.group.stats.of(live.worker_index()) else { return };
        let is_cut = finished.failure.is_some_and(|failure| failure.blame() == crate::Blame::Service);
        let call_failed = exchange.grpc_status().is_some_and(|status| status.http_status() >= 500);
        cells.requests.add(1);
        cells.bad.add(u64::from(self.failed || is_cut || call_failed));
    }
}
