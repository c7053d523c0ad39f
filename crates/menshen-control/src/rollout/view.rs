//! Groups and their rollouts, as the admin API shows them.

use menshen_proxy::split::WHOLE;
use serde_json::{Value, json};

use super::Standing;
use super::progress::percent;
use crate::Ground;

/// All groups by route and name.
pub(crate) fn view(ground: &Ground) -> Vec<Value> {
    let rollouts = ground.rollouts.standings();
    let mut groups = ground.groups.all();
    groups.sort_by(|a, b| a.0.cmp(&b.0));
    let show = |((route, group), stats): &(_, std::sync::Arc<menshen_proxy::split::GroupStats>)| {
        let (route, group): (&Box<str>, &Box<str>) = (route, group);
        let mut value = json!({
            "route": route, "group": group,
            "requests": stats.sum(|cells| &cells.requests), "bad-replies": stats.sum(|cells| &cells.bad),
        });
        if let Some(rollout) =
            rollouts.iter().find(|r| (&r.identity.route, &r.identity.group) == (route, group))
        {
            value["rollout"] = show_rollout(rollout);
        }
        value
    };
    groups.iter().map(show).collect()
}

fn show_rollout(rollout: &Standing) -> Value {
    json!({
        "plan": rollout.identity.share, "share": percent(f64::from(rollout.width) / f64::from(WHOLE)),
        "stage": rollout.stage.as_str(), "why": rollout.why,
    })
}
