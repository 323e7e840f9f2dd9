//! What an enrollment does next: decided out of what the journal, the server and the card say, and of nothing else.
//!
//! Every stage can be cut off, and a rerun asks the three again. What was begun and may have been done is looked for where it
//! would show. What nobody can tell is a stop with its reason, never a second attempt.

#[cfg(test)]
mod tests;

pub use crate::job::journal::{KeyHash, Purpose};
use crate::server::wire::RequestStatus;

/// What the journal says of a thing that is done once: a call that changes the server, or a write to the card.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Noted {
    /// It was not begun, or was refused, so that nothing came of it.
    #[default]
    Nothing,
    /// It was begun, and its end is not known.
    Begun,
    /// It was done.
    Done,
}

/// What the journal says of one key pair and its certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotedPair {
    /// The generation.
    pub generation: Noted,
    /// The public key that the slot had before; `None`: it had none.
    pub before: Option<KeyHash>,
    /// The name of the container in which it was to be made; `None`: the card's keys have no such names.
    pub container: Option<String>,
    /// The public key that was generated, once it is known.
    pub made: Option<KeyHash>,
    /// The writing of the certificate.
    pub certificate: Noted,
}

/// What the journal says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalSays {
    /// The creation of the request.
    pub request: Noted,
    /// The binding of the card.
    pub bind: Noted,
    /// The replacement of the admin key.
    pub admin_key: Noted,
    /// Whether the card has proved the key that replaced it.
    pub admin_key_proved: bool,
    /// Whether this job's PIN was set, and verified by the card.
    pub pin_verified: bool,
    /// One for each key pair that the server wants.
    pub pairs: Vec<NotedPair>,
    /// The certificate requests that were handed in; done: the answer is kept.
    pub submission: Noted,
    /// The erasing of what the card holds.
    pub wipe: Noted,
    /// The retirement of the card at the server.
    pub retirement: Noted,
    /// The completion of the request: what comes before it was read back from the card.
    pub completion: Noted,
}

/// Which card the request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundTo {
    /// No card yet.
    Nothing,
    /// The one that is here.
    ThisCard,
    /// Another one.
    AnotherCard,
}

/// What the server says of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestSays {
    /// What it asks for.
    pub purpose: Purpose,
    /// Where it stands.
    pub status: RequestStatus,
    /// Which card it is for.
    pub bound: BoundTo,
}

/// What the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerSays {
    /// The request; `None`: there is none that could be the one meant.
    pub request: Option<RequestSays>,
    /// Whether this card is in use for another assignment, which keeps it from a new one.
    pub in_use_elsewhere: bool,
    /// Whether the template replaces the admin key.
    pub diversifies: bool,
    /// Whether certificates were issued for this card's assignment.
    pub has_issued: bool,
    /// Whether the card is retired there.
    pub card_is_retired: bool,
}

/// Which admin key is on the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminKeyOnCard {
    /// The template's default key.
    Default,
    /// The card's own key.
    Diversified,
    /// Nobody can tell.
    Unknown,
}

/// What the card says of one slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotSays {
    /// Its public key; `None`: the slot is empty.
    pub key: Option<KeyHash>,
    /// The name of that key's container; `None`: the card's keys have no such names.
    pub container: Option<String>,
    /// Whether the certificate in it is the one that was issued for this job.
    pub has_our_certificate: bool,
    /// Whether there is any certificate in it.
    pub has_certificate: bool,
}

/// What the card says, and what is known of it from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardSays {
    /// Its admin key, as records and a person's word have it.
    pub admin_key: AdminKeyOnCard,
    /// The slot of each key pair that the server wants.
    pub slots: Vec<SlotSays>,
    /// Whether its admin key, answered with by the server, is what gives the right to erase.
    pub wants_admin_key_to_erase: bool,
}

/// What a person has allowed beyond the job itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowed {
    /// A request may be created.
    pub create: bool,
    /// What is in the slots may be lost.
    pub erase: bool,
    /// The card may be taken from another assignment.
    pub reuse: bool,
    /// All that the card holds is to be erased before it is retired.
    pub wipe: bool,
}

/// All that is asked before a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The journal's word.
    pub journal: JournalSays,
    /// The server's word.
    pub server: ServerSays,
    /// The card's word.
    pub card: CardSays,
    /// A person's word.
    pub allowed: Allowed,
    /// Whether the card's PIN is at hand: set in this run, by this process.
    pub pin_at_hand: bool,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Create the request.
    Create,
    /// Wait until somebody approves the request.
    AwaitApproval,
    /// Bind the card to the request.
    Bind,
    /// Replace the admin key, and have the card prove the new one.
    ReplaceAdminKey,
    /// Have the card prove the admin key that was written.
    ProveAdminKey,
    /// Set the PIN, and have the card verify it.
    SetPin,
    /// Generate this key pair.
    Generate(usize),
    /// Note the public key that this slot has as the one that was generated: the process ended before it could.
    Adopt(usize),
    /// Hand in the certificate requests.
    Submit,
    /// Write this certificate.
    Write(usize),
    /// Erase what the card holds.
    Wipe,
    /// Retire the card at the server.
    Retire,
    /// Complete the request.
    Complete,
    /// Nothing: all is done.
    Done,
    /// Nothing: somebody has to decide, or to do something.
    Stop(Why),
}

/// Why an enrollment can't go on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is no request, and nobody asked for one to be created.
    NoRequest,
    /// A request was asked for, the server's answer was lost, and no request shows.
    RequestLost,
    /// The request has ended without being completed, or is in a state of which nothing is known.
    Closed(RequestStatus),
    /// The request is for another card.
    AnotherCard,
    /// The card is in use for another assignment.
    InUse,
    /// The binding was asked for, the server's answer was lost, and the request shows no card.
    BindLost,
    /// It is not known which admin key is on the card.
    AdminKeyUnknown,
    /// The slot of this key pair holds a key or a certificate.
    SlotInUse(usize),
    /// The key pair of which a certificate was asked for is no longer in this slot.
    KeyGone(usize),
    /// Certificates were issued for this card, and not to this job.
    IssuedElsewhere,
    /// The certificate requests were handed in, and the server's answer was lost.
    CertificatesLost,
    /// The server has completed the request, and not all of it is on the card.
    CompletedElsewhere,
}

/// The next stage.
#[must_use]
pub fn next(said: &Said) -> Next {
    let Some(request) = said.server.request else { return without_request(said) };
    match request.status {
        RequestStatus::Approved | RequestStatus::Executing => {}
        RequestStatus::Pending if request.bound == BoundTo::AnotherCard => return Next::Stop(Why::AnotherCard),
        RequestStatus::Pending => return Next::AwaitApproval,
        RequestStatus::Completed => return completed(said, request),
        status => return Next::Stop(Why::Closed(status)),
    }
    let stages = [bind, admin_key, pin, pairs, submission, certificates, wipe, retirement];
    let wanted = || stages.iter().filter_map(|stage| stage(said, request));
    // What would stop a later stage stops the job before anything more is changed.
    wanted().find(|next| matches!(next, Next::Stop(_))).or_else(|| wanted().next()).unwrap_or(Next::Complete)
}

fn without_request(said: &Said) -> Next {
    match said.journal.request {
        // What would keep the card from being bound is told before a request is made for it.
        Noted::Nothing if said.allowed.create && said.server.in_use_elsewhere && !said.allowed.reuse => {
            Next::Stop(Why::InUse)
        }
        Noted::Nothing if said.allowed.create => Next::Create,
        Noted::Nothing | Noted::Done => Next::Stop(Why::NoRequest),
        Noted::Begun => Next::Stop(Why::RequestLost),
    }
}

/// The server completes what it is told to complete: here the card has the last word.
fn completed(said: &Said, request: RequestSays) -> Next {
    let JournalSays { pin_verified, submission, completion, .. } = said.journal;
    let on_card = match request.purpose {
        Purpose::Retire => true,
        Purpose::Unblock => pin_verified,
        // How much there was to be, nobody tells of a request that has ended: a job knows it that has handed in requests for all of
        // it, or that was about to complete it.
        Purpose::Enroll => {
            let is_told = completion != Noted::Nothing || submission == Noted::Done && !said.card.slots.is_empty();
            is_told && pin_verified && said.card.slots.iter().all(|slot| slot.has_our_certificate)
        }
    };
    match request.bound {
        BoundTo::ThisCard if on_card => Next::Done,
        BoundTo::ThisCard | BoundTo::Nothing => Next::Stop(Why::CompletedElsewhere),
        BoundTo::AnotherCard => Next::Stop(Why::AnotherCard),
    }
}

fn bind(said: &Said, request: RequestSays) -> Option<Next> {
    Some(match (request.bound, said.journal.bind) {
        (BoundTo::ThisCard, _) => return None,
        (BoundTo::AnotherCard, _) => Next::Stop(Why::AnotherCard),
        // A request that is about a card has one: without it there is nothing that could be bound.
        (BoundTo::Nothing, _) if request.purpose != Purpose::Enroll => Next::Stop(Why::AnotherCard),
        (BoundTo::Nothing, Noted::Begun | Noted::Done) => Next::Stop(Why::BindLost),
        (BoundTo::Nothing, Noted::Nothing) if said.server.in_use_elsewhere && !said.allowed.reuse => {
            Next::Stop(Why::InUse)
        }
        (BoundTo::Nothing, Noted::Nothing) => Next::Bind,
    })
}

fn admin_key(said: &Said, request: RequestSays) -> Option<Next> {
    if request.purpose != Purpose::Enroll {
        return None;
    }
    match (said.journal.admin_key, said.card.admin_key) {
        (Noted::Done, _) if said.journal.admin_key_proved => None,
        (Noted::Done, _) => Some(Next::ProveAdminKey),
        // A person who knows what a write that was cut off has left says so; only a proof may follow, or the write anew.
        (Noted::Begun, AdminKeyOnCard::Diversified) => Some(Next::ProveAdminKey),
        (Noted::Begun, AdminKeyOnCard::Unknown) => Some(Next::Stop(Why::AdminKeyUnknown)),
        // What was begun is brought to its end above, also where the template has been changed since.
        _ if !said.server.diversifies => None,
        (Noted::Nothing, AdminKeyOnCard::Diversified) => None,
        (Noted::Begun | Noted::Nothing, AdminKeyOnCard::Default) => Some(Next::ReplaceAdminKey),
        (Noted::Nothing, AdminKeyOnCard::Unknown) => Some(Next::Stop(Why::AdminKeyUnknown)),
    }
}

fn pin(said: &Said, request: RequestSays) -> Option<Next> {
    // Keys and certificates are written under the PIN, which no run leaves to the next: it is set once more, and no try is
    // spent on guessing which one the card has.
    let is_needed = || !said.pin_at_hand && wanted(said, request).any(|(_, _, slot)| !slot.has_our_certificate);
    (request.purpose != Purpose::Retire && (!said.journal.pin_verified || is_needed())).then_some(Next::SetPin)
}

/// Each key pair with its slot, in the server's order.
fn wanted(said: &Said, request: RequestSays) -> impl Iterator<Item = (usize, NotedPair, &SlotSays)> {
    let slots = if request.purpose == Purpose::Enroll { said.card.slots.as_slice() } else { &[] };
    let noted = |index: usize| said.journal.pairs.get(index).cloned().unwrap_or_default();
    slots.iter().enumerate().map(move |(index, slot)| (index, noted(index), slot))
}

fn pairs(said: &Said, request: RequestSays) -> Option<Next> {
    wanted(said, request).find_map(|(index, noted, slot)| pair(said, index, &noted, slot))
}

fn pair(said: &Said, index: usize, noted: &NotedPair, slot: &SlotSays) -> Option<Next> {
    let fresh = || {
        let is_in_use = slot.key.is_some() || slot.has_certificate;
        if is_in_use && !said.allowed.erase { Next::Stop(Why::SlotInUse(index)) } else { Next::Generate(index) }
    };
    match noted.generation {
        // A container has a name that nobody else gives one, and another program may have made a key since.
        Noted::Begun if slot.key.is_some() && slot.key != noted.before && slot.container == noted.container => {
            Some(Next::Adopt(index))
        }
        // The slot has what it had, or what somebody else has made: the card was not told, or did not do it.
        Noted::Nothing | Noted::Begun => Some(fresh()),
        Noted::Done if slot.key.is_some() && slot.key == noted.made => None,
        // A certificate for a key that is gone is of no use, and one for another key is another request.
        Noted::Done if said.journal.submission != Noted::Nothing => Some(Next::Stop(Why::KeyGone(index))),
        Noted::Done => Some(fresh()),
    }
}

fn submission(said: &Said, request: RequestSays) -> Option<Next> {
    wanted(said, request).next()?;
    match said.journal.submission {
        Noted::Nothing if said.server.has_issued => Some(Next::Stop(Why::IssuedElsewhere)),
        Noted::Nothing => Some(Next::Submit),
        Noted::Begun => Some(Next::Stop(Why::CertificatesLost)),
        Noted::Done => None,
    }
}

fn certificates(said: &Said, request: RequestSays) -> Option<Next> {
    // Read back or written anew: writing the same certificate twice does no harm.
    wanted(said, request).find(|(_, _, slot)| !slot.has_our_certificate).map(|(index, ..)| Next::Write(index))
}

/// Once in a job: what was erased is noted, and who puts something on the card afterwards wants it there.
fn wipe(said: &Said, request: RequestSays) -> Option<Next> {
    let is_wanted = request.purpose == Purpose::Retire && said.allowed.wipe && said.journal.wipe != Noted::Done;
    let is_unknown = said.card.wants_admin_key_to_erase && said.card.admin_key == AdminKeyOnCard::Unknown;
    is_wanted.then_some(if is_unknown { Next::Stop(Why::AdminKeyUnknown) } else { Next::Wipe })
}

fn retirement(said: &Said, request: RequestSays) -> Option<Next> {
    // The server was asked just now: one that still has the card in use did not retire it.
    (request.purpose == Purpose::Retire && !said.server.card_is_retired).then_some(Next::Retire)
}
