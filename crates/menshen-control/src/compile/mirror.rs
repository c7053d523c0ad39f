//! `mirror` of a route → where copies of its requests go.

use std::time::Duration;

use menshen_config::document::{Mirror as Written, MirrorTo};
use menshen_config::{Path, Problems, Spanned};
use menshen_proxy::mirror::Mirror;
use menshen_proxy::{HostPolicy, ServiceId};

use super::listener::Place;

/// The most content that may be copied, in bytes: it is held until all of it has come.
const MOST_CONTENT: u64 = 1 << 20;
const CONTENT: u64 = 64 * 1024;
const TIME: Duration = Duration::from_secs(5);
const AT_MOST: u32 = 100;

/// `host` is what the route says of the Host that services see.
pub(super) fn compile(
    written: &Spanned<Written>,
    host: Option<HostPolicy>,
    path: &Path,
    place: &mut Place<'_, '_>,
    problems: &mut Problems,
) -> Option<Box<Mirror>> {
    let (service, base) = service(written, path, place, problems)?;
    let content = written.body_limit.map_or(CONTENT, |size| size.0);
    if content > MOST_CONTENT {
        problems
            .error(
                written.span,
                path.key("body-limit"),
                "content that is to be copied is held until all of it is here",
            )
            .hint("the most is `1MiB`");
    }
    let time = written.timeout.map_or(TIME, |time| time.0);
    let at_most = written.at_most.unwrap_or(AT_MOST);
    for (key, is_nothing) in [("timeout", time.is_zero()), ("at-most", at_most == 0)] {
        if is_nothing {
            let hint = "to copy nothing write `share: 0%`, or leave `mirror` out";
            problems.error(written.span, path.key(key), "no copy could be sent").hint(hint);
        }
    }
    Some(Box::new(Mirror {
        host: host.unwrap_or_else(|| place.services.host(service)),
        service,
        base,
        share: written.share.map_or(1.0, |share| share.fraction()),
        content: usize::try_from(content.min(MOST_CONTENT)).unwrap_or(0),
        time,
        at_most: at_most.into(),
    }))
}

fn service(
    written: &Spanned<Written>,
    path: &Path,
    place: &mut Place<'_, '_>,
    problems: &mut Problems,
) -> Option<(ServiceId, Box<str>)> {
    let name = match &written.to {
        MirrorTo::Url(url) => return Some((place.services.at_url(url, written.span), url.base.clone())),
        MirrorTo::Service(name) => name,
    };
    let found = place.services.number(name);
    // A service that was written, but not well, has its own problem.
    if found.is_none() && !place.document.services.declares(name) {
        let hint = menshen_config::hint(name, place.document.services.names());
        problems.error(written.span, path.clone(), format!("no service named `{name}`")).maybe_hint(hint);
    }
    found.map(|service| (service, place.services.base(service).into()))
}
