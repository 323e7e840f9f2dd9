//! Whether an application that has answered SELECT is PIV: by the name in its answer, else by its CHUID.

use super::{Piv, commands, identity};
use crate::apdu::{Command, Response, tlv};

impl Piv {
    /// Whether an answer to SELECT names PIV (SP 800-73-4 part 2 §3.1.1): `4F`, or `84` as other cards have it, with the
    /// application identifier, whole or only from the provider's part on. Both are looked for wherever they stand, since there are
    /// cards whose templates have a wrong length.
    #[must_use]
    pub fn is_selected(response: &Response) -> bool {
        response.status().is_ok() && names_piv(response.data())
    }

    /// Whether an answer to [`identification`] comes from PIV: a CHUID with a GUID that tells the card.
    #[must_use]
    pub fn is_identification(response: &Response) -> bool {
        response.status().is_ok() && matches!(identity::from_chuid(response.data()), Ok(Some(_)))
    }
}

/// The command that a card is asked which does not say in its answer to SELECT that it is PIV.
#[must_use]
pub fn identification() -> Command {
    commands::get_data(commands::CHUID)
}

fn names_piv(answer: &[u8]) -> bool {
    let template = tlv::find(answer, 0x61).ok().flatten();
    let named = template.and_then(|template| tlv::find(template, 0x4F).ok().flatten());
    let (_, own) = commands::AID.split_at(5);
    named.is_some_and(|aid| aid.starts_with(&commands::AID) || aid.starts_with(own)) || names_piv_somewhere(answer)
}

/// Whether a `4F` or `84`, wherever it stands and however much of it there is, names PIV.
fn names_piv_somewhere(answer: &[u8]) -> bool {
    let mut objects = answer.windows(2).enumerate().filter(|(_, head)| matches!(head, [0x4F | 0x84, _]));
    objects.any(|(at, head)| {
        let value = answer.get(at + head.len()..).unwrap_or_default();
        let length = head.last().copied().map_or(0, usize::from);
        let value = value.get(..length).unwrap_or(value);
        value.windows(commands::AID.len()).any(|window| window == commands::AID) || value.starts_with(&commands::PIX)
    })
}
