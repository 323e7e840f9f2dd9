//! The kinds of cards, and the ways to the right to set a PIN on them.

use pinwright::sim::card::VirtualCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::iso7816::{Iso7816Card, Iso7816Settings};
use pinwright::sim::openpgp::{OpenPgpCard, OpenPgpSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::server::Settings;
use support::installation::server_for;
use uuid::Uuid;

use super::forms::{Canary, Kind};

/// GENERAL AUTHENTICATE with the answer to an 8-byte challenge, and with a token of mutual authentication.
const GIDS_ANSWERS: [&[u8]; 2] =
    [&[0x00, 0x87, 0x00, 0x00, 0x0C, 0x7C, 0x0A, 0x82, 0x08], &[0x00, 0x87, 0x00, 0x00, 0x2C, 0x7C, 0x2A, 0x82, 0x28]];

/// EXTERNAL AUTHENTICATE with 8 bytes.
const ISO_ANSWER: &[u8] = &[0x00, 0x82, 0x00, 0x00, 0x08];

/// How the right to set the PIN is proved; on a GIDS card where no other is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Server,
    AdminKey,
    /// A card that knows no other authentication.
    Mutual,
    CurrentPin,
    PivPuk,
    PivCurrentPin,
    OpenPgpAdminPin,
    OpenPgpResettingCode,
    OpenPgpCurrentPin,
    IsoServer,
    IsoAdminKey,
    IsoPuk,
    IsoCurrentPin,
}

/// The secrets of a card that is new.
pub struct Secrets<'a> {
    pub admin_key: [u8; 24],
    pub pin: &'a [u8],
    pub code: &'a [u8],
}

/// A card seen from inside.
pub trait Inside: VirtualCard {
    fn pin_is(&self, pin: &[u8]) -> bool;
}

macro_rules! inside {
    ($($card:ty),+) => {
        $(impl Inside for $card {
            fn pin_is(&self, pin: &[u8]) -> bool {
                self.pin_is(pin)
            }
        })+
    };
}
inside!(GidsCard, PivCard, OpenPgpCard, Iso7816Card);

impl By {
    pub const ALL: [Self; 13] = [
        Self::Server,
        Self::AdminKey,
        Self::Mutual,
        Self::CurrentPin,
        Self::PivPuk,
        Self::PivCurrentPin,
        Self::OpenPgpAdminPin,
        Self::OpenPgpResettingCode,
        Self::OpenPgpCurrentPin,
        Self::IsoServer,
        Self::IsoAdminKey,
        Self::IsoPuk,
        Self::IsoCurrentPin,
    ];

    pub fn authority(self) -> &'static str {
        match self {
            Self::Server | Self::IsoServer => "server",
            Self::AdminKey | Self::Mutual | Self::IsoAdminKey => "admin-key",
            Self::CurrentPin | Self::PivCurrentPin | Self::OpenPgpCurrentPin | Self::IsoCurrentPin => "current-pin",
            Self::PivPuk | Self::IsoPuk => "puk",
            Self::OpenPgpAdminPin => "admin-pin",
            Self::OpenPgpResettingCode => "resetting-code",
        }
    }

    /// The secret that proves it, where that is not the server's.
    pub fn proof(self) -> Option<Kind> {
        match self.authority() {
            "server" => None,
            "admin-key" => Some(Kind::AdminKey),
            "current-pin" => Some(Kind::CurrentPin),
            _ => Some(Kind::Code),
        }
    }

    /// Whether an answer to a challenge of the card is sent.
    pub fn answers(self) -> bool {
        matches!(self.authority(), "server" | "admin-key")
    }

    /// A PIN that such a card takes, of that length where it may have it.
    pub fn pin(self, kind: Kind, length: usize) -> Canary {
        match self {
            Self::PivPuk | Self::PivCurrentPin => Canary::digits(kind, 8),
            Self::IsoServer | Self::IsoAdminKey | Self::IsoPuk | Self::IsoCurrentPin => {
                Canary::text(kind, length.min(8))
            }
            _ => Canary::text(kind, length),
        }
    }

    /// Sections of the configuration that describe the card.
    pub fn profile(self) -> &'static str {
        match self {
            Self::IsoServer | Self::IsoAdminKey | Self::IsoCurrentPin => {
                "[[card.profile]]\nname = \"bench\"\naid = \"F00000000102\"\ncard_id = { file = \"0201\" }\nadmin = {}\n\
                 pin = { reference = 1 }\n"
            }
            Self::IsoPuk => {
                "[[card.profile]]\nname = \"bench\"\naid = \"F00000000102\"\ncard_id = { file = \"0201\" }\n\
                 pin = { reference = 1 }\nset_pin = { with = \"unblocking-code\" }\n"
            }
            _ => "",
        }
    }

    /// A server that knows the card.
    pub fn server(self) -> Settings {
        let gids = GidsSettings::default();
        let id = gids.card_id;
        let known = |id: Uuid, atr: &[u8]| Settings::for_card(id, &hex::encode(atr), gids.admin_key);
        match self {
            Self::Server | Self::AdminKey | Self::Mutual | Self::CurrentPin => server_for(&gids),
            Self::PivPuk | Self::PivCurrentPin => known(Uuid::from_bytes_le(id), &PivSettings::default().atr),
            Self::OpenPgpAdminPin | Self::OpenPgpResettingCode | Self::OpenPgpCurrentPin => {
                let [a, b, c, d, e, f, ..] = id;
                let repeated = [a, b, c, d, e, f, a, b, c, d, e, f, a, b, c, d];
                known(Uuid::from_bytes_le(repeated), &OpenPgpSettings::default().atr)
            }
            Self::IsoServer | Self::IsoAdminKey | Self::IsoPuk | Self::IsoCurrentPin => {
                known(Uuid::from_bytes_le(id), &Iso7816Settings::default().atr)
            }
        }
    }

    pub fn card(self, secrets: &Secrets<'_>) -> Box<dyn Inside> {
        let id = GidsSettings::default().card_id;
        let (admin_key, pin, code) = (secrets.admin_key, secrets.pin.to_vec(), secrets.code.to_vec());
        match self {
            Self::Server | Self::AdminKey | Self::Mutual | Self::CurrentPin => {
                let mutual_only = self == Self::Mutual;
                Box::new(GidsCard::personalised(GidsSettings {
                    admin_key,
                    pin,
                    mutual_only,
                    ..GidsSettings::default()
                }))
            }
            Self::PivPuk | Self::PivCurrentPin => {
                let guid = Some(Uuid::from_bytes_le(id).into_bytes());
                Box::new(PivCard::new(PivSettings { guid, yubico: true, pin, puk: code, ..PivSettings::default() }))
            }
            Self::OpenPgpAdminPin | Self::OpenPgpResettingCode | Self::OpenPgpCurrentPin => {
                let [m, n, a, b, c, d, ..] = id;
                Box::new(OpenPgpCard::new(OpenPgpSettings {
                    manufacturer: [m, n],
                    serial: [a, b, c, d],
                    pw1: pin,
                    pw3: code.clone(),
                    resetting_code: Some(code),
                    ..OpenPgpSettings::default()
                }))
            }
            Self::IsoServer | Self::IsoAdminKey | Self::IsoPuk | Self::IsoCurrentPin => {
                let puk = (self == Self::IsoPuk).then_some(code);
                let settings =
                    Iso7816Settings { card_id: id.to_vec(), admin_key, pin, puk, ..Iso7816Settings::default() };
                Box::new(Iso7816Card::new(settings))
            }
        }
    }
}

/// The answer to a challenge, where the command has one.
pub fn answer_in(command: &[u8]) -> Option<&[u8]> {
    let mut prefixes = GIDS_ANSWERS.into_iter().chain([ISO_ANSWER]);
    prefixes.find_map(|prefix| command.strip_prefix(prefix))
}
