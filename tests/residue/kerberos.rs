//! A sign-in with Kerberos: what the system's library leaves of it.

use std::path::Path;
use std::process::{Command, Stdio};

use pinwright::sim::server::TlsKind;
use support::kerberos::{Apache, Realm, Site};
use support::pcscd::Pcscd;

use super::canary_setup::{By, CanarySetup, Spelling};
use super::command::LOUD;
use super::forms::{Canary, Kind};
use super::held::Held;
use super::long_lived::{Series, assert_none};
use super::scan::{Hit, Scanner, count};

/// So much of a ticket's end is looked for: ciphertext, and no names.
const TICKET_END: usize = 96;

/// Reads a ticket cache of MIT's file format, version 4.
struct CacheReader<'a>(&'a [u8]);

impl<'a> CacheReader<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn short(&mut self) -> usize {
        usize::from(u16::from_be_bytes(self.bytes(2).try_into().unwrap()))
    }

    fn long(&mut self) -> usize {
        usize::try_from(u32::from_be_bytes(self.bytes(4).try_into().unwrap())).unwrap()
    }

    fn counted(&mut self) -> &'a [u8] {
        let count = self.long();
        self.bytes(count)
    }

    fn skip_principal(&mut self) {
        let (_kind, names) = (self.long(), self.long());
        for _ in 0..=names {
            let _ = self.counted();
        }
    }

    fn skip_typed(&mut self) {
        for _ in 0..self.long() {
            let _ = (self.short(), self.counted());
        }
    }

    /// Session key and ticket.
    fn credential(&mut self) -> (&'a [u8], &'a [u8]) {
        self.skip_principal();
        self.skip_principal();
        let _kind = self.short();
        let key = self.counted();
        // Four times, whether it is for another's key, flags.
        let _ = self.bytes(4 * 4 + 1 + 4);
        self.skip_typed();
        self.skip_typed();
        let ticket = self.counted();
        let _second = self.counted();
        (key, ticket)
    }
}

/// The session keys and the ends of the tickets in a cache.
fn of_cache(cache: &Path) -> Vec<Canary> {
    let bytes = std::fs::read(cache).unwrap();
    let mut reader = CacheReader(&bytes);
    assert_eq!(reader.short(), 0x0504);
    let header = reader.short();
    reader.bytes(header);
    reader.skip_principal();
    let mut found = Vec::new();
    while !reader.0.is_empty() {
        let (key, ticket) = reader.credential();
        // Notes of the library's own have no key.
        if !key.is_empty() {
            found.push(Canary::of(Kind::SessionKey, key));
            found.push(Canary::of(Kind::Ticket, &ticket[ticket.len() - TICKET_END..]));
        }
    }
    found
}

/// One job of the command with tickets in a file. Only of session keys and tickets anything may be found.
pub fn job(pcscd: Pcscd) -> Series {
    let setup = CanarySetup::new(pcscd, By::Server, |settings| settings.tls = TlsKind::PlainHttp);
    let realm = Realm::start();
    let behind = setup.installation.server.base_url();
    let apache = Apache::start(&realm, &behind, &Site::default());
    let alice = realm.person("alice", "1h");
    let cache = alice.0.trim_start_matches("FILE:").to_owned();
    let text = format!(
        "[server]\nauth = \"negotiate\"\nurl = \"{}\"\nca_file = {:?}\n[card]\nauthority = [\"server\"]\n",
        apache.url(&behind),
        apache.ca_file()
    );
    std::fs::write(setup.installation.path("config.toml"), text).unwrap();
    let mut canaries = setup.arm(8, Spelling::Plain);
    // Nobody shows it.
    canaries.retain(|canary| canary.kind != Kind::Token);
    setup.installation.server.state().change(|settings| settings.token = None);
    let mut command = Command::new("setsid");
    command.env("KRB5_CONFIG", realm.path("krb5.conf")).env("KRB5CCNAME", &alice.0);
    command.arg(env!("CARGO_BIN_EXE_pinwright"));
    let held = Held::start(&setup, command, LOUD, Stdio::null());
    held.wait();
    canaries.extend(setup.answers());
    let of_kerberos = of_cache(Path::new(&cache));
    assert_eq!(of_kerberos.len(), 4, "a ticket for tickets, and one for the server");
    canaries.extend(of_kerberos);
    let hits = held.scan(&canaries);
    // The library frees what it has read of the cache as it is.
    let is_the_librarys = |hit: &&Hit| matches!(hit.kind, Kind::SessionKey | Kind::Ticket);
    assert_none(&hits.iter().filter(|hit| !is_the_librarys(hit)).cloned().collect::<Vec<_>>());
    // On disk they are in the cache alone.
    assert_none(&setup.left_on_disk(&Scanner::new(&canaries)));
    assert_eq!(held.release().status.code(), Some(0));
    assert!(setup.has_pin(&canaries[0]));
    Series { hits, canaries }
}

#[test]
fn what_the_library_keeps_is_of_the_ticket_cache_alone() {
    if !support::kerberos::is_here() {
        return;
    }
    let Some(pcscd) = super::pcscd() else { return };
    let hits = job(pcscd).hits;
    let (keys, tickets) = (count(&hits, Kind::SessionKey), count(&hits, Kind::Ticket));
    println!("kerberos: {keys} copies of two session keys and {tickets} of two tickets are left of the cache");
}
