//! Groups and their rollouts, as the admin API shows them.

use menshen_proxy::split::{GroupStats, WHOLE};
use serde_json::{Value, json};

use super::Standing;
use super::progress::percent;
use crate::Ground;

/// All groups by route and name.
pub(crate) fn view(ground: &Ground) -> Vec<Value> {
    let rollouts = ground.rollouts.standings();
    let mut groups = ground.groups.all();
    groups.sort_by(|a, b| a.0.cmp(&b.0));
    let of_group = |route: &str, group: &str| {
        rollouts.iter().find(|r| (&*r.identity.route, &*r.identity.group) == (route, group))
    };
    groups.iter().map(|((route, group), stats)| show((route, group), stats, of_group(route, group))).collect()
}

fn show((route, group): (&str, &str), stats: &GroupStats, rollout: Option<&Standing>) -> Value {
    let (requests, bad) = (stats.sum(|cells| &cells.requests), stats.sum(|cells| &cells.bad));
    let mut value = json!({ "route": route, "group": group, "requests": requests, "bad-replies": bad });
    if let Some(Standing { identity, width, stage, why }) = rollout {
        let share = percent(f64::from(*width) / f64::from(WHOLE));
        value["rollout"] =
            json!({ "plan": identity.share, "share": share, "stage": stage.as_str(), "why": why });
    }
    value
}
