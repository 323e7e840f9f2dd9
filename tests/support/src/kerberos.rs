//! Kerberos on loopback alone: an MIT KDC with its own realm, and Apache with mod_auth_gssapi over TLS before a plain stand-in.
//!
//! All configuration is private: nothing in `/etc` is read or changed, no name is looked up, and no port is one of the system's. Both
//! programs run in the foreground and end with their owner.

mod apache;
mod realm;

use std::path::Path;
use std::process::{Child, Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

pub use apache::{Apache, Proof, Site};
pub use realm::{Ccache, REALM, Realm};

use crate::waiting;

/// Below the ephemeral ports (32768), and away from those of `pcscd.rs`' first choices.
const FIRST_PORT: u16 = 4_000;
const PORTS: u16 = 8_000;

/// Far longer than either program takes to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// The programs of the bed, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 6] = [
    ("/usr/sbin/krb5kdc", "krb5-kdc"),
    ("/usr/sbin/kdb5_util", "krb5-kdc"),
    ("/usr/sbin/kadmin.local", "krb5-admin-server"),
    ("/usr/bin/kinit", "krb5-user"),
    ("/usr/sbin/apache2", "apache2-bin"),
    ("/usr/lib/apache2/modules/mod_auth_gssapi.so", "libapache2-mod-auth-gssapi"),
];

/// Whether all of it is here. Where something is missing it is named; with `CI=true` that is a failure.
#[track_caller]
pub fn is_here() -> bool {
    match PROGRAMS.iter().find(|(program, _)| !Path::new(program).exists()) {
        None => true,
        Some((program, package)) => {
            waiting::skip(&format!("no {program} (Debian: {package})"));
            false
        }
    }
}

/// A port that nobody listens on now. Tests of other processes choose at the same time, so whoever takes one tries again.
fn a_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let step = NEXT.fetch_add(1, Ordering::Relaxed);
    let own = u16::try_from(std::process::id() % u32::from(PORTS)).unwrap_or_default();
    FIRST_PORT + (own.wrapping_mul(7).wrapping_add(step.wrapping_mul(131))) % PORTS
}

/// A program in the foreground; ended when dropped.
struct Foreground(Child);

impl Foreground {
    /// Starts it and waits until it takes connections at the port; `None` where it has ended before that.
    fn listening(command: &mut Command, port: u16) -> Option<Self> {
        let mut started = Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")));
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if started.0.try_wait().expect("it can be waited for").is_some() {
                return None;
            }
            assert!(Instant::now() < deadline, "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        // Somebody else may be listening there.
        started.0.try_wait().expect("it can be waited for").is_none().then_some(started)
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        // Both programs have children that end with them on this signal, and not on a kill.
        let id = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        drop(self.0.wait());
    }
}

/// Runs a program that has to succeed.
#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
