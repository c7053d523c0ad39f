//! `split:` of a route → groups and their shares.

use std::sync::Arc;

use menshen_config::document::{
    GroupShare, Route as WrittenRoute, Split as Written, SplitBy as WrittenBy, SplitGroup, Target,
};
use menshen_config::quantity::Percent;
use menshen_config::{Path, Problems, Span, Spanned};
use menshen_proxy::Action;
use menshen_proxy::http1::valid_name;
use menshen_proxy::split::{Group, GroupStats, Rollout, Share, Split, SplitBy, Stage, WHOLE};

use super::listener::Place;
use super::{Purpose, matching, route};
use crate::rollout::{Identity, Plan};
use crate::store;

/// As many groups as may be in one split: each request may have to be tested against all of them.
const MOST_GROUPS: usize = 64;
/// As long as the name of a group may be: it is a field of each request and a label of metrics.
const LONGEST_NAME: usize = 64;

/// `rest` is where those go who are in no group.
pub(super) fn compile(
    written: &Written,
    route: &str,
    at: &WrittenRoute,
    rest: Action,
    place: &mut Place<'_, '_>,
    problems: &mut Problems,
) -> Option<Action> {
    let path = Path::root().key("routes").key(route).key("split");
    let groups = &written.groups;
    if !(1..=MOST_GROUPS).contains(&groups.len()) {
        let message = format!("a split has 1 to {MOST_GROUPS} groups, not {}", groups.len());
        problems.error(groups.span, path.key("groups"), message);
        return None;
    }
    let by = by(written, &path, problems);
    let mut compiler = Compiler { route, written: at, place, start: 0 };
    let list: Vec<_> = groups
        .iter()
        .map(|(name, group)| compiler.group(name, group, &path.key("groups").key(name), problems))
        .collect();
    let list = list.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Action::Split(Box::new(Split::new(route, by?, list, rest))))
}

fn by(written: &Written, path: &Path, problems: &mut Problems) -> Option<SplitBy> {
    let Some(by) = &written.by else { return Some(SplitBy::Client) };
    Some(match &by.value {
        WrittenBy::Client => SplitBy::Client,
        WrittenBy::Cookie(name) => SplitBy::Cookie(name.0.clone()),
        WrittenBy::Header(name) if valid_name(name.as_bytes()) => SplitBy::Header(name.clone()),
        WrittenBy::Header(name) => {
            problems.error(by.span, path.key("by"), format!("`{name}` is not the name of a field"));
            return None;
        }
        WrittenBy::Request => SplitBy::Request,
    })
}

fn millionths(share: Percent) -> u32 {
    // From 0 to 1, so that it fits.
    (share.fraction() * f64::from(WHOLE)).round() as u32
}

/// The groups of one split, one after the other.
struct Compiler<'a, 'p, 'b> {
    route: &'a str,
    written: &'a WrittenRoute,
    place: &'a mut Place<'p, 'b>,
    /// Where the next slice begins.
    start: u32,
}

impl Compiler<'_, '_, '_> {
    fn group(
        &mut self,
        name: &str,
        written: &Spanned<SplitGroup>,
        path: &Path,
        problems: &mut Problems,
    ) -> Option<Group> {
        check_name(name, written.span, path, problems);
        // One that was refused has its own problem.
        let is_refused = |key: &str| problems.iter().any(|p| p.path == path.key(key).to_string());
        if written.when.is_none() && written.share.is_none() && !is_refused("share") && !is_refused("when") {
            problems
                .error(written.span, path, "nobody says who is in this group")
                .hint("add `share`, such as `5%`, or `when`, or both");
        }
        let when = written.when.as_ref().map(|when| matching::when(when, &path.key("when"), problems));
        let to = path.key("to");
        if !matches!(written.to.value, Target::Service(_) | Target::Url(_)) {
            problems
                .error(written.to.span, &to, "a group leads to a service or a URL")
                .hint("make a route of its own for this, with a more specific `match` or a `weight`");
            return None;
        }
        let (service, base) = route::service(&written.to, &to, self.place, problems)?;
        let ground = self.place.ground;
        let stats = ground.groups.get((self.route.into(), name.into()), || GroupStats::new(ground.workers));
        let share = match &written.share {
            None => Share::All,
            Some(share) => {
                let identity = Identity {
                    route: self.route.into(),
                    group: name.into(),
                    share: share.to_string().into(),
                    to: words(&written.to.value).into(),
                };
                self.share(share, identity, &stats, &path.key("share"), problems)?
            }
        };
        let host = route::host(self.written, service, self.place);
        Some(Group { name: name.into(), service, base, host, when, share, stats })
    }

    /// The next slice, with room for all that it may become.
    fn share(
        &mut self,
        written: &Spanned<GroupShare>,
        identity: Identity,
        stats: &Arc<GroupStats>,
        path: &Path,
        problems: &mut Problems,
    ) -> Option<Share> {
        let start = self.start;
        let (from, to) = (millionths(written.from), millionths(written.to));
        self.start = start.saturating_add(to);
        if self.start > WHOLE && start <= WHOLE {
            let sum = f64::from(self.start) / f64::from(WHOLE / 100);
            problems
                .error(written.span, path, format!("up to here the shares sum up to {sum}%"))
                .hint("all groups together can have `100%`; a share that grows counts with its end");
            return None;
        }
        if !written.grows() && written.stop_above.is_none() {
            return Some(Share::Fixed { start, width: to });
        }
        let plan = Plan {
            from,
            to,
            over: written.over.get(),
            stop_above: written.stop_above.map(Percent::fraction),
        };
        let rollout = match self.place.purpose {
            Purpose::Serve => {
                let store = self.store(written.span, path, problems);
                self.place.ground.rollouts.get(identity, plan, stats, store.as_deref())
            }
            Purpose::Check => Arc::new(Rollout::new(from, Stage::Growing)),
        };
        Some(Share::Rollout { start, rollout })
    }

    fn store(&self, at: Span, path: &Path, problems: &mut Problems) -> Option<Arc<dyn store::Store>> {
        let Place { document, ground, .. } = &*self.place;
        let written = document.gateway.store.as_ref().map(|s| &*s.value.0);
        let folder = ground.files.resolve_path(&store::folder(written));
        let opened = ground.store.open(&folder);
        let problem = |error: store::StoreError| {
            problems
                .warning(
                    at,
                    path,
                    format!("after a restart it begins anew, because there is no store: {error}"),
                )
                .hint("`gateway: { store: FOLDER }` says where it can be");
        };
        opened.map_err(problem).ok()
    }
}

fn check_name(name: &str, at: Span, path: &Path, problems: &mut Problems) {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_plain) {
        problems
            .error(at, path, format!("`{name}` cannot be the name of a group"))
            .hint(format!("use letters, digits, `-`, `_` and `.`, {LONGEST_NAME} at most"));
    }
}

/// A target as it is written.
fn words(target: &Target) -> String {
    match target {
        Target::Url(url) => url.to_string(),
        Target::Service(name) => name.to_string(),
        Target::Forward(_) | Target::Redirect(_) | Target::Respond(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use menshen_config::{Source, parse};

    use super::*;
    use crate::Ground;

    const START: &str = "
listeners: { web: { bind: 127.0.0.1:0 } }
services: { s: { endpoints: [127.0.0.1:9001] } }
routes: { r: { match: /, to: s, split: { groups: ";

    /// The names of the groups and where their slices begin, in millionths.
    fn starts(groups: &str) -> Vec<(String, Option<u32>)> {
        let (document, mut problems) =
            parse(&[Source::new("menshen.yaml", format!("{START}{groups} }} }} }}"))]);
        let compiled = super::super::compile(&document, &Ground::new(1), Purpose::Check, &mut problems);
        let compiled = compiled.unwrap_or_else(|| panic!("{problems}"));
        let (_, route) = compiled.listeners[0].routes.iter().next().unwrap();
        let Action::Split(split) = &route.action else { panic!("it is split") };
        let start = |share: &Share| match share {
            Share::All => None,
            Share::Fixed { start, .. } | Share::Rollout { start, .. } => Some(*start),
        };
        split.groups().iter().map(|group| (group.name.to_string(), start(&group.share))).collect()
    }

    #[test]
    fn slices_lie_side_by_side_with_room_for_what_grows() {
        let groups = "{ a: { to: s, share: 5% }, b: { to: s, share: from 1% to 50% over 2h }, \
                      c: { to: s, share: 1% and stop if 5xx > 1% }, d: { to: s, when: /x }, e: { to: s, share: 44% } }";
        let expected =
            [("d", None), ("a", Some(0)), ("b", Some(50_000)), ("c", Some(550_000)), ("e", Some(560_000))];
        assert_eq!(starts(groups), expected.map(|(name, start)| (name.to_owned(), start)));
    }

    #[test]
    fn shares_that_are_no_binary_fractions_sum_up_to_everything() {
        let tenth = |i| format!("g{i}: {{ to: s, share: 0.1% }}");
        let groups: Vec<_> = (0..63).map(tenth).chain(["rest: { to: s, share: 93.7% }".to_owned()]).collect();
        assert_eq!(starts(&format!("{{ {} }}", groups.join(", "))).last().unwrap().1, Some(63_000));
    }
}
