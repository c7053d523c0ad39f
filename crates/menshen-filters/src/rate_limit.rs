//! `rate-limit`: so many requests per time for each caller, over all workers together.
//!
//! The algorithm is GCRA, a leaky bucket that needs one number per caller: a request counts when it is let through, in
//! the same step in which it is checked, and what a caller owes is forgiven at the pace of the limit. No window can be
//! straddled, and only the monotonic clock is asked.

mod clock;
mod key;
mod phrase;
mod table;

use std::hash::RandomState;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use menshen_proxy::chain::Step;
use menshen_proxy::{Exchange, Failure, Flow, PostFilter, PreFilter, Reply};
use schemars::JsonSchema;
use serde::Deserialize;

use self::clock::{Clock, PARTS, Pace, Terms};
use self::phrase::{Per, Phrase};
use self::table::{Table, Verdict};
use crate::{Contract, Filter, Setup, State, scratch};

/// Lets so many requests per time pass for each caller and answers the others with 429 and `Retry-After`, before the
/// service is called. Counts exactly over all workers; counters survive reloads and edits of the limit.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// How many requests per time: `100/s`, `10/m`, `5000/day`; at most 1000000 per second. `burst` and `per` may
    /// follow: `100/s burst 20 per ip`.
    limit: Phrase,
    /// How many requests a caller may make at once after a pause. Default: the number in `limit`, so that `10/m` lets
    /// ten pass at any time within a minute; `1` spaces requests evenly.
    burst: Option<u64>,
    /// Whose requests are counted together. Default `route`: all callers of a route share its limit. Where a request
    /// lacks the header, parameter or cookie, or has it empty or twice, it shares one limit with all such requests.
    per: Option<Per>,
    /// How many requests one request counts for. Default 1.
    #[serde(default = "one")]
    cost: u64,
    /// For how many callers there is room; each takes 8 bytes once it comes. If more callers are active at the same
    /// time, those that owe least are forgotten; `menshen_filter_evictions_total` counts them. Default 65536.
    #[serde(default = "default_keys")]
    keys: u32,
    /// Whether replies tell the client its limit in `RateLimit-Policy` and `RateLimit`. Default `shown`.
    #[serde(default)]
    headers: Headers,
}

fn one() -> u64 {
    1
}

fn default_keys() -> u32 {
    65_536
}

/// Whether replies tell about the limit.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Headers {
    /// `RateLimit-Policy` and `RateLimit` are in every reply.
    #[default]
    Shown,
    /// Only `Retry-After` is sent, with a 429.
    Hidden,
}

/// The largest burst.
const MOST_BURST: u64 = 1_000_000_000;

/// The filter.
pub struct RateLimit {
    per: Per,
    terms: Terms,
    cost: u64,
    generation: u32,
    headers: Headers,
    name: Box<[u8]>,
    policy: Box<[u8]>,
    state: Arc<Debts>,
}

/// What outlives a generation.
struct Debts {
    origin: Instant,
    seed: RandomState,
    generations: AtomicU32,
    clock: Clock,
    table: Table,
}

impl State for Debts {
    fn reset(&self) {
        self.table.clear();
    }

    fn evictions(&self) -> u64 {
        self.table.evictions()
    }
}

impl Filter for RateLimit {
    const NAME: &'static str = "rate-limit";
    const SHORT: Option<&'static str> = Some("limit");
    const CONTRACT: Contract = Contract { decides: true, refuses_callers: true, ..Contract::NONE };
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        let Some(filter) = Self::new(config, setup, step) else { return };
        let filter = Arc::new(filter);
        step.pre(filter.clone());
        if filter.headers == Headers::Shown {
            step.post(filter);
        }
    }
}

impl RateLimit {
    fn new(config: Config, setup: &mut Setup<'_>, step: &Step) -> Option<Self> {
        let Config { limit, burst, per, cost, keys, headers } = config;
        for (field, is_twice) in [
            ("burst", burst.is_some() && limit.burst.is_some()),
            ("per", per.is_some() && limit.per.is_some()),
        ] {
            if is_twice {
                setup.error(field, format!("`{field}` is given here and in `limit`"));
            }
        }
        let per = per.or(limit.per).unwrap_or_default();
        let pace = Pace::of(limit.rate);
        if pace.is_none() {
            setup.error("limit", "a limit can be at most 1000000 requests per second");
        }
        let burst = burst.or(limit.burst).unwrap_or(limit.rate.amount);
        if !(1..=MOST_BURST).contains(&burst) {
            setup.error("burst", format!("a burst is 1 to {MOST_BURST} requests, not {burst}"));
        } else if !(1..=burst).contains(&cost) {
            setup.error("cost", format!("a request must cost 1 to {burst}, which is the burst, not {cost}"));
        }
        if !(1..=table::MOST_KEYS).contains(&keys) {
            setup.error(
                "keys",
                format!("there can be room for 1 to {} callers, not {keys}", table::MOST_KEYS),
            );
            return None;
        }
        let (burst, cost) = (burst.min(MOST_BURST), cost.min(MOST_BURST));
        let terms = Terms { pace: pace?, room: burst * PARTS };
        let state = setup.kept(step, &keys.to_string(), || Debts {
            origin: Instant::now(),
            seed: RandomState::new(),
            generations: AtomicU32::new(0),
            clock: Clock::new(terms),
            table: Table::new(keys),
        });
        let name = format!("\"{} per {}\"", limit.rate, per.text);
        let policy = format!("{name};q={burst};w={}", terms.pace.seconds(terms.room));
        Some(Self {
            generation: state.generations.fetch_add(1, Ordering::Relaxed).saturating_add(1),
            cost: cost * PARTS,
            name: name.into_bytes().into(),
            policy: policy.into_bytes().into(),
            per,
            terms,
            headers,
            state,
        })
    }

    /// Counts a request of the caller with this key at this moment.
    fn take(&self, key: u64, nanos: u64) -> (Verdict, Terms) {
        let reading = self.state.clock.read(self.generation, self.terms, nanos);
        if reading.is_turn {
            self.state.table.settle(reading.now, reading.terms.room);
        }
        let verdict = self.state.table.take(key, reading.now, self.cost, reading.terms.room);
        (verdict, reading.terms)
    }
}

impl PreFilter for RateLimit {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        let key = key::of(&self.per, exchange, &self.state.seed);
        let nanos = u64::try_from(self.state.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let (verdict, terms) = self.take(key, nanos);
        let (debt, flow) = match verdict {
            Verdict::Admitted { debt } => (debt, Flow::Continue),
            Verdict::Refused { excess } => {
                let retry_after = terms.pace.seconds(excess);
                let debt = terms.room.saturating_sub(self.cost).saturating_add(excess);
                (debt, Flow::Fail(Failure::RateLimited { retry_after }))
            }
        };
        if self.headers == Headers::Shown {
            let left = terms.room.saturating_sub(debt) / PARTS;
            let budget = Budget { filter: self.place(), left, seconds: terms.pace.seconds(debt) };
            match exchange.notes.get_mut::<Budgets>() {
                Some(budgets) => budgets.add(budget),
                None => exchange.notes.put(Budgets([Some(budget), None, None, None])),
            }
        }
        flow
    }
}

impl PostFilter for RateLimit {
    fn post(&self, exchange: &mut Exchange, reply: &mut Reply) -> Result<(), Failure> {
        let budget = exchange.notes.get::<Budgets>().and_then(|budgets| budgets.of(self.place()));
        let Some(Budget { left, seconds, .. }) = budget else { return Ok(()) };
        let fields = &mut reply.head.fields;
        scratch::with(|value| {
            value.extend_from_slice(&self.name);
            // Writing into memory cannot fail.
            let _ = write!(value, ";r={left};t={seconds}");
            add(fields, b"ratelimit-policy", &self.policy);
            add(fields, b"ratelimit", value);
        });
        Ok(())
    }
}

impl RateLimit {
    /// What tells this filter from the others of an exchange.
    fn place(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

/// Adds to a list field: a route may have several limits, and its service too.
fn add(fields: &mut menshen_proxy::http1::Fields, name: &[u8], value: &[u8]) {
    match fields.get_named(name).map(|old| [old, b", ", value].concat()) {
        Some(list) => fields.set_named(name, &list),
        None => fields.append_named(name, value),
    }
}

/// What is left of the limits that an exchange passed, for its reply; at most four limits are told.
struct Budgets([Option<Budget>; 4]);

#[derive(Clone, Copy)]
struct Budget {
    filter: usize,
    left: u64,
    seconds: u32,
}

impl Budgets {
    fn add(&mut self, budget: Budget) {
        let free = self.0.iter_mut().find(|b| b.is_none_or(|b| b.filter == budget.filter));
        if let Some(place) = free {
            *place = Some(budget);
        }
    }

    fn of(&self, filter: usize) -> Option<Budget> {
        self.0.iter().flatten().find(|b| b.filter == filter).copied()
    }
}

#[cfg(test)]
mod tests;
