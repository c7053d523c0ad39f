//! Which group of a split a request is in, and why.

use std::sync::Arc;

use menshen_proxy::split::{Choice, Group, Share, Split, WHOLE, Why};
use menshen_proxy::{Exchange, Live};

/// What is to be said about a split.
pub(super) struct Explained {
    /// Name, who is in it, where it leads.
    pub(super) groups: Vec<(String, String, String)>,
    /// The group that the request is in; none where chance decides.
    pub(super) group: Option<Arc<Group>>,
    /// Why, in words.
    pub(super) because: String,
}

pub(super) fn explain(live: &Live, split: &Split, exchange: &Exchange) -> Explained {
    let groups = split.groups().iter().map(|group| describe(live, group)).collect();
    let Choice { group, why } = split.choose(exchange);
    let by = split.by();
    let is_chance = matches!(why, Why::Chance | Why::Newcomer(_));
    let because = match why {
        Why::Condition if group.is_some() => "its `when` matches".to_owned(),
        Why::Condition => "no `when` matches".to_owned(),
        Why::Key => format!("by its {by}"),
        Why::NoKey => format!("it has no {by}"),
        Why::Chance => "each request is drawn anew; this is what becomes of those in no group".to_owned(),
        Why::Newcomer(_) => {
            format!("a newcomer is drawn once and gets the {by}; this is what becomes of those in no group")
        }
    };
    let group = group.filter(|_| !is_chance);
    Explained { groups, group, because }
}

fn describe(live: &Live, group: &Group) -> (String, String, String) {
    let percent = |width: u32| format!("{}%", f64::from(width) / f64::from(WHOLE / 100));
    let share = match &group.share {
        Share::All => None,
        Share::Fixed { width, .. } => Some(percent(*width)),
        Share::Rollout { rollout, .. } => Some(format!("{} at first", percent(rollout.width()))),
    };
    let who = match (share, &group.when) {
        (Some(share), None) => share,
        (Some(share), Some(_)) => format!("{share} of who matches"),
        (None, _) => "who matches".to_owned(),
    };
    let service = live.snapshot().service(group.service).map_or("", |service| &service.name);
    (group.name.to_string(), who, format!("service {service}{}", group.base))
}
