//! A run's look at journal, server and card: what is so now, and which request it is about.

use uuid::Uuid;

use super::facts::{ServerFacts, purpose};
use super::find_request::{Wanted, find_request, is_for, other_type};
use super::known::{CardFacts, Known};
use super::next::Noted;
use super::run::Run;
use crate::job::{Cause, Failure, Step, Stop, journal};
use crate::provision::Asked;
use crate::server::RequestLook;
use crate::server::wire::{Request, RequestStatus, RequestType};

impl Run<'_> {
    /// Asks the three what is so.
    pub fn look(&mut self) -> Result<Known, Failure> {
        self.at(Step::Resolve);
        let result = self.ask_server();
        self.failed(result)?;
        let facts = self.facts.clone().unwrap_or_default();
        let may_be = self.may_be_worked_on(&facts);
        self.failed(may_be)?;
        if self.card_facts.is_none() {
            self.card_facts = Some(self.look_at_card(&facts)?);
        }
        let written = self.card_facts.as_ref().map(CardFacts::written).unwrap_or_default();
        if !written.is_empty() {
            self.written = written;
        }
        let result = self.known(facts);
        self.failed(result)
    }

    /// The same with nothing claimed: what an earlier run has noted is read alone.
    pub fn look_to_plan(&mut self) -> Result<Known, Failure> {
        let found = self.log.look(self.job.request);
        self.failed(found.map_err(Cause::from))?;
        self.leave_what_is_not_meant();
        self.look()
    }

    /// The server's records, where they are not known or may have changed.
    fn ask_server(&mut self) -> Result<(), Cause> {
        let known = self.facts.as_ref().and_then(|facts| Some((facts.request.as_ref()?.uuid, facts.bound.is_some())));
        let mut facts = match (self.facts.take(), known) {
            (Some(facts), _) if !self.is_stale => {
                self.facts = Some(facts);
                return Ok(());
            }
            (Some(facts), Some((request, true))) => facts.ask_again(&mut self.server, request)?,
            _ => self.ask_anew()?,
        };
        if let Some(request) = &mut facts.request {
            self.tell_type(request);
            let asked_for = purpose(request);
            if !asked_for.is_some_and(|purpose| is_for(self.job.purpose, purpose)) {
                return Err(other_type(request, self.job.purpose).into());
            }
            self.log.claim_request(request.uuid)?;
        }
        self.facts = Some(facts);
        self.is_stale = false;
        Ok(())
    }

    /// Finds the request, and asks for all that it leads to.
    fn ask_anew(&mut self) -> Result<ServerFacts, Cause> {
        let request = match self.job.request.or_else(|| self.log.request()) {
            Some(request) => Some(request),
            None => self.find_request()?,
        };
        let template = self.job.new.as_ref().and_then(|new| new.template);
        let facts = ServerFacts::ask(&mut self.server, &self.card, request, template)?;
        if !self.is_to_be_left(&facts) {
            return Ok(facts);
        }
        self.log.set_aside();
        let request = self.find_request()?;
        ServerFacts::ask(&mut self.server, &self.card, request, template)
    }

    /// Whether the request that the journal names has ended, and a person wants another one done (`--again`).
    fn is_to_be_left(&self, facts: &ServerFacts) -> bool {
        let is_noted = |request: &&Request| self.log.request() == Some(request.uuid);
        let status = facts.request.as_ref().filter(is_noted).map(|request| request.status);
        let has_ended = |status: RequestStatus| !status.is_open() && status != RequestStatus::Pending;
        self.job.request.is_none() && self.job.asked == Asked::Again && status.is_some_and(has_ended)
    }

    /// No document gives the number of every type: the journal knows the type of a request that it has seen made.
    fn tell_type(&self, request: &mut Request) {
        if let (RequestType::Unknown(_), true) = (request.kind, self.log.request() == Some(request.uuid)) {
            request.kind = match self.log.purpose() {
                Some(journal::Purpose::Enroll) => RequestType::Enroll,
                Some(journal::Purpose::Unblock) => RequestType::Unblock,
                Some(journal::Purpose::Retire) => RequestType::Retire,
                None => request.kind,
            };
        }
    }

    /// A request that a lost call has made, or one that is there anyway.
    fn find_request(&mut self) -> Result<Option<Uuid>, Cause> {
        if let Some(noted) = self.log.noted_request().filter(|_| self.log.says(0).request == Noted::Begun) {
            let look = self.server.look(async |client| {
                let sent = noted.sent();
                Ok(client.look_for_request(&noted.lost(&sent)).await?)
            })?;
            match look {
                RequestLook::Made(request) => {
                    self.note_request(request.uuid)?;
                    return Ok(Some(request.uuid));
                }
                RequestLook::NotShown => return Ok(None),
                RequestLook::Several(candidates) => {
                    return Err(Stop::SeveralRequests { candidates }.into());
                }
            }
        }
        let wanted = Wanted { purpose: self.job.purpose, visible: self.job.visible };
        find_request(&mut self.server, &self.card, wanted)
    }
}
