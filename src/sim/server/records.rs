//! The data that a stand-in serves: cards, requests, templates, certificates.
//!
//! None of the types that hold a PIN or a key implements `Debug`: a failing test prints its operands.

use uuid::Uuid;

use super::keys::AdminKey;

/// Status of a request; the numbers are those of "Get requests" and of the SQL procedures behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The names are the documented ones.
pub enum RequestStatus {
    None,
    Approved,
    Denied,
    Completed,
    Failed,
    Pending,
    Canceled,
    Executing,
    /// A number that no document names.
    Other(u32),
}

impl RequestStatus {
    const NAMED: [(Self, u32, &'static str); 8] = [
        (Self::None, 0, "None"),
        (Self::Approved, 3, "Approved"),
        (Self::Denied, 4, "Denied"),
        (Self::Completed, 8, "Completed"),
        (Self::Failed, 9, "Failed"),
        (Self::Pending, 16, "Pending"),
        (Self::Canceled, 17, "Canceled"),
        (Self::Executing, 18, "Executing"),
    ];

    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Other(number) => number,
            named => Self::NAMED.iter().find(|row| row.0 == named).map_or(0, |row| row.1),
        }
    }

    /// The documented name, if there is one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Self::NAMED.iter().find(|row| row.0 == self).map(|row| row.2)
    }

    /// The status of that name in any case of letters, as in the `status` filter.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|row| row.2.eq_ignore_ascii_case(name)).map(|row| row.0)
    }

    /// Whether a request in this status may be worked on.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Approved | Self::Executing)
    }
}

/// A smart card object: the server's record of one card for one assignment ("Get smartcards").
#[derive(Clone, Debug)]
pub struct Card {
    /// Id of the object; part of the paths.
    pub uuid: Uuid,
    /// The identifier stored on the card; the `cardid` parameter.
    pub card_id: Uuid,
    /// Answer to reset as lower-case hex.
    pub atr: String,
    /// `Status` as a number: 1 assigned, 2 active, 3 disabled, 6 retired.
    pub status: u32,
    /// Profile template of the assignment.
    pub template: Uuid,
    /// Whose card it is.
    pub user: Uuid,
}

/// `RequestType` of an enrollment ("Get requests").
pub const ENROLL: u32 = 1;
/// `RequestType` of an unblock request.
pub const UNBLOCK: u32 = 5;

/// `RequestType` of a retire request; no document gives its number, so this one stands for any.
pub const RETIRE: u32 = 11;

// `Status` of a smart card.
pub(super) const ASSIGNED: u32 = 1;
pub(super) const ACTIVE: u32 = 2;
pub(super) const DISABLED: u32 = 3;
pub(super) const RETIRED: u32 = 6;

/// One life-cycle job ("Get requests").
#[derive(Clone, Debug)]
pub struct Request {
    /// Id of the request.
    pub uuid: Uuid,
    /// `RequestType`: [`ENROLL`], [`UNBLOCK`] or any other number.
    pub kind: u32,
    /// Where the request stands.
    pub status: RequestStatus,
    /// The card it is bound to.
    pub new_card: Option<Uuid>,
    /// The card it started from.
    pub old_card: Option<Uuid>,
    /// Profile template of the job.
    pub template: Uuid,
    /// Target user; `targetuser=current` compares it with [`super::Settings::caller`].
    pub user: Uuid,
    /// `Submitted`, as text on the wire.
    pub submitted: String,
    /// `Comment`.
    pub comment: String,
    /// `DataCollection`: names and values.
    pub data: Vec<(String, String)>,
    /// How often it was read by its id.
    pub looks: usize,
}

/// A certificate that was issued for a card ("Get smart card certificates").
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The card object that it was issued for.
    pub card: Uuid,
    /// `SerialNumber`: upper-case hex.
    pub serial_number: String,
    /// `Thumbprint`: upper-case hex.
    pub thumbprint: String,
}

/// One certificate request that is wanted ("Get certificate request generation options").
#[derive(Clone, Debug)]
pub struct KeyOptions {
    /// `KeyAlgorithmName`.
    pub algorithm: String,
    /// `KeySize`.
    pub bits: u32,
    /// `HashAlgorithmName`.
    pub hash: String,
}

/// `UserPinOption`: its numbers are not documented, its names are those of the SDK.
#[derive(Clone, Debug)]
pub enum UserPinOption {
    /// As every printed answer shows enumerations.
    Number(i64),
    /// As a name.
    Name(String),
}

/// A profile template with the smart card policy of "Get smart card policy".
#[derive(Clone)]
pub struct Template {
    /// Id of the template.
    pub uuid: Uuid,
    /// Display name.
    pub name: String,
    /// `DiversifyAdminKey`.
    pub diversify_admin_key: bool,
    /// `DefaultAdminKeyHex`, and the key of `diversified=False`.
    pub default_admin_key: AdminKey,
    /// `UserPinOption`.
    pub user_pin_option: UserPinOption,
    /// `MinLength` and `MaxLength` of `UserPinPolicy`.
    pub pin_length: (u32, u32),
    /// `PolicyDataCollection`: names of the items that a user has to supply.
    pub data_items: Vec<String>,
    /// The certificate requests that are wanted.
    pub keys: Vec<KeyOptions>,
    /// Policy properties to leave out of the answer, by name in any case of letters.
    pub omitted: Vec<String>,
}

impl Template {
    pub(super) const SAMPLE: Uuid = Uuid::from_u128(0xa039b4d0_5ce8_4eff_8651_181c6576fda3);

    /// A template like that of the reference's samples, with this default admin key and no diversification.
    #[must_use]
    pub fn sample(admin_key: AdminKey) -> Self {
        Self {
            uuid: Self::SAMPLE,
            name: "FIM CM Sample Smart Card Logon Profile Template".to_owned(),
            diversify_admin_key: false,
            default_admin_key: admin_key,
            user_pin_option: UserPinOption::Number(2),
            pin_length: (4, 16),
            data_items: Vec::new(),
            keys: vec![KeyOptions { algorithm: "RSA".to_owned(), bits: 2048, hash: "SHA1".to_owned() }],
            omitted: Vec::new(),
        }
    }
}
