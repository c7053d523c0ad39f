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
    /// Which group that is and why, in words.
    pub(super) because: String,
}

pub(super) fn explain(live: &Live, split: &Split, exchange: &Exchange) -> Explained {
    let groups = split.groups().iter().map(|group| describe(live, group)).collect();
    let Choice { group, why } = split.choose(exchange);
    let name = group.as_ref().map_or("none", |group| &group.name);
    let (group, because) = match why {
        Why::Condition if group.is_none() => (None, "none: no `when` matches".to_owned()),
        Why::Condition => (group.clone(), format!("{name}: its `when` matches")),
        Why::Key => (group.clone(), format!("{name}: by what the request is known by (`by`)")),
        Why::NoKey => (None, "none: the request has nothing to be known by (`by`)".to_owned()),
        Why::Chance => {
            (None, "drawn anew for each request; this is where it goes if it is in none".to_owned())
        }
        Why::Newcomer(_) => {
            (None, "drawn once, then by the cookie; this is where it goes if it is in none".to_owned())
        }
    };
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
