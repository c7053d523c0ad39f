//! Server names whose connections go on to a service as they are.

use std::sync::Arc;

use menshen_config::document::{Listener, ListenerTls};
use menshen_config::matching::HostPattern;
use menshen_config::{Path, Problems};
use menshen_proxy::tls::{Passthrough, ServerName, ServerTls};

use crate::compile::listener::Place;
use crate::compile::settings;

/// Adds them. False after a problem.
pub(super) fn add(
    written: &ListenerTls,
    listener: &Listener,
    path: &Path,
    place: &Place<'_, '_>,
    tls: &mut ServerTls,
    problems: &mut Problems,
) -> bool {
    let path = path.key("passthrough");
    let mut whole = true;
    for (name, service) in &written.passthrough {
        let at = path.key(name);
        if let Err(refusal) = name.parse::<HostPattern>() {
            problems.error(service.span, at, refusal.message).maybe_hint(refusal.hint);
            whole = false;
            continue;
        }
        let Some(id) = place.services.number(&service.value) else {
            // If it was written and is wrong, that is the one problem.
            if !place.document.services.declares(&service.value) {
                let hint = menshen_config::hint(&service.value, place.document.services.names());
                let message = format!("no service named `{}`", service.value);
                problems.error(service.span, at, message).maybe_hint(hint);
            }
            whole = false;
            continue;
        };
        let wide = [&listener.timeouts, &place.document.gateway.timeouts];
        let timeouts = settings::timeouts([place.services.timeouts(id), None], wide);
        let to = Passthrough { service: id, connect: timeouts.connect, idle: timeouts.tunnel };
        if tls.names.add(name, ServerName::There(Arc::new(to))).is_err() {
            problems.error(service.span, at, "the same name twice: upper and lower case do not differ");
            whole = false;
        }
    }
    whole
}
