//! A set-up whose secrets are new for every job: server, card, and a real pcscd between them and the program.

use std::cell::Cell;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use pinwright::sim::card::{LinkFault, SharedCard, VirtualCard};
use pinwright::sim::server::{PinMaker, Settings};
use pinwright::sim::vpcd::{VpcdHandle, VpcdOptions};
use support::installation::Installation;
use support::pcscd::Pcscd;

use super::forms::{Canary, Kind};
use super::scan::{Hit, Scanner};
use super::ways::{Inside, Secrets, answer_in};

pub use super::ways::By;

/// What cards come with where it is no secret of the job: known to everybody, and not looked for.
const FACTORY: Secrets<'static> = Secrets { admin_key: [0; 24], pin: b"12345678", code: b"12345678" };

/// RESET RETRY COUNTER, with which the PIN is set.
pub const SET_PIN: u8 = 0x2C;

/// When the card leaves the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// On its way to the card, the command that sets the PIN is lost with it.
    Before,
    /// The PIN is set and the answer lost.
    After,
}

/// Called with each command before the card sees it.
type Witness = Box<dyn FnMut(&[u8]) + Send>;

/// A card that keeps what it was sent and can leave.
pub struct WitnessedCard {
    pub card: Box<dyn Inside>,
    pub sent: Vec<Vec<u8>>,
    pub pulled: Option<Pulled>,
    pub witness: Option<Witness>,
}

impl VirtualCard for WitnessedCard {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        self.sent.push(command.to_vec());
        if let Some(witness) = &mut self.witness {
            witness(command);
        }
        match self.pulled.filter(|_| command.get(1) == Some(&SET_PIN)) {
            Some(Pulled::Before) => Err(LinkFault::Removed),
            Some(Pulled::After) => self.card.transmit(command).and(Err(LinkFault::Removed)),
            None => self.card.transmit(command),
        }
    }
}

/// How the server writes the PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As it always does.
    Plain,
    /// After that many spaces: each puts the PIN at another place in the record and its blocks.
    After(usize),
    /// Every character escaped.
    Escaped,
    /// 204.
    Nothing,
}

pub struct CanarySetup {
    // The card goes before the reader.
    pub inserted: Cell<Option<VpcdHandle>>,
    pub pcscd: Pcscd,
    pub installation: Installation,
    pub card: SharedCard<WitnessedCard>,
    by: By,
}

impl CanarySetup {
    pub fn new(pcscd: Pcscd, by: By, change: impl FnOnce(&mut Settings)) -> Self {
        let card = by.card(&FACTORY);
        let card = SharedCard::new(WitnessedCard { card, sent: Vec::new(), pulled: None, witness: None });
        let mut server = by.server();
        change(&mut server);
        let installation = Installation::new(server);
        let setup = Self { inserted: Cell::default(), pcscd, installation, card, by };
        fs::create_dir(setup.installation.path("tmp")).expect("a folder for temporary files");
        setup.configure("", "");
        setup.insert();
        setup
    }

    /// Writes the configuration, with more keys for `[server]`, and more sections.
    pub fn configure(&self, server: &str, sections: &str) {
        let proof = self.by.proof().map_or_else(String::new, |kind| {
            let key = if kind == Kind::AdminKey { "admin-key" } else { self.by.authority() };
            format!("{}_file = {:?}", key.replace('-', "_"), self.secret(kind))
        });
        let token = self.secret(Kind::Token);
        self.installation.configure(
            &format!("auth = \"bearer\"\ntoken_file = {token:?}\n{server}"),
            &format!("[card]\nauthority = [\"{}\"]\n{proof}\n{}\n{sections}", self.by.authority(), self.by.profile()),
        );
    }

    pub fn insert(&self) {
        drop(self.inserted.take());
        self.pcscd.wait_for_card(0, false);
        self.inserted.set(Some(self.pcscd.insert(0, self.card.clone())));
    }

    /// The same without waiting until it is seen: a card that is about to be pulled may be gone before.
    pub fn insert_for_a_moment(&self) {
        drop(self.inserted.take());
        self.pcscd.wait_for_card(0, false);
        let options = VpcdOptions::local(self.pcscd.readers()[0].port);
        let handle = VpcdHandle::insert(self.card.clone(), &options).expect("the driver listens");
        self.inserted.set(Some(handle));
    }

    /// The file in which a secret is handed over: not looked into.
    pub fn secret(&self, kind: Kind) -> PathBuf {
        self.installation.path(&format!("secret-{}", kind.name().replace(' ', "-")))
    }

    /// New secrets everywhere. What the card will be sent as an answer is known only afterwards: [`CanarySetup::answers`].
    pub fn arm(&self, pin_length: usize, spelling: Spelling) -> Vec<Canary> {
        let pin = self.by.pin(Kind::Pin, pin_length);
        let key = Canary::binary(Kind::AdminKey, 24);
        let token = Canary::text(Kind::Token, 43);
        let cookie = Canary::text(Kind::Cookie, 24);
        let proof = self.by.proof().and_then(|kind| match kind {
            Kind::CurrentPin => Some(self.by.pin(kind, 8)),
            Kind::Code => Some(Canary::text(kind, 8)),
            _ => None,
        });
        let admin_key: [u8; 24] = key.bytes.clone().try_into().expect("24 bytes");
        self.hand_over(Kind::AdminKey, &hex::encode(&key.bytes));
        [Some(&pin), Some(&token), proof.as_ref()].into_iter().flatten().for_each(|secret| {
            self.hand_over(secret.kind, secret.as_text());
        });
        self.installation.server.state().change(|settings| {
            settings.pin_maker = maker(&pin, spelling);
            settings.token = Some(token.as_text().to_owned());
            settings.cookie = Some(cookie.as_text().to_owned());
            settings.templates[0].default_admin_key = admin_key;
        });
        self.card.with(|card| {
            let mut secrets = Secrets { admin_key, ..FACTORY };
            match &proof {
                Some(secret) if secret.kind == Kind::CurrentPin => secrets.pin = &secret.bytes,
                Some(secret) => secrets.code = &secret.bytes,
                None => {}
            }
            card.card = self.by.card(&secrets);
            card.card.reset();
            card.pulled = None;
            card.sent.clear();
        });
        [pin, key, token, cookie].into_iter().chain(proof).collect()
    }

    fn hand_over(&self, kind: Kind, text: &str) {
        write_private(&self.secret(kind), text);
    }

    /// The admin answers that the card was sent since [`CanarySetup::arm`].
    pub fn answers(&self) -> Vec<Canary> {
        let sent = self.card.with(|card| card.sent.clone());
        let answers = sent.iter().filter_map(|command| answer_in(command));
        answers.map(|answer| Canary::of(Kind::Answer, answer)).collect()
    }

    /// The PIN was given out in the last job: it has come to the program, or to a deadline on its way.
    pub fn has_given_out_the_pin(&self) -> bool {
        let requests = self.installation.server.requests();
        let job = requests.iter().rposition(|request| request.path.ends_with("/smartcards")).unwrap_or_default();
        requests[job..].iter().any(|request| request.path.ends_with("serverproposedpin") && request.status == Some(200))
    }

    /// The last call came with the session's cookie: it was in the program's memory.
    pub fn has_been_sent_the_cookie(&self) -> bool {
        self.installation.server.requests().last().is_some_and(|request| request.has_cookie)
    }

    /// Everything on disk but the secrets that were handed over.
    pub fn left_on_disk(&self, scanner: &Scanner) -> Vec<Hit> {
        let given: Vec<PathBuf> = Kind::SECRETS.into_iter().map(|kind| self.secret(kind)).collect();
        scanner.folder(&self.installation.path("."), &given).expect("the folder can be read")
    }

    /// What pcscd beside the program has: its threads end a moment after the program has let go of the card.
    pub fn left_in_pcscd(&self, canaries: &[Canary]) -> Vec<Hit> {
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            let hits = Scanner::new(canaries).process(self.pcscd.id()).expect("pcscd's memory can be read");
            if hits.is_empty() || Instant::now() > deadline {
                return hits;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    pub fn has_pin(&self, pin: &Canary) -> bool {
        self.card.with(|card| card.card.pin_is(&pin.bytes))
    }
}

/// Writes a file that nobody else can read.
pub fn write_private(path: &Path, text: &str) {
    let mut private = fs::OpenOptions::new();
    private.write(true).create(true).truncate(true).mode(0o600);
    let mut file = private.open(path).expect("a file for a secret");
    file.write_all(text.as_bytes()).expect("it is written");
}

fn maker(pin: &Canary, spelling: Spelling) -> PinMaker {
    let body = match spelling {
        Spelling::Plain => return PinMaker::Fixed(pin.bytes.clone()),
        Spelling::Nothing => return PinMaker::UserProvided,
        Spelling::After(spaces) => format!("{}\"{}\"", " ".repeat(spaces), pin.as_text()),
        Spelling::Escaped => {
            let escapes: String = pin.bytes.iter().map(|byte| format!("\\u{byte:04x}")).collect();
            format!("\"{escapes}\"")
        }
    };
    PinMaker::Raw { status: 200, content_type: "application/json".to_owned(), body: body.into_bytes() }
}
