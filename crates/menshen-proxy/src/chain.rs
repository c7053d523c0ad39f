//! A chain: the filters of a route, phase by phase. Conditions, shadow mode, error policy, the run-time switch,
//! timing and the trace live here once, so every filter has them for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::condition::Condition;
use crate::failure::Blame;
use crate::filter::{
    DoneFilter, ErrorFilter, Flow, PostFilter, PreFilter, PreFilterAsync, Recovery, RouteFilter,
};
use crate::stats::StepStats;
use crate::trace::{Phase, StepTrace, Verdict};
use crate::{Attempt, Exchange, Failure, Finished, Reply};

/// The number of a step in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepId(pub u8);

/// A set of steps of one chain, and so of atoms of a scheme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepSet(u128);

impl StepSet {
    /// The most steps a chain may have.
    pub const MAX: usize = 128;

    /// Adds a step.
    pub fn insert(&mut self, step: StepId) {
        self.0 |= 1u128.checked_shl(u32::from(step.0)).unwrap_or(0);
    }

    /// True when the step is in the set.
    pub fn contains(self, step: StepId) -> bool {
        self.0 & 1u128.checked_shl(u32::from(step.0)).unwrap_or(0) != 0
    }

    /// Steps of either set.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True when every step of `other` is in this set.
    pub fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What to do when a filter fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnError {
    /// The exchange fails.
    #[default]
    Fail,
    /// The filter's own failure is noted and the exchange goes on; its refusals still count.
    Continue,
}

/// Whether a filter's decision counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// It counts.
    #[default]
    Enforce,
    /// It is noted only: what would have happened shows in log and metrics.
    Shadow,
}

/// Turns a filter off and on at run time, for all workers and generations.
#[derive(Debug, Default)]
pub struct Switch {
    off: AtomicBool,
}

impl Switch {
    /// True when the filter is to be passed over.
    pub fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed)
    }

    /// Turns the filter off.
    pub fn turn_off(&self) {
        self.off.store(true, Ordering::Relaxed);
    }

    /// Turns the filter on.
    pub fn turn_on(&self) {
        self.off.store(false, Ordering::Relaxed);
    }
}

/// The `pre` part of a step.
pub enum Pre {
    /// Decides at once.
    Sync(Arc<dyn PreFilter>),
    /// Must wait for somebody.
    Async(Arc<dyn PreFilterAsync>),
    /// Alternatives: the first that passes is enough; if none does, the first one's refusal stands.
    Any(Box<[Arc<Step>]>),
}

/// One filter of a chain with everything that is common to all filters.
pub struct Step {
    /// The filter's name, such as `cors`.
    pub name: &'static str,
    /// The id of this instance; its name where the document gives none.
    pub id: Box<str>,
    /// Runs only where this holds.
    pub when: Option<Condition>,
    /// Whether its decision counts.
    pub mode: Mode,
    /// What its failure means.
    pub on_error: OnError,
    /// The run-time switch.
    pub switch: Arc<Switch>,
    /// Its counters.
    pub stats: Arc<StepStats>,
    parts: Parts,
}

#[derive(Default)]
struct Parts {
    pre: Option<Pre>,
    route: Option<Arc<dyn RouteFilter>>,
    post: Option<Arc<dyn PostFilter>>,
    error: Option<Arc<dyn ErrorFilter>>,
    done: Option<Arc<dyn DoneFilter>>,
}

impl Step {
    /// A step without parts.
    pub fn new(name: &'static str, id: Box<str>, switch: Arc<Switch>, stats: Arc<StepStats>) -> Self {
        let (mode, on_error) = (Mode::default(), OnError::default());
        Self { name, id, when: None, mode, on_error, switch, stats, parts: Parts::default() }
    }

    /// Registers for the `pre` phase.
    pub fn pre(&mut self, filter: Arc<dyn PreFilter>) -> &mut Self {
        self.parts.pre = Some(Pre::Sync(filter));
        self
    }

    /// Registers for the `pre` phase, asynchronously.
    pub fn pre_async(&mut self, filter: Arc<dyn PreFilterAsync>) -> &mut Self {
        self.parts.pre = Some(Pre::Async(filter));
        self
    }

    /// Makes this step a group of alternatives.
    pub fn any(&mut self, alternatives: Box<[Arc<Step>]>) -> &mut Self {
        self.parts.pre = Some(Pre::Any(alternatives));
        self
    }

    /// Registers for the `route` phase.
    pub fn route(&mut self, filter: Arc<dyn RouteFilter>) -> &mut Self {
        self.parts.route = Some(filter);
        self
    }

    /// Registers for the `post` phase.
    pub fn post(&mut self, filter: Arc<dyn PostFilter>) -> &mut Self {
        self.parts.post = Some(filter);
        self
    }

    /// Registers for the `error` phase.
    pub fn error(&mut self, filter: Arc<dyn ErrorFilter>) -> &mut Self {
        self.parts.error = Some(filter);
        self
    }

    /// Registers for the `done` phase.
    pub fn done(&mut self, filter: Arc<dyn DoneFilter>) -> &mut Self {
        self.parts.done = Some(filter);
        self
    }

    /// The phases this step is registered for.
    pub fn phases(&self) -> impl Iterator<Item = Phase> {
        let p = &self.parts;
        [
            (p.pre.is_some(), Phase::Pre),
            (p.route.is_some(), Phase::Route),
            (p.post.is_some(), Phase::Post),
            (p.error.is_some(), Phase::Error),
            (p.done.is_some(), Phase::Done),
        ]
        .into_iter()
        .filter_map(|(registered, phase)| registered.then_some(phase))
    }

    fn applies(&self, exchange: &Exchange) -> bool {
        if self.switch.is_off() {
            return false;
        }
        match &self.when {
            Some(when) => {
                when.holds(&exchange.request, &exchange.target, &exchange.client, exchange.live.clock())
            }
            None => true,
        }
    }

    /// Whether this failure may be passed over, and the verdict to note. A refusal is no failure of the filter itself:
    /// `on-error: continue` must not open a door.
    fn judge(&self, failure: Failure) -> (Verdict, bool) {
        match (self.mode, self.on_error) {
            (Mode::Shadow, _) => (Verdict::Shadow, true),
            (Mode::Enforce, OnError::Continue) if failure.blame() != Blame::Client => {
                (Verdict::Ignored, true)
            }
            (Mode::Enforce, _) => (Verdict::Failed, false),
        }
    }

    fn note(&self, id: StepId, phase: Phase, verdict: Verdict, lap: &mut Lap, exchange: &mut Exchange) {
        let nanos = lap.nanos();
        exchange.trace.push(StepTrace { route: exchange.route, step: id, phase, verdict, nanos });
        self.stats.record(exchange.live.worker_index(), verdict, nanos);
    }
}

/// The filters of a route in the order of the document: first the listener's, then the route's own.
#[derive(Default)]
pub struct Chain {
    steps: Box<[Arc<Step>]>,
    shared: usize,
    phases: Phases,
}

/// The phases for which a chain has any step.
#[derive(Clone, Copy, Debug, Default)]
struct Phases(u8);

impl Phases {
    fn of(steps: &[Arc<Step>]) -> Self {
        Self(steps.iter().flat_map(|s| s.phases()).fold(0, |set, phase| set | 1 << phase as u8))
    }

    fn contains(self, phase: Phase) -> bool {
        self.0 & 1 << phase as u8 != 0
    }
}

impl Chain {
    /// A chain of these steps; the first `shared` ones are the listener's. Steps beyond [`StepSet::MAX`] are a
    /// problem that the compiler reports; they are cut here.
    pub fn new(mut steps: Vec<Arc<Step>>, shared: usize) -> Self {
        steps.truncate(StepSet::MAX);
        Self { phases: Phases::of(&steps), steps: steps.into(), shared }
    }

    /// True when a step is registered for the phase.
    pub fn has(&self, phase: Phase) -> bool {
        self.phases.contains(phase)
    }

    /// How many steps at the front are the listener's.
    pub fn shared(&self) -> usize {
        self.shared
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Arc<Step>] {
        &self.steps
    }

    /// The step with this number.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.get(usize::from(id.0)).map(|s| &**s)
    }

    fn numbered(&self) -> impl DoubleEndedIterator<Item = (StepId, &Step)> + ExactSizeIterator {
        self.steps.iter().enumerate().map(|(i, s)| (StepId(u8::try_from(i).unwrap_or(u8::MAX)), &**s))
    }

    /// Runs the `pre` phase in order, from step number `from` on, until a filter answers or fails.
    pub async fn pre(&self, exchange: &mut Exchange, from: usize) -> Flow {
        if self.steps.len() <= from {
            return Flow::Continue;
        }
        let mut lap = Lap::start();
        for (id, step) in self.numbered().skip(from) {
            if !step.applies(exchange) {
                let (route, verdict) = (exchange.route, Verdict::Skipped);
                exchange.trace.push(StepTrace { route, step: id, phase: Phase::Pre, verdict, nanos: 0 });
                continue;
            }
            exchange.entered.insert(id);
            let Some(pre) = &step.parts.pre else { continue };
            let flow = run_pre(pre, exchange).await;
            let verdict = match (&flow, step.mode) {
                (Flow::Continue, _) => Verdict::Pass,
                (Flow::Answer(_), Mode::Enforce) => Verdict::Answered,
                (Flow::Answer(_), Mode::Shadow) => Verdict::Shadow,
                (Flow::Fail(failure), _) => step.judge(*failure).0,
            };
            step.note(id, Phase::Pre, verdict, &mut lap, exchange);
            match verdict {
                Verdict::Answered | Verdict::Failed => return flow,
                Verdict::Pass => exchange.passed.insert(id),
                Verdict::Skipped | Verdict::Ignored | Verdict::Shadow => {}
            }
        }
        Flow::Continue
    }

    /// Runs the `route` phase before an attempt.
    ///
    /// # Errors
    /// The first failure that counts.
    pub fn route(&self, exchange: &mut Exchange, attempt: &Attempt) -> Result<(), Failure> {
        let mut lap = Lap::start();
        for (id, step) in self.numbered() {
            let Some(filter) = &step.parts.route else { continue };
            if !exchange.entered.contains(id) {
                continue;
            }
            let result = filter.attempt(exchange, attempt);
            step.settle(result, id, Phase::Route, &mut lap, exchange)?;
        }
        Ok(())
    }

    /// Runs the `post` phase in reverse over the steps that were entered and stand before number `below`.
    ///
    /// # Errors
    /// The first failure that counts, and the number of its step: those before it have not run.
    pub fn post(
        &self,
        exchange: &mut Exchange,
        reply: &mut Reply,
        below: usize,
    ) -> Result<(), (usize, Failure)> {
        if !self.phases.contains(Phase::Post) {
            return Ok(());
        }
        let mut lap = Lap::start();
        for (id, step) in self.numbered().take(below).rev() {
            let Some(filter) = &step.parts.post else { continue };
            if !exchange.entered.contains(id) || step.mode == Mode::Shadow {
                continue;
            }
            let result = filter.post(exchange, reply);
            step.settle(result, id, Phase::Post, &mut lap, exchange)
                .map_err(|failure| (usize::from(id.0), failure))?;
        }
        Ok(())
    }

    /// Runs the `error` phase in order. Every error filter may look, entered or not: an error page must
    /// also cover a failure in a step before it.
    pub fn error(&self, exchange: &mut Exchange, failure: Failure, reply: &mut Reply) -> Recovery {
        let mut lap = Lap::start();
        for (id, step) in self.numbered() {
            let Some(filter) = &step.parts.error else { continue };
            if step.mode == Mode::Shadow || !step.applies(exchange) {
                continue;
            }
            let recovery = filter.error(exchange, failure, reply);
            let verdict = if recovery == Recovery::Continue { Verdict::Pass } else { Verdict::Answered };
            step.note(id, Phase::Error, verdict, &mut lap, exchange);
            if recovery != Recovery::Continue {
                return recovery;
            }
        }
        Recovery::Continue
    }

    /// Runs the `done` phase.
    pub fn done(&self, exchange: &Exchange, finished: &Finished) {
        if !self.phases.contains(Phase::Done) {
            return;
        }
        for (id, step) in self.numbered() {
            if let Some(filter) = &step.parts.done
                && exchange.entered.contains(id)
            {
                filter.done(exchange, finished);
            }
        }
    }
}

impl Step {
    fn settle(
        &self,
        result: Result<(), Failure>,
        id: StepId,
        phase: Phase,
        lap: &mut Lap,
        exchange: &mut Exchange,
    ) -> Result<(), Failure> {
        let Err(failure) = result else {
            self.note(id, phase, Verdict::Pass, lap, exchange);
            return Ok(());
        };
        let (verdict, passed_over) = self.judge(failure);
        self.note(id, phase, verdict, lap, exchange);
        if passed_over { Ok(()) } else { Err(failure) }
    }
}

async fn run_pre(pre: &Pre, exchange: &mut Exchange) -> Flow {
    match pre {
        Pre::Sync(filter) => filter.pre(exchange),
        Pre::Async(filter) => filter.pre(exchange).await,
        Pre::Any(alternatives) => Box::pin(run_any(alternatives, exchange)).await,
    }
}

async fn run_any(alternatives: &[Arc<Step>], exchange: &mut Exchange) -> Flow {
    let mut first_refusal = None;
    for step in alternatives {
        if !step.applies(exchange) {
            continue;
        }
        let Some(pre) = &step.parts.pre else { continue };
        match run_pre(pre, exchange).await {
            Flow::Continue => return Flow::Continue,
            refusal => first_refusal = first_refusal.or(Some(refusal)),
        }
    }
    first_refusal.unwrap_or(Flow::Continue)
}

/// The time between two steps.
struct Lap {
    last: Instant,
}

impl Lap {
    fn start() -> Self {
        Self { last: Instant::now() }
    }

    fn nanos(&mut self) -> u32 {
        let now = Instant::now();
        let nanos = now.duration_since(self.last).as_nanos();
        self.last = now;
        u32::try_from(nanos).unwrap_or(u32::MAX)
    }
}
