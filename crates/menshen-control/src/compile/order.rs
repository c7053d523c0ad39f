//! Checks the order of filters by their contracts. Order is the order in the document; what cannot work or is
//! surely not meant is said here.

use menshen_config::Problems;
use menshen_filters::Contract;

use super::chain::Built;

/// Checks one chain; what concerns only the listener's first `shared` steps was said already.
pub(super) fn check(steps: &[Built], shared: usize, problems: &mut Problems) {
    let contract = |b: &Built| b.spec.map_or(Contract::NONE, |s| s.contract);
    for (at, built) in steps.iter().enumerate().skip(shared) {
        let before = steps.get(..at).unwrap_or_default();
        let this = contract(built);
        if this.answers_preflight
            && let Some(refuser) = before.iter().find(|b| contract(b).refuses_callers)
        {
            let message = format!(
                "`{}` stands behind `{}`, which can refuse preflights",
                built.step.name, refuser.step.name
            );
            problems
                .warning(built.item.at, &built.item.path, message)
                .hint("browsers send preflights without credentials: put it first");
        }
        if this.uses_request_id && !before.iter().any(|b| contract(b).sets_request_id) {
            let message =
                format!("`{}` uses the request id, but no `request-id` stands before it", built.step.name);
            problems.warning(built.item.at, &built.item.path, message);
        }
        let is_unconditional = |b: &Built| b.step.when.is_none();
        if let Some(spec) = built.spec
            && spec.contract.answers_preflight | spec.contract.sets_request_id
            && is_unconditional(built)
            && before.iter().any(|b| b.step.name == built.step.name && is_unconditional(b))
        {
            let message =
                format!("`{}` runs twice on this route; the outer one has the last word", built.step.name);
            problems.warning(built.item.at, &built.item.path, message);
        }
    }
}
