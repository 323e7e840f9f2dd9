//! A person's sign-in at AD FS, renewed in the job: what is left of the tokens of before and of those that came.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use serde_json::json;
use support::adfs::{CLIENT, Pair, RESOURCE, Sts, Version};
use support::kerberos::{Apache, Realm, Site};

use super::agent::Agent;
use super::canary_setup::{By, CanarySetup, Spelling, write_private};
use super::command::LOUD;
use super::forms::{Canary, Kind};
use super::held::Held;
use super::long_lived::{self, Series, assert_none};
use super::scan::{Hit, Scanner, count};

/// So long are both tokens.
const LENGTH: usize = 43;

/// AD FS, and somebody who has signed in there.
pub struct SignedIn {
    pub setup: CanarySetup,
    sts: Sts,
    /// The address that the command knows.
    authority: String,
    /// What makes TLS of it. A web server goes before the realm that it has its files in.
    _before: Option<(Apache, Realm)>,
    /// What the file of the sign-in holds after the job.
    newest: RefCell<Vec<Canary>>,
    renewals: Cell<usize>,
}

impl SignedIn {
    /// Over plain HTTP, or over TLS by a web server before it.
    pub fn new(pcscd: super::Pcscd, over_tls: bool) -> Self {
        let setup = CanarySetup::new(pcscd, By::Server, |_| {});
        let sts = Sts::start(Version::V2019, |_| {});
        sts.state().rotates = true;
        let behind = format!("{}/adfs", sts.url.replace("127.0.0.1", "localhost"));
        let before = over_tls.then(|| {
            let realm = Realm::start();
            (Apache::start(&realm, &behind, &Site { is_open: true, ..Site::default() }), realm)
        });
        let (authority, trusted) = match &before {
            Some((apache, _)) => (apache.url(&behind), format!("adfs_ca_file = {:?}", apache.ca_file())),
            None => (behind, String::new()),
        };
        let signed_in =
            Self { setup, sts, authority, _before: before, newest: RefCell::default(), renewals: Cell::default() };
        signed_in.setup.installation.configure(
            &format!(
                "auth = \"adfs\"\nadfs_url = {:?}\nadfs_client_id = {CLIENT:?}\nadfs_resource = {RESOURCE:?}\n\
                 adfs_token_file = {:?}\n{trusted}",
                signed_in.authority,
                signed_in.file()
            ),
            "[card]\nauthority = [\"server\"]\n",
        );
        signed_in
    }

    /// Where the sign-in is kept.
    fn file(&self) -> PathBuf {
        self.setup.installation.path("adfs-token.json")
    }

    /// New secrets everywhere: a sign-in whose access token is over, and the tokens that AD FS gives for its refresh token.
    fn arm(&self, length: usize, spelling: Spelling) -> Vec<Canary> {
        let mut canaries = self.setup.arm(length, spelling);
        // Nobody reads its file.
        canaries.retain(|canary| canary.kind != Kind::Token);
        let pair = || [Canary::text(Kind::Token, LENGTH), Canary::text(Kind::RefreshToken, LENGTH)];
        let (old, new) = (pair(), pair());
        let kept = json!({
            "version": 1,
            "authority": self.authority,
            "client_id": CLIENT,
            "resource": RESOURCE,
            "expires": 1,
            "access_token": old[0].as_text(),
            "refresh_token": old[1].as_text(),
        });
        write_private(&self.file(), &kept.to_string());
        let mut state = self.sts.state();
        state.honour(old[1].as_text());
        state.next = Some(Pair { access: new[0].as_text().to_owned(), refresh: new[1].as_text().to_owned() });
        drop(state);
        let token = Some(new[0].as_text().to_owned());
        self.setup.installation.server.state().change(|settings| settings.token = token);
        self.newest.replace(new.to_vec());
        self.renewals.set(self.renewals.get() + 1);
        canaries.into_iter().chain(old).chain(new).collect()
    }

    /// AD FS was asked once in each job, and what it gave is kept.
    #[track_caller]
    fn assert_renewed(&self) {
        assert_eq!(self.sts.asked("refresh_token"), self.renewals.get());
        let kept = std::fs::read_to_string(self.file()).unwrap();
        assert!(self.newest.borrow().iter().all(|token| kept.contains(token.as_text())));
    }

    /// What is on disk beside the newest tokens in their file.
    fn left_on_disk(&self, canaries: &[Canary]) -> Vec<Hit> {
        let is_newest = |canary: &&Canary| self.newest.borrow().iter().any(|token| token.bytes == canary.bytes);
        let others: Vec<Canary> = canaries.iter().filter(|canary| !is_newest(canary)).cloned().collect();
        let mut hits = self.setup.left_on_disk(&Scanner::new(&self.newest.borrow()));
        hits.retain(|hit| Path::new(&hit.place) != self.file());
        hits.extend(self.setup.left_on_disk(&Scanner::new(&others)));
        hits
    }

    /// One job of the command.
    pub fn job(&self) -> Series {
        let mut canaries = self.arm(8, Spelling::Plain);
        let held = Held::new(&self.setup, LOUD);
        canaries.extend(self.setup.answers());
        let mut hits = held.scan(&canaries);
        let ended = held.release();
        assert_eq!(ended.status.code(), Some(0));
        assert!(self.setup.has_pin(&canaries[0]));
        self.assert_renewed();
        std::fs::write(self.setup.installation.path("stdout"), &ended.stdout).unwrap();
        hits.extend(self.left_on_disk(&canaries));
        Series { hits, canaries }
    }

    /// So many jobs in a process that lives on.
    pub fn jobs(&self, agent: &mut Agent, jobs: usize) -> Series {
        let canaries = long_lived::each(&self.setup, agent, jobs, |length, spelling| self.arm(length, spelling));
        self.assert_renewed();
        let mut hits = agent.scan(&canaries);
        hits.extend(self.left_on_disk(&canaries));
        Series { hits, canaries }
    }
}

/// Both tokens of before and both that came were looked for.
#[track_caller]
fn assert_looked_for(canaries: &[Canary], jobs: usize) {
    for kind in [Kind::Token, Kind::RefreshToken] {
        assert_eq!(canaries.iter().filter(|canary| canary.kind == kind).count(), 2 * jobs, "{}", kind.name());
    }
}

/// Over plain HTTP, and over TLS where the programs for that are here; nothing where the test can't run.
fn signed_in() -> Vec<SignedIn> {
    let ways = if support::kerberos::is_here() { &[false, true][..] } else { &[false] };
    ways.iter().filter_map(|over_tls| Some(SignedIn::new(super::pcscd()?, *over_tls))).collect()
}

#[test]
fn a_renewed_sign_in_leaves_no_token_in_the_command() {
    for signed_in in signed_in() {
        let series = signed_in.job();
        assert_looked_for(&series.canaries, 1);
        assert_none(&series.hits);
    }
}

#[test]
fn renewed_sign_ins_leave_no_token_in_a_process_that_lives_on() {
    const JOBS: usize = 4;
    for signed_in in signed_in() {
        let mut agent = Agent::new(&signed_in.setup);
        let series = signed_in.jobs(&mut agent, JOBS);
        assert_looked_for(&series.canaries, JOBS);
        assert_none(&series.hits);
        assert_none(&agent.core(&signed_in.setup, &series.canaries).unwrap_or_default());
        assert_kept_ones_are_found(&signed_in, &mut agent, &series.canaries, JOBS);
    }
}

/// The same tokens, kept by that process, are found.
#[track_caller]
fn assert_kept_ones_are_found(signed_in: &SignedIn, agent: &mut Agent, canaries: &[Canary], jobs: usize) {
    let tokens = canaries.iter().filter(|canary| matches!(canary.kind, Kind::Token | Kind::RefreshToken));
    let kept: Vec<&[u8]> = tokens.map(|token| &token.bytes[..]).collect();
    let file = signed_in.setup.installation.path("tmp/kept");
    std::fs::write(&file, kept.join(&[0xFF; 16][..])).unwrap();
    assert_eq!(agent.order(&json!({ "plant": file })), "planted");
    let hits = agent.scan(canaries);
    for kind in [Kind::Token, Kind::RefreshToken] {
        assert!(count(&hits, kind) >= 2 * jobs, "{} of the {}", count(&hits, kind), kind.name());
    }
}
