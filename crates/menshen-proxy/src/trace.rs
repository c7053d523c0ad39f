//! What each step of a chain did in one exchange, and how long it took.

use crate::chain::StepId;

/// The phases in which steps run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // the variant is the name
pub enum Phase {
    Pre,
    Route,
    Post,
    Error,
    Done,
}

impl Phase {
    /// The name as users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Route => "route",
            Self::Post => "post",
            Self::Error => "error",
            Self::Done => "done",
        }
    }
}

/// What a step decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passed.
    Pass,
    /// Its `when` did not match.
    Skipped,
    /// It answered.
    Answered,
    /// It failed; the exchange went to the error phase.
    Failed,
    /// It failed, and `on-error: continue` went on.
    Ignored,
    /// It would have answered or failed, but is in shadow.
    Shadow,
}

impl Verdict {
    /// The name as users read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skipped => "skipped",
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Ignored => "ignored",
            Self::Shadow => "shadow",
        }
    }
}

/// One step that ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepTrace {
    /// The route whose chain it belongs to; a forwarded request has several.
    pub route: crate::snapshot::RouteId,
    /// Which step of the route's chain.
    pub step: StepId,
    /// In which phase.
    pub phase: Phase,
    /// What it decided.
    pub verdict: Verdict,
    /// How long it took, in nanoseconds.
    pub nanos: u32,
}

/// All steps that ran, in order. Reused from exchange to exchange.
#[derive(Debug, Default)]
pub struct Trace {
    steps: Vec<StepTrace>,
}

impl Trace {
    /// The steps in the order in which they ran.
    pub fn steps(&self) -> &[StepTrace] {
        &self.steps
    }

    pub(crate) fn push(&mut self, step: StepTrace) {
        self.steps.push(step);
    }

    pub(crate) fn clear(&mut self) {
        self.steps.clear();
    }
}
