//! Tests of Unix sockets and their files.

use std::os::unix::net::{UnixDatagram, UnixStream};

use super::*;

fn bind(path: &Path) -> io::Result<UnixDoor> {
    UnixDoor::bind(path, UnixAccess::default(), 1)
}

#[test]
fn the_socket_of_a_process_that_has_gone_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let _door = bind(&path).unwrap();
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_socket_at_which_somebody_listens_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let (path, datagrams) = (folder.path().join("s"), folder.path().join("d"));
    let _other = UnixListener::bind(&path).unwrap();
    let _others = UnixDatagram::bind(&datagrams).unwrap();
    for path in [path, datagrams] {
        assert_eq!(bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        assert!(path.exists());
    }
}

#[test]
fn the_queue_of_somebody_busy_may_be_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let busy = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    busy.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    busy.listen(0).unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    assert_eq!(bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn what_is_no_socket_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("f"), folder.path().join("l"));
    fs::write(&file, "precious").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    for path in [&file, &link] {
        assert_eq!(bind(path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
    assert_eq!(fs::read(&file).unwrap(), b"precious");
}

#[test]
fn its_file_goes_with_it_unless_it_is_anothers_by_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    drop(bind(&path).unwrap());
    assert!(!path.exists());
    let door = bind(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(door);
    UnixStream::connect(&path).unwrap();
}

#[test]
fn permissions_are_what_was_asked_for_and_can_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let mode = || fs::metadata(&path).unwrap().mode() & 0o777;
    let access = |mode| UnixAccess { mode: Some(mode), group: None };
    let door = UnixDoor::bind(&path, access(0o600), 1).unwrap();
    assert_eq!(mode(), 0o600);
    door.grant(access(0o660)).unwrap();
    assert_eq!(mode(), 0o660);
}

#[test]
fn it_is_open_until_the_last_worker_has_closed_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other_name) = (folder.path().join("s"), folder.path().join("t"));
    let door = UnixDoor::bind(&path, UnixAccess::default(), 2).unwrap();
    fs::hard_link(&path, &other_name).unwrap();
    let handle = door.handle().unwrap();
    door.close();
    assert!(!path.exists(), "nobody new finds it");
    let _client = UnixStream::connect(&other_name).unwrap();
    handle.accept().unwrap();
    door.close();
    assert_eq!(UnixStream::connect(&other_name).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}
