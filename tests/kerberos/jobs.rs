//! Whole jobs on a card: by a person's command with tickets of `kinit`, and by the agent with its keytab.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use pinwright::sim::card::{LinkFault, VirtualCard};
use pinwright::sim::server::{Settings, TlsKind};
use support::agent_process::Daemon;
use support::installation::Installation;
use support::kerberos::{Apache, Ccache, Realm, Site};
use support::numbered_cards::{assert_done, assert_untouched, card, id, insert};
use support::pcscd::Pcscd;
use support::relay::{Relay, port_of};

/// pcscd, pinwright's installation with a plain stand-in, and Apache before it.
struct Place {
    pcscd: Pcscd,
    installation: Installation,
    realm: Realm,
    apache: Apache,
}

impl Place {
    fn start() -> Option<Self> {
        if !support::kerberos::is_here() {
            return None;
        }
        let pcscd = Pcscd::start_or_skip(2)?;
        let settings = pinwright::sim::gids::GidsSettings::default();
        let mut numbered = settings.clone();
        numbered.card_id[..4].copy_from_slice(&0_u32.to_be_bytes());
        let server = Settings { tls: TlsKind::PlainHttp, ..support::installation::server_for(&numbered) };
        let installation = Installation::new(server);
        let realm = Realm::start();
        let apache = Apache::start(&realm, &installation.server.base_url(), &Site::default());
        Some(Self { pcscd, installation, realm, apache })
    }

    /// Writes the configuration: Apache instead of the stand-in, and more.
    fn configure(&self, server: &str, sections: &str) {
        self.configure_for(&self.apache, "negotiate", server, sections);
    }

    fn configure_for(&self, apache: &Apache, auth: &str, server: &str, sections: &str) {
        self.configure_url(&apache.url(&self.installation.server.base_url()), apache, auth, server, sections);
    }

    fn configure_url(&self, url: &str, apache: &Apache, auth: &str, server: &str, sections: &str) {
        let text = format!(
            "[server]\nauth = \"{auth}\"\nurl = \"{url}\"\nca_file = \"{}\"\n{server}\n{sections}\n",
            apache.ca_file().display()
        );
        std::fs::write(self.installation.path("config.toml"), text).unwrap();
    }

    fn command(&self, tickets: &Ccache, config: &str) -> support::installation::Run {
        self.command_on(tickets, config, &[])
    }

    fn command_on(&self, tickets: &Ccache, config: &str, which: &[&str]) -> support::installation::Run {
        let words = format!("export KRB5_CONFIG='{config}' KRB5CCNAME='{}'", tickets.0);
        let arguments = [&["--json", "set-pin", "--yes", "--again"], which].concat();
        self.installation.start_by(&self.pcscd.socket(), &words, &arguments).finish()
    }

    fn users(&self) -> Vec<String> {
        let seen = self.installation.server.requests();
        seen.iter().map(|seen| seen.header("x-remote-user").unwrap_or("nobody").to_owned()).collect()
    }
}

/// A card that knows no command.
struct Stranger;

impl VirtualCard for Stranger {
    fn atr(&self) -> &[u8] {
        &[0x3B, 0x80, 0x80, 0x01, 0x01]
    }

    fn reset(&mut self) {}

    fn power_off(&mut self) {}

    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, LinkFault> {
        Ok(vec![0x6D, 0x00])
    }
}

#[test]
fn a_person_sets_a_pin_with_the_tickets_of_kinit() {
    let Some(place) = Place::start() else { return };
    place.configure("timeout = \"5s\"", "");
    let alice = place.realm.person("alice", "1h");
    let virtual_card = card(0);
    let _inserted = insert(&place.pcscd, 0, &virtual_card, Duration::ZERO);
    place.pcscd.wait_for_card(0, true);
    // Nobody has signed in, and a KDC that says nothing: the card is as it was, and the command ends in its time.
    let config = place.realm.path("krb5.conf").display().to_string();
    let nobody = Ccache("FILE:/nonexistent/tickets".to_owned());
    place.command(&nobody, &config).exits(5).says("kinit");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = place.realm.configuration("silent.conf", silent.local_addr().unwrap().port(), "");
    let run = place.command(&alice, &other.display().to_string());
    run.exits(6).says("no KDC has answered within 5 s").within(Duration::from_secs(20));
    assert_untouched(&virtual_card);
    assert!(place.users().is_empty());
    // The card is not held by that: what is wrong with it is told although the KDC is asked already.
    place.configure("timeout = \"50s\"", "");
    let stranger = place.pcscd.insert(1, Stranger);
    let run = place.command_on(&alice, &other.display().to_string(), &["--reader", "00 01"]);
    run.exits(3).says("of no known family").within(Duration::from_secs(20));
    drop(stranger);
    place.pcscd.wait_for_card(1, false);
    place.configure("timeout = \"5s\"", "");

    let run = place.command(&alice, &config);
    assert_eq!(run.exits(0).json()["outcome"], "done", "{run}");
    assert_done(&virtual_card, &place.installation.server);
    let users = place.users();
    assert!(users.len() >= 4 && users.iter().all(|user| user == "alice@LAB.TEST"), "{users:?}");
    println!("kerberos: a job with {} calls in {:?}", users.len(), run.elapsed);
}

/// The agent starts itself anew for its keytab: same process, same name, and the service manager is told as before.
#[test]
fn the_agent_sets_a_pin_with_its_keytab() {
    let Some(place) = Place::start() else { return };
    let alice = place.realm.person("alice", "1h");
    place.realm.add("AGENT1$");
    let keytab = place.realm.keytab("AGENT1$", "agent.keytab");
    place.configure("", &format!("[agent]\nkeytab_file = \"{}\"", keytab.display()));
    let notified = place.installation.path("notify.sock");
    let notices = UnixDatagram::bind(&notified).unwrap();
    notices.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let variables = [
        ("KRB5_CONFIG", place.realm.path("krb5.conf").display().to_string()),
        // Somebody else's tickets are in the way.
        ("KRB5CCNAME", alice.0.clone()),
        ("NOTIFY_SOCKET", notified.display().to_string()),
    ];
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut agent = Daemon::start_with(&place.installation, &place.pcscd.socket(), "agent", &variables);
    let mut said = [0; 256];
    while !said.starts_with(b"READY=1") {
        notices.recv(&mut said).expect("READY=1 comes");
    }
    let process = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", agent.id())).unwrap();
    assert_eq!(process("comm").trim(), "pinwright");
    assert!(process("cmdline").ends_with("agent\0"), "{:?}", process("cmdline"));

    let virtual_card = card(0);
    let _inserted = insert(&place.pcscd, 0, &virtual_card, Duration::ZERO);
    agent.finishes(&id(0));
    assert_done(&virtual_card, &place.installation.server);
    let users = place.users();
    assert!(users.len() >= 4 && users.iter().all(|user| user == "AGENT1$@LAB.TEST"), "{users:?}");
    // Tickets are in its memory and nowhere else.
    assert!(!place.realm.path("no-tickets").exists());
}

/// `make bench`: what the sign-in costs a job, against the same site that asks nobody. In turns, so that whatever else the machine does
/// meets both alike.
#[test]
#[ignore = "make bench"]
fn figures() {
    const ROUNDS: usize = 9;
    let Some(place) = Place::start() else { return };
    let open =
        Apache::start(&place.realm, &place.installation.server.base_url(), &Site { is_open: true, ..Site::default() });
    let alice = place.realm.person("alice", "1h");
    let config = place.realm.path("krb5.conf").display().to_string();
    let virtual_card = card(0);
    let _inserted = insert(&place.pcscd, 0, &virtual_card, Duration::ZERO);
    place.pcscd.wait_for_card(0, true);
    let (mut signed_in, mut open_to_all) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        for (apache, auth, samples) in [(&place.apache, "negotiate", &mut signed_in), (&open, "none", &mut open_to_all)]
        {
            // The same version of HTTP for both.
            place.configure_for(apache, auth, "http_version = \"1.1\"", "");
            let run = place.command(&alice, &config);
            let took = run.exits(0).json()["elapsed_ms"]["server"].as_f64().unwrap();
            // The first ticket for the server is got once, and is no part of a job's usual cost.
            if round > 0 {
                samples.push(took);
            }
        }
    }
    let (signed_in, open_to_all) = (median(signed_in), median(open_to_all));
    println!(
        "kerberos: the server's part of a job takes {signed_in:.1} ms with a ticket, {open_to_all:.1} ms without a sign-in \
         ({:.2} times, {ROUNDS} runs)",
        signed_in / open_to_all
    );
}

/// `make bench`: a slow card and a server far away, over HTTP/1.1 with Kerberos, against what the two take one after the other. Each job
/// makes its connections and gets the ticket for the server; the KDC is near.
#[test]
#[ignore = "make bench"]
fn figures_with_both_ends_slow() {
    const ROUNDS: usize = 9;
    let Some(place) = Place::start() else { return };
    let alice = place.realm.person("alice", "1h");
    let tickets = place.realm.path("alice-kept");
    let cache = std::path::Path::new(alice.0.trim_start_matches("FILE:"));
    std::fs::copy(cache, &tickets).unwrap();
    let config = place.realm.path("krb5.conf").display().to_string();
    let url = place.apache.url(&place.installation.server.base_url());
    let relay = Relay::start(port_of(&url), Duration::from_millis(40));
    place.configure_url(&relay.url(&url), &place.apache, "negotiate", "", "");
    let virtual_card = card(0);
    let job = || {
        // Without a ticket for the server.
        std::fs::copy(&tickets, cache).unwrap();
        let run = place.command(&alice, &config);
        let elapsed = run.exits(0).json()["elapsed_ms"].clone();
        let part = |name: &str| elapsed[name].as_f64().unwrap();
        [run.elapsed.as_secs_f64() * 1000.0, part("total"), part("card"), part("server")]
    };
    let jobs = |delay: Duration| {
        let inserted = insert(&place.pcscd, 0, &virtual_card, delay);
        place.pcscd.wait_for_card(0, true);
        let jobs: Vec<_> = (0..=ROUNDS).map(|_| job()).skip(1).collect();
        drop(inserted);
        place.pcscd.wait_for_card(0, false);
        jobs
    };
    let part = |jobs: &[[f64; 4]], which: usize| median(jobs.iter().map(|job| job[which]).collect());
    // With a card that answers at once there is nothing to do meanwhile.
    let server = part(&jobs(Duration::ZERO), 3);
    let slow = jobs(Duration::from_millis(20));
    let [process, total, card] = [0, 1, 2].map(|which| part(&slow, which));
    let both = card + server;
    println!(
        "kerberos: with 20 ms per APDU and 40 ms to the server the card's part is {card:.1} ms, and the server's with an instant card \
         {server:.1} ms; the job takes {total:.1} ms, {:.2} of both together, the whole process {process:.1} ms, {:.2} ({ROUNDS} runs, \
         medians)",
        total / both,
        process / both
    );
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
