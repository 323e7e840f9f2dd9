//! The virtual cards, seen from inside, and what stands between them and the reader.

use pinwright::sim::card::{LinkFault, VirtualCard};
use pinwright::sim::fault::Faulty;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::iso7816::{Iso7816Card, Iso7816Settings, Padding};
use pinwright::sim::openpgp::{OpenPgpCard, OpenPgpSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use uuid::Uuid;

/// The PIN that every card begins with.
pub const OLD: &[u8] = b"24681357";
/// The admin key of every card: three different parts, none of them weak.
pub const KEY: [u8; 24] =
    *b"\x98\x15\x40\xF8\x7A\x29\x07\xF8\x1C\xFB\xA1\x6E\x2A\xC4\x2A\xC7\xE3\x97\xD3\x58\x4A\xD5\x64\x08";
/// The bytes of a card's ID.
pub const CARD_A: [u8; 16] = *b"\x3F\xF1\x88\xBC\xBA\x83\x37\x40\x82\x62\x46\xEB\xA1\x29\x1C\x6E";
/// Those of another.
pub const CARD_B: [u8; 16] = *b"\x4A\x02\x88\xBC\xBA\x83\x37\x40\x82\x62\x46\xEB\xA1\x29\x1C\x6F";
/// The documented challenge as it must stand in a query.
pub const CHALLENGE_SAMPLE: &str = "challenge=1hFD%2Bcz%2F0so%3D";
/// The ATR of cards that have none of their family's own.
pub const ISO_ATR: &[u8] = b"\x3B\x80\x80\x01\x01";

/// What the server calls a card with these bytes in its `cardid` file.
pub fn guid(raw: [u8; 16]) -> Uuid {
    Uuid::from_bytes_le(raw)
}

/// PUK, PW3 and resetting code of every card that has one.
pub const CODE: &[u8] = b"97310864";

/// The kinds of cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// GIDS, with an admin challenge.
    Gids,
    /// Knows mutual authentication only.
    GidsMutual,
    /// ID in a file, PIN as it is.
    Iso,
    /// PIN filled up to eight bytes with FF.
    IsoPadded,
    /// ID in a data object, application there without a SELECT, told by its ATR.
    IsoImplicit,
    /// `IsoPadded` with the manners of T=0.
    IsoT0,
    /// No administrator: an unblocking code goes with the new PIN, and nothing tells how many tries it has left.
    IsoUnblocking,
    /// PIV by the book: nothing tells how many tries the PUK has left.
    Piv,
    /// PIV with Yubico's extensions: metadata tell.
    PivYubico,
    /// OpenPGP, told by its counters, `63Cx` for a wrong password.
    OpenPgp,
    /// OpenPGP with `6982` for a wrong password, bare templates, and no challenge.
    OpenPgpOther,
}

impl Kind {
    /// Its ATR in hex.
    pub fn atr(self) -> String {
        match self {
            Self::Gids | Self::GidsMutual => hex::encode(pinwright::sim::gids::ATR),
            _ => hex::encode(ISO_ATR),
        }
    }

    /// What the server calls the card that is made with these bytes.
    pub fn guid(self, id: [u8; 16]) -> Uuid {
        let [a, b, c, d, e, f, ..] = id;
        match self {
            Self::OpenPgp | Self::OpenPgpOther => guid([a, b, c, d, e, f, a, b, c, d, e, f, a, b, c, d]),
            _ => guid(id),
        }
    }

    /// A card with this ID, admin key and PIN.
    pub fn card(self, id: [u8; 16], key: [u8; 24], pin: &[u8]) -> Box<dyn InspectableCard> {
        let pin = pin.to_vec();
        if matches!(self, Self::Gids | Self::GidsMutual) {
            let mutual_only = self == Self::GidsMutual;
            let settings = GidsSettings { card_id: id, admin_key: key, pin, mutual_only, ..GidsSettings::default() };
            return Box::new(GidsCard::personalised(settings));
        }
        if matches!(self, Self::Piv | Self::PivYubico) {
            return Box::new(PivCard::new(PivSettings {
                atr: ISO_ATR.to_vec(),
                guid: Some(guid(id).into_bytes()),
                yubico: self == Self::PivYubico,
                pin,
                puk: CODE.to_vec(),
                management_key: key,
                ..PivSettings::default()
            }));
        }
        if matches!(self, Self::OpenPgp | Self::OpenPgpOther) {
            let [m, n, serial @ ..]: [u8; 6] = id[..6].try_into().unwrap();
            let other = self == Self::OpenPgpOther;
            return Box::new(OpenPgpCard::new(OpenPgpSettings {
                atr: ISO_ATR.to_vec(),
                manufacturer: [m, n],
                serial,
                pw1: pin,
                pw3: CODE.to_vec(),
                resetting_code: Some(CODE.to_vec()),
                uncounted: other,
                gives_challenge: !other,
                wraps_templates: !other,
                kdf_algorithm: (!other).then_some(0),
                ..OpenPgpSettings::default()
            }));
        }
        let padded = matches!(self, Self::IsoPadded | Self::IsoT0);
        Box::new(Iso7816Card::new(Iso7816Settings {
            atr: ISO_ATR.to_vec(),
            card_id: id.to_vec(),
            admin_key: key,
            pin,
            padding: padded.then_some(Padding { byte: 0xFF, length: 8 }),
            implicit: self == Self::IsoImplicit,
            t0: self == Self::IsoT0,
            puk: (self == Self::IsoUnblocking).then(|| CODE.to_vec()),
            ..Iso7816Settings::default()
        }))
    }

    /// The card profile that tells this kind; empty where the family is built in.
    pub fn profile(self) -> &'static str {
        match self {
            Self::Gids | Self::GidsMutual | Self::Piv | Self::PivYubico | Self::OpenPgp | Self::OpenPgpOther => "",
            Self::Iso => {
                "[[card.profile]]\nname = \"bench\"\naid = \"F00000000102\"\ncard_id = { file = \"0201\" }\n\
                 admin = {}\npin = { reference = 1 }\n"
            }
            Self::IsoPadded | Self::IsoT0 => {
                "[[card.profile]]\nname = \"bench\"\naid = \"F00000000102\"\ncard_id = { file = \"0201\" }\n\
                 admin = {}\npin = { reference = 1, padding = 0xFF }\n"
            }
            Self::IsoUnblocking => {
                "[[card.profile]]\nname = \"bench\"\naid = \"F00000000102\"\ncard_id = { file = \"0201\" }\n\
                 set_pin = { with = \"unblocking-code\" }\npin = { reference = 1 }\n"
            }
            Self::IsoImplicit => {
                "[[card.profile]]\nname = \"bench\"\natr = \"3B 80 80 01 01\"\ncard_id = { data_object = \"0101\" }\n\
                 admin = {}\npin = { reference = 1 }\n"
            }
        }
    }
}

/// The families with an administrator or a current PIN, each with the authorities that its jobs can have: every matrix has these.
pub const COMBINATIONS: [(Kind, &str); 10] = [
    (Kind::Gids, "server"),
    (Kind::Gids, "admin-key"),
    (Kind::Gids, "current-pin"),
    (Kind::GidsMutual, "admin-key"),
    (Kind::Iso, "server"),
    (Kind::Iso, "admin-key"),
    (Kind::Iso, "current-pin"),
    (Kind::IsoT0, "server"),
    (Kind::IsoT0, "admin-key"),
    (Kind::IsoT0, "current-pin"),
];

/// Families whose jobs look at counters and other objects first: where a reset by others is met differs, so that some matrices
/// leave them out. Beside them [`PIV_AND_OPENPGP`].
pub const WITHOUT_COUNTERS: [(Kind, &str); 2] = [(Kind::IsoUnblocking, "puk"), (Kind::Piv, "puk")];

/// The PIV and OpenPGP cards that tell how many tries are left, each with its authorities.
pub const PIV_AND_OPENPGP: [(Kind, &str); 5] = [
    (Kind::PivYubico, "puk"),
    (Kind::Piv, "current-pin"),
    (Kind::OpenPgp, "admin-pin"),
    (Kind::OpenPgp, "resetting-code"),
    (Kind::OpenPgp, "current-pin"),
];

/// All of them.
pub fn all_combinations() -> Vec<(Kind, &'static str)> {
    [&COMBINATIONS[..], &WITHOUT_COUNTERS[..], &PIV_AND_OPENPGP[..]].concat()
}

/// A card seen from inside.
pub trait InspectableCard: VirtualCard {
    /// Whether it has this PIN.
    fn pin_is(&self, pin: &[u8]) -> bool;
    /// Tries left of its PIN.
    fn tries(&self) -> u8;
    /// Admin answers that it has refused.
    fn admin_failures(&self) -> usize;
    /// Tries that a PUK, PW3 or resetting code has lost.
    fn code_tries_lost(&self) -> u8;
    /// Whether user or administrator is authenticated now.
    fn authenticated(&self) -> bool;
    /// Commands that it has seen.
    fn commands(&self) -> usize;
}

macro_rules! inspectable {
    ($card:ty, $lost:expr) => {
        impl InspectableCard for $card {
            fn pin_is(&self, pin: &[u8]) -> bool {
                self.pin_is(pin)
            }

            fn tries(&self) -> u8 {
                self.tries_left()
            }

            fn admin_failures(&self) -> usize {
                self.admin_failures()
            }

            fn code_tries_lost(&self) -> u8 {
                let lost: fn(&$card) -> u8 = $lost;
                lost(self)
            }

            fn authenticated(&self) -> bool {
                self.user_authenticated() || self.admin_authenticated()
            }

            fn commands(&self) -> usize {
                self.commands_seen()
            }
        }
    };
}
inspectable!(GidsCard, |_| 0);
inspectable!(Iso7816Card, |card| card.puk_tries_left().map_or(0, |left| TRIES - left));
inspectable!(PivCard, |card| TRIES - card.puk_tries_left());
inspectable!(OpenPgpCard, |card| (TRIES - card.admin_tries_left()) + (TRIES - card.code_tries_left()));

/// Tries of every card.
pub const TRIES: u8 = 3;

pub type Forge = Box<dyn FnMut(&[u8], Vec<u8>) -> Vec<u8> + Send>;
pub type Instead = Box<dyn FnMut(&[u8]) -> Option<Vec<u8>> + Send>;

/// Every command is kept as it was sent; a forger may change any answer after the card has given it.
pub struct TappedCard {
    /// The card, with its faults.
    pub faulty: Faulty<Box<dyn InspectableCard>>,
    /// All commands, as they were sent.
    pub sent: Vec<Vec<u8>>,
    /// Changes answers of the card.
    pub forge: Option<Forge>,
    /// Answers instead of the card.
    pub instead: Option<Instead>,
}

impl TappedCard {
    /// Without faults, forger and substitute yet.
    pub fn new(faulty: Faulty<Box<dyn InspectableCard>>) -> Self {
        Self { faulty, sent: Vec::new(), forge: None, instead: None }
    }

    /// Answers to an admin challenge that were sent.
    pub fn admin_answers(&self) -> usize {
        let answer = |command: &&Vec<u8>| {
            command.starts_with(&[0x00, 0x87, 0x00, 0x00, 0x0C, 0x7C, 0x0A, 0x82])
                || command.starts_with(&[0x00, 0x87, 0x00, 0x00, 0x2C, 0x7C, 0x2A, 0x82])
                || command.starts_with(&[0x00, 0x82])
        };
        self.sent.iter().filter(answer).count()
    }

    /// The same, as eight bytes each.
    pub fn answers(&self) -> Vec<Vec<u8>> {
        let answer = |command: &Vec<u8>| match command.as_slice() {
            [0x00, 0x87, 0x00, 0x00, 0x0C, 0x7C, 0x0A, 0x82, 0x08, answer @ ..]
            | [0x00, 0x82, _, _, 0x08, answer @ ..] => answer.get(..8).map(<[u8]>::to_vec),
            _ => None,
        };
        self.sent.iter().filter_map(answer).collect()
    }

    /// Commands that could have changed the PIN or cost a try.
    pub fn risky(&self) -> usize {
        let risky = |command: &&Vec<u8>| {
            matches!(command.get(1), Some(0x24 | 0x2C)) || (command.get(1) == Some(&0x20) && command.len() > 5)
        };
        self.sent.iter().filter(risky).count()
    }
}

impl VirtualCard for TappedCard {
    fn atr(&self) -> &[u8] {
        self.faulty.atr()
    }

    fn reset(&mut self) {
        self.faulty.reset();
    }

    fn power_off(&mut self) {
        self.faulty.power_off();
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        self.sent.push(command.to_vec());
        if let Some(answer) = self.instead.as_mut().and_then(|instead| instead(command)) {
            return Ok(answer);
        }
        let answer = self.faulty.transmit(command)?;
        Ok(match &mut self.forge {
            Some(forge) => forge(command, answer),
            None => answer,
        })
    }
}
