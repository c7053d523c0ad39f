//! The sockets of listeners: where they are, and what to say when they cannot be had.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::Arc;

use menshen_config::document::{Bind, UnixBind};
use menshen_config::{Document, Path, Problems, Spanned};
use menshen_proxy::{ListenerAddress, Sockets, UnixAccess};

use super::Purpose;
use super::listener::Place;
use crate::Ground;

/// Two listeners on one address would share its sockets, and one of them would get nothing.
pub(super) fn check_addresses(document: &Document, ground: &Ground, problems: &mut Problems) {
    let mut seen: HashMap<ListenerAddress, &str> = HashMap::new();
    for (name, listener) in document.listeners.iter() {
        if let Some(first) = seen.insert(address(&listener.bind.value, ground), name) {
            let path = Path::root().key("listeners").key(name).key("bind");
            problems
                .error(listener.bind.span, path, format!("listener `{first}` has this address already"))
                .hint("bind another port, or make one listener of both");
        }
    }
}

fn address(bind: &Bind, ground: &Ground) -> ListenerAddress {
    match bind {
        Bind::Ip(address) => ListenerAddress::Tcp(*address),
        Bind::Unix(socket) => ListenerAddress::Unix(ground.files.resolve(&socket.path).into()),
    }
}

/// The sockets of a listener: those that it has already, or new ones.
pub(super) fn open(
    bind: &Spanned<Bind>,
    path: &Path,
    place: &Place<'_, '_>,
    problems: &mut Problems,
) -> Option<(Arc<Sockets>, UnixAccess)> {
    let ground = place.ground;
    let access = match &bind.value {
        Bind::Ip(_) => UnixAccess::default(),
        Bind::Unix(socket) => access(socket, bind, path, problems)?,
    };
    let address = address(&bind.value, ground);
    if place.purpose == Purpose::Check {
        return Some((Arc::new(Sockets::unbound(address)), access));
    }
    let made = ground.sockets.try_get(
        address.clone(),
        |s| !s.is_closed(),
        || match &address {
            ListenerAddress::Tcp(address) => Sockets::bind(*address, ground.workers),
            ListenerAddress::Unix(path) => Sockets::bind_unix(path, access, ground.workers),
        },
    );
    match made {
        Ok(sockets) => Some((sockets, access)),
        Err(error) => {
            let (what, hint) = match &address {
                ListenerAddress::Tcp(_) => about_ip(&error),
                ListenerAddress::Unix(_) => about_unix(&error),
            };
            let message = format!("cannot listen on {address}: {what}");
            problems.error(bind.span, path.key("bind"), message).hint(hint);
            None
        }
    }
}

fn about_ip(error: &std::io::Error) -> (String, &'static str) {
    let (what, hint) = match error.kind() {
        ErrorKind::AddrInUse => ("something else listens there already", "stop it, or bind another port"),
        ErrorKind::PermissionDenied => (
            "no permission for this port",
            "ports below 1024 need CAP_NET_BIND_SERVICE, or bind a higher one",
        ),
        ErrorKind::AddrNotAvailable => {
            ("this machine does not have that address", "bind 0.0.0.0 for all addresses")
        }
        _ => return (error.to_string(), "check the address"),
    };
    (what.to_owned(), hint)
}

fn about_unix(error: &std::io::Error) -> (String, &'static str) {
    let (what, hint) = match error.kind() {
        ErrorKind::AddrInUse => ("something else listens there already", "stop it, or bind another path"),
        ErrorKind::AlreadyExists => ("a file that is no socket is there", "remove it, or bind another path"),
        ErrorKind::NotFound => ("its folder does not exist", "make the folder, or bind another path"),
        ErrorKind::PermissionDenied => (
            "no permission",
            "the process must be allowed to write to the folder, and to give its files to the group",
        ),
        _ => return (error.to_string(), "check the path"),
    };
    (what.to_owned(), hint)
}

/// Who may connect to a Unix socket.
fn access(
    socket: &UnixBind,
    bind: &Spanned<Bind>,
    path: &Path,
    problems: &mut Problems,
) -> Option<UnixAccess> {
    let group = match &socket.group {
        None => None,
        Some(name) => match group_number(name) {
            Ok(number) => Some(number),
            Err(why) => {
                let path = path.key("bind").key("group");
                problems
                    .error(bind.span, path, why)
                    .hint("name a group of `/etc/group`, or write its number");
                return None;
            }
        },
    };
    Some(UnixAccess { mode: socket.mode.map(|m| m.0), group })
}

/// The number of a group in `/etc/group` (`name:password:number:members`, group(5)).
fn group_number(name: &str) -> Result<u32, String> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let groups =
        std::fs::read_to_string("/etc/group").map_err(|e| format!("cannot read `/etc/group`: {e}"))?;
    let mut entries = groups.lines().map(|line| line.split(':'));
    let number = entries.find_map(|mut entry| (entry.next()? == name).then(|| entry.nth(1)?.parse().ok())?);
    number.ok_or_else(|| format!("there is no group `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_numbers() {
        assert_eq!(group_number("4711"), Ok(4711));
        assert_eq!(group_number("root"), Ok(0));
        assert_eq!(group_number("no such group"), Err("there is no group `no such group`".to_owned()));
    }

    #[test]
    fn configuration_and_data_plane_mean_the_same_by_the_address_of_a_unix_client() {
        assert_eq!(menshen_config::quantity::UNIX, menshen_proxy::client_address::UNIX);
    }
}
