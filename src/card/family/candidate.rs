//! One family or profile that a card may be of, and the commands that find out.

use super::Application;
use super::built_in::{BuiltIn, Confirm, Selected};
use super::tried::Doubt;
use crate::apdu::{ApduError, Channel, Command, Response, Status, tlv};
use crate::card::Card;
use crate::card::iso7816::{self, Iso7816};
use crate::card::profile::Profile;

use super::Reason;

/// Bytes of the registered application provider identifier that an AID begins with (ISO 7816-4 §12.2.3).
const PROVIDER: usize = 5;

#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    Profile(&'a Profile),
    BuiltIn(&'static BuiltIn),
}

impl Kind<'_> {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Profile(profile) => &profile.name,
            Self::BuiltIn(row) => row.family.name(),
        }
    }
}

/// What a candidate's application has answered.
pub(super) enum Probe {
    /// It is there and selected; with what it was read, where that was needed.
    Present(Option<Response>),
    /// It is not: the answer to SELECT, and why it was not enough where it was `9000`.
    Absent(Status, Option<Doubt>),
}

#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) reason: Reason,
    /// Whether a profile claims the card by its ATR.
    pub(super) is_claimed: bool,
}

impl Candidate<'_> {
    pub(super) fn name(&self) -> &str {
        self.kind.name()
    }

    pub(super) fn application(&self) -> Application {
        let title = match self.kind {
            Kind::Profile(profile) => iso7816::title(profile),
            Kind::BuiltIn(row) => row.title.to_owned(),
        };
        Application { name: self.name().to_owned(), title, reason: self.reason }
    }

    pub(super) fn select(&self) -> Option<Command> {
        match self.kind {
            Kind::Profile(profile) => profile.aid.as_ref().map(|aid| iso7816::commands::select_application(&aid.0)),
            Kind::BuiltIn(row) => Some((row.select)()),
        }
    }

    /// Sends the SELECT, and the read that makes sure of it where it is needed.
    pub(super) fn probe(&self, select: &Command, channel: &mut Channel<'_>) -> Result<Probe, ApduError> {
        let answer = channel.send(select)?;
        let status = answer.status();
        if !self.is_selected(&answer) {
            let doubt = status.is_ok().then(|| Doubt::of_answer(named(answer.data())));
            return Ok(Probe::Absent(status, doubt));
        }
        let confirm = match self.kind {
            Kind::BuiltIn(BuiltIn { confirm: Some(confirm), .. }) if (confirm.needed)(&answer) => confirm,
            Kind::BuiltIn(_) | Kind::Profile(_) => return Ok(Probe::Present(None)),
        };
        if self.is_claimed && !confirm.of_claimed_cards {
            return Ok(Probe::Absent(status, Some(Doubt::Claimed)));
        }
        confirmed(confirm, status, channel)
    }

    fn is_selected(&self, response: &Response) -> bool {
        match self.kind {
            Kind::Profile(profile) => {
                let aid = profile.aid.as_ref().map_or(&[][..], |aid| &aid.0);
                response.status().is_ok() && named(response.data()).is_none_or(|name| is_name_of(name, aid))
            }
            Kind::BuiltIn(row) => (row.answers)(response),
        }
    }

    pub(super) fn make(&self, selected: &Selected<'_>) -> Box<dyn Card> {
        match self.kind {
            Kind::Profile(profile) => Box::new(Iso7816::new(profile.clone())),
            Kind::BuiltIn(row) => (row.make)(selected),
        }
    }
}

/// Whether an application that names itself so is the one with this AID, or one that begins with it. PIV cards leave out the
/// registered provider's five bytes (SP 800-73-4 part 2 §3.1.1).
fn is_name_of(name: &[u8], aid: &[u8]) -> bool {
    let without_provider = aid.get(PROVIDER..).filter(|extension| !extension.is_empty());
    name.starts_with(aid) || without_provider.is_some_and(|extension| name.starts_with(extension))
}

fn confirmed(confirm: &Confirm, selected: Status, channel: &mut Channel<'_>) -> Result<Probe, ApduError> {
    let read = channel.send(&(confirm.read)())?;
    Ok(if (confirm.answers)(&read) {
        Probe::Present(Some(read))
    } else {
        Probe::Absent(selected, Some(Doubt::Unconfirmed { read: confirm.name, status: read.status() }))
    })
}

/// The application that an answer to SELECT names: its identifier in an application template (`61`/`4F`), or the name in the
/// file control information (`6F`, `62` or `64`/`84`, ISO 7816-4 §5.3.3). `None` where it names none.
pub(super) fn named(answer: &[u8]) -> Option<&[u8]> {
    let within = |outer, inner| {
        let template = tlv::find(answer, outer).ok().flatten()?;
        tlv::find(template, inner).ok().flatten()
    };
    [(0x61, 0x4F), (0x6F, 0x84), (0x62, 0x84), (0x64, 0x84)].into_iter().find_map(|(outer, inner)| within(outer, inner))
}
