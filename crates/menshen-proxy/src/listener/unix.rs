//! A Unix socket: one for all workers, and its file, which comes and goes with it.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::BACKLOG;

/// Who may connect to a Unix socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnixAccess {
    /// The permissions of its file, such as `0o660`; nothing leaves what the umask of the process gives.
    pub mode: Option<u32>,
    /// The number of the group that owns it; nothing leaves the group of the process.
    pub group: Option<u32>,
}

impl UnixAccess {
    fn grant(self, path: &Path) -> io::Result<()> {
        let now = fs::symlink_metadata(path)?;
        if let Some(group) = self.group.filter(|g| *g != now.gid()) {
            chown(path, None, Some(group))?;
        }
        match self.mode.filter(|m| *m != now.mode() & 0o777) {
            Some(mode) => fs::set_permissions(path, fs::Permissions::from_mode(mode)),
            None => Ok(()),
        }
    }
}

/// A listening socket that workers share. The kernel wakes all of them for a connection, and one gets it.
#[derive(Debug)]
pub(super) struct UnixDoor {
    // Goes first: as long as the socket lives, no other file can have the number of its own.
    file: SocketFile,
    listener: UnixListener,
    users: AtomicUsize,
}

impl UnixDoor {
    /// Binds the path. The file of a process that has gone is replaced.
    pub(super) fn bind(path: &Path, access: UnixAccess, workers: usize) -> io::Result<Self> {
        make_room(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(path)?)?;
        let file = SocketFile::at(path)?;
        // Nobody can connect before it listens: there is no moment with wrong permissions.
        access.grant(path)?;
        socket.listen(BACKLOG)?;
        Ok(Self { file, listener: socket.into(), users: AtomicUsize::new(workers.max(1)) })
    }

    /// Lets others connect from now on.
    pub(super) fn grant(&self, access: UnixAccess) -> io::Result<()> {
        if self.file.is_ours() { access.grant(&self.file.path) } else { Ok(()) }
    }

    /// A handle for a worker.
    pub(super) fn handle(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// A worker takes no more connections. The last one to say so ends the socket.
    pub(super) fn close(&self) {
        self.file.remove();
        if self.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            let _ = SockRef::from(&self.listener).shutdown(std::net::Shutdown::Both);
        }
    }
}

/// The file of a bound socket.
#[derive(Debug)]
struct SocketFile {
    path: Box<Path>,
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.into(), identity: identity(&fs::symlink_metadata(path)?) })
    }

    /// False when it is gone, or another process has put its own there.
    fn is_ours(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|now| identity(&now) == self.identity)
    }

    fn remove(&self) {
        if self.is_ours() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Removes a socket that nobody listens at any more; anything else that is in the way is an error.
fn make_room(path: &Path) -> io::Result<()> {
    let file = match fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    if !file.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "a file that is no socket is there"));
    }
    // It must not wait: the queue of a busy process may be full.
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Err(e),
        // Somebody took it, has no room for it now, or speaks in datagrams.
        Ok(()) | Err(_) => Err(ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests;
