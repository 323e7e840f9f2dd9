//! Clients of a socket by sock_diag(7): the kernel lists each connection's two ends, and /proc tells whose the far one is.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::linux::fs::MetadataExt as _;
use std::path::Path;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use super::Clients;

/// Where a socket is: device, as the kernel writes it within itself, and inode.
type Place = (u32, u32);

pub(super) fn clients(path: &Path) -> io::Result<Clients> {
    let file = fs::metadata(path)?;
    let (major, minor) = (rustix::fs::major(file.st_dev()), rustix::fs::minor(file.st_dev()));
    // The kernel tells the lower 32 bits of an inode.
    let place = (major << 20 | minor, file.st_ino() as u32);
    lasting(|| look(place))
}

/// What one look finds: who has connections, and the far ends that nobody was seen to have.
#[derive(Default)]
struct Look {
    processes: BTreeSet<u32>,
    unseen: HashSet<u32>,
}

/// How often it is looked at most.
const LOOKS: usize = 4;

/// Connections come and go between the kernel's list and the look at the processes: one that only a single look left
/// without a process is none that can't be seen.
fn lasting(mut look: impl FnMut() -> io::Result<Look>) -> io::Result<Clients> {
    let mut last = look()?;
    for _ in 1..LOOKS {
        if last.unseen.is_empty() {
            break;
        }
        let next = look()?;
        last = Look { processes: next.processes, unseen: &last.unseen & &next.unseen };
    }
    let others = last.processes.into_iter().filter(|id| *id != std::process::id());
    Ok(Clients { processes: others.collect(), unseen: last.unseen.len() })
}

fn look(place: Place) -> io::Result<Look> {
    let mut unseen = far_ends(place)?;
    if unseen.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the kernel knows of no connection to that socket"));
    }
    let mut processes = BTreeSet::new();
    let listed = unseen.clone();
    for process in fs::read_dir("/proc")?.flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // Its descriptors are shown to root and to its own user.
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            let target = fs::read_link(descriptor.path()).unwrap_or_default();
            if let Some(inode) = socket_inode(&target)
                && listed.contains(&inode)
            {
                processes.insert(id);
                unseen.remove(&inode);
            }
        }
    }
    Ok(Look { processes, unseen })
}

/// `socket:[123]`.
fn socket_inode(link: &Path) -> Option<u32> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The largest message of an answer, by the kernel's own choice.
const MESSAGE_MAX: usize = 32 * 1024;

/// struct nlmsghdr and struct unix_diag_req: all established connections, with their place and their far end.
const REQUEST: usize = 40;
const HEADER: usize = 16;
const DIAG: usize = 16;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const REQUEST_DUMP: u16 = 0x301;
const ESTABLISHED: u32 = 1 << 1;
const SHOW_VFS_AND_PEER: u32 = 0x2 | 0x4;
const ATTRIBUTE_VFS: u16 = 1;
const ATTRIBUTE_PEER: u16 = 2;
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// The inodes of the clients' ends of all connections to the socket at this place.
fn far_ends(place: Place) -> io::Result<HashSet<u32>> {
    let asked = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)?;
    let mut request = Vec::with_capacity(REQUEST);
    request.extend((REQUEST as u32).to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(REQUEST_DUMP.to_ne_bytes());
    // Sequence number and sender: one question, and the kernel fills our address in.
    request.extend([0; 8]);
    request.extend([AddressFamily::Unix as u8, 0, 0, 0]);
    request.extend([ESTABLISHED, 0, SHOW_VFS_AND_PEER, u32::MAX, u32::MAX].iter().flat_map(|word| word.to_ne_bytes()));
    send(asked.as_raw_fd(), &request, MsgFlags::empty())?;
    let mut buffer = vec![0; MESSAGE_MAX];
    let mut found = HashSet::new();
    loop {
        let length = recv(asked.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let mut rest = buffer.get(..length).unwrap_or_default();
        if rest.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while let Some((kind, message, after)) = message(rest) {
            match kind {
                DONE => return Ok(found),
                ERROR => return Err(io::Error::other("the kernel does not tell of connections")),
                _ => found.extend(far_end(message, place)),
            }
            rest = after;
        }
    }
}

/// One message: its kind, what is in it, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = word(bytes, 0)? as usize;
    let kind = half(bytes, 4)?;
    let content = bytes.get(HEADER..length)?;
    Some((kind, content, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// The far end of a connection, where its near end is at this place.
fn far_end(message: &[u8], place: Place) -> Option<u32> {
    let mut attributes = message.get(DIAG..)?;
    let (mut here, mut peer) = (false, None);
    while let Some(length) = half(attributes, 0).map(usize::from).filter(|length| *length >= 4) {
        let value = attributes.get(4..length)?;
        match half(attributes, 2)? {
            ATTRIBUTE_VFS => here = (word(value, 4)?, word(value, 0)?) == place,
            ATTRIBUTE_PEER => peer = word(value, 0),
            _ => {}
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    peer.filter(|_| here)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::process::{Command, Stdio};

    use nix::sys::socket::{ControlMessage, sendmsg};

    use super::*;

    /// Two sockets of one name in two folders, as two services have: a client of one is none of the other.
    #[test]
    fn only_clients_of_this_very_socket_are_told() {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let paths = folders.each_ref().map(|folder| folder.path().join("pcscd.comm"));
        let listeners = paths.each_ref().map(|path| UnixListener::bind(path).unwrap());
        assert_eq!(clients(&paths[0]).unwrap_err().kind(), io::ErrorKind::NotFound);

        let own = UnixStream::connect(&paths[0]).unwrap();
        let near = listeners[0].accept().unwrap();
        assert_eq!(clients(&paths[0]).unwrap(), Clients::default(), "we leave ourselves out");

        // Handed to a process as its standard input, and closed here.
        let other = UnixStream::connect(&paths[0]).unwrap();
        let other_near = listeners[0].accept().unwrap();
        let mut child =
            Command::new("cat").stdin(std::os::fd::OwnedFd::from(other)).stdout(Stdio::null()).spawn().unwrap();
        assert_eq!(clients(&paths[0]).unwrap(), Clients { processes: vec![child.id()], unseen: 0 });
        assert_eq!(clients(&paths[1]).unwrap_err().kind(), io::ErrorKind::NotFound);

        // On its way to another process, a connection is nobody's whom we could name.
        let unseen = UnixStream::connect(&paths[0]).unwrap();
        let unseen_near = listeners[0].accept().unwrap();
        let (sender, _receiver) = UnixStream::pair().unwrap();
        let rights = [unseen.as_raw_fd()];
        let message = [ControlMessage::ScmRights(&rights)];
        sendmsg::<()>(sender.as_raw_fd(), &[IoSlice::new(b"x")], &message, MsgFlags::empty(), None).unwrap();
        drop(unseen);
        assert_eq!(clients(&paths[0]).unwrap(), Clients { processes: vec![child.id()], unseen: 1 });

        drop((own, near, other_near, unseen_near));
        child.wait().unwrap();
    }

    #[test]
    fn a_connection_that_comes_or_goes_while_it_is_looked_for_is_not_told_as_one_that_cannot_be_seen() {
        let told = |looks: &[&[u32]]| {
            let mut left = looks.iter();
            let clients = lasting(|| {
                let unseen = left.next().unwrap().iter().copied().collect();
                Ok(Look { processes: BTreeSet::from([1, std::process::id()]), unseen })
            });
            assert_eq!(left.len(), 0, "each look was needed: {looks:?}");
            clients.unwrap()
        };
        let seen = |unseen| Clients { processes: vec![1], unseen };
        assert_eq!(told(&[&[]]), seen(0));
        assert_eq!(told(&[&[7], &[]]), seen(0));
        assert_eq!(told(&[&[7], &[8]]), seen(0), "another one each time");
        assert_eq!(told(&[&[7, 8], &[8, 9], &[8], &[8]]), seen(1));
        assert!(lasting(|| Err(io::ErrorKind::NotFound.into())).is_err());
    }

    #[test]
    fn odd_messages_are_no_clients() {
        for bytes in [&[][..], &[0; 3], &[0; 16], &[255; 40], &[16, 0, 0, 0, 20, 0]] {
            assert!(message(bytes).is_none_or(|(_, content, _)| far_end(content, (0, 0)).is_none()), "{bytes:?}");
        }
        assert_eq!(far_end(&[0; 64], (0, 0)), None);
    }
}
