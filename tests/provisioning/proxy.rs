//! A proxy that the environment names is never asked: it would see which cards are worked on, and the server's answers are
//! secrets.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pinwright::sim::server::TlsKind;
use support::provisioning::{InsertedCard, JobSetup, Kind, Lines, Person};

const VARIABLES: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

/// Exceptions from a proxy, and what a web server sets for its programs, which are not to be pointed at one.
const EXCEPTIONS: [&str; 3] = ["NO_PROXY", "no_proxy", "REQUEST_METHOD"];

/// Not a test: jobs in a process with these variables.
#[test]
#[ignore = "helper process of the test below"]
fn jobs_where_a_proxy_is_named() {
    if std::env::var_os(VARIABLES[0]).is_none() {
        return;
    }
    for tls in [TlsKind::default(), TlsKind::PlainHttp] {
        let case = format!("{tls:?}");
        let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| settings.tls = tls);
        let inserted = InsertedCard::new(Kind::Gids);
        setup.run(&inserted, &mut Person::default()).ok(&case);
        setup.assert_no_violations(&case);
        assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()), "{case}");
        println!("\nDONE {case}");
    }
}

#[test]
fn a_proxy_in_the_environment_is_not_asked() {
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // Whoever asks is hung up on. The thread ends with this process.
    std::thread::spawn(move || {
        while proxy.accept().is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut jobs = Command::new(std::env::current_exe().unwrap());
    jobs.args(["--exact", "proxy::jobs_where_a_proxy_is_named", "--ignored", "--nocapture"]);
    jobs.envs(VARIABLES.map(|name| (name, &url)));
    for name in EXCEPTIONS {
        jobs.env_remove(name);
    }
    let output = jobs.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(asked.load(Ordering::SeqCst), 0, "connections to the proxy: {said}");
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("\nDONE ").count(), 2, "{said}");
}
