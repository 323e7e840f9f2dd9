//! The request is made: once.

use std::time::SystemTime;

use uuid::Uuid;

use super::note::{facts, noted_purpose};
use crate::enroll::job::NewEnrollment;
use crate::enroll::known::Known;
use crate::enroll::next::Purpose;
use crate::enroll::run::Run;
use crate::job::effect::ProofState;
use crate::job::journal::{Facts, Moment, Phase, Stage};
use crate::job::{Cause, Failure, Step, Stop};
use crate::server::wire::WorkflowPolicy;
use crate::server::{self, LostRequest, NewRequest, RequestKind, RequestLook};

impl Run<'_> {
    /// Makes the request. A lost answer is looked for, and the call never sent again.
    pub(super) fn create_request(&mut self, known: &Known) -> Result<(), Failure> {
        // Who can't say it is told so before anything is changed at the server.
        if self.job.wipe {
            self.current_pin = self.pin_to_erase_with()?;
        }
        self.at(Step::CreateRequest);
        let prepared = self.prepare_request(known);
        let (new, purpose, before) = self.failed(prepared)?;
        let NewEnrollment { data, data_form, comment, target, .. } = &new;
        let request = NewRequest { purpose, data, data_form: *data_form, comment, target: *target };
        let about = Facts { purpose: Some(noted_purpose(self.job.purpose)), ..facts(&self.card, &known.facts) };
        let noted = self.log.about_to_create(&request, &before, about.clone());
        self.failed(noted.map_err(Cause::from))?;
        let at = SystemTime::now();
        let created = match self.server.change(async |client| client.create_request(&request).await) {
            Ok(Ok(id)) => id,
            Err(cause) => {
                self.note_end(Stage::Request, Phase::Refused, about);
                return Err(self.failure(cause));
            }
            Ok(Err(lost)) => {
                self.note_end(Stage::Request, Phase::Unknown, about);
                tracing::warn!("the server's answer to the new request was lost: {lost}");
                let given_up = Some(SystemTime::now());
                let found = self.look_for_request(&LostRequest { sent: &request, at, given_up, known: &before });
                self.failed(found)?
            }
        };
        let noted = self.note_request(created);
        self.failed(noted)?;
        self.created = true;
        self.is_stale = true;
        Ok(())
    }

    /// Notes the request's id: a later run goes on with it.
    pub(in crate::enroll) fn note_request(&mut self, request: Uuid) -> Result<(), Cause> {
        self.log.claim_request(request)?;
        let facts = Facts { request: Some(request), ..Facts::default() };
        Ok(self.log.note(Moment { facts, ..Moment::new(Stage::Request, Phase::Done, ProofState::NotShown) })?)
    }

    fn look_for_request(&mut self, lost: &LostRequest<'_>) -> Result<Uuid, Cause> {
        match self.server.carry(async |client| Ok(client.look_for_request(lost).await?))? {
            RequestLook::Made(request) => Ok(request.uuid),
            RequestLook::NotShown => Err(Stop::RequestLost.into()),
            RequestLook::Several(candidates) => Err(Stop::SeveralRequests { candidates }.into()),
        }
    }

    /// Asks for each item that the template collects and that was not given. Where nobody can be asked all of them are named.
    fn ask_for_items(&mut self, policy: &WorkflowPolicy, new: &mut NewEnrollment) -> Result<(), Cause> {
        let missing = missing(policy, new);
        for name in &missing {
            let Some(value) = self.supplier.item(name)? else {
                return Err(Stop::DataMissing { names: missing }.into());
            };
            new.data.push((name.clone(), value));
        }
        Ok(())
    }

    /// What is to be sent, once it is known that the template lets it be made, and the requests that are open already.
    fn prepare_request(&mut self, known: &Known) -> Result<(NewEnrollment, server::Purpose, Vec<Uuid>), Cause> {
        let mut new = self.job.new.clone().ok_or(Stop::NoRequest)?;
        let of_card = || known.facts.in_use(self.job.smartcard).ok_or(Stop::UnknownCard);
        let purpose = match self.job.purpose {
            Purpose::Enroll => server::Purpose::Enroll { profile_template: new.template.ok_or(Stop::NoRequest)? },
            Purpose::Unblock => server::Purpose::Unblock { smartcard: of_card()?.uuid },
            Purpose::Retire => server::Purpose::Retire { smartcard: of_card()?.uuid },
        };
        if self.job.purpose != Purpose::Enroll
            && let Some(template) = of_card()?.profile_template
        {
            let kind = purpose.kind();
            let policy = self.server.look(async |client| Ok(client.workflow_policy(template, kind).await?))?;
            may_be_made(kind, &policy, &new)?;
            self.ask_for_items(&policy, &mut new)?;
        }
        let is_of_others = new.target.is_some();
        let open = self.server.look(async |client| {
            let mut open = Vec::new();
            for status in ["Approved", "Pending", "Executing"] {
                open.extend(match is_of_others {
                    true => client.visible_requests_in(status).await?,
                    false => client.requests(status).await?,
                });
            }
            Ok(open)
        })?;
        Ok((new, purpose, open.iter().map(|request| request.uuid).collect()))
    }
}

/// The items that the template collects and that are not given.
fn missing(policy: &WorkflowPolicy, new: &NewEnrollment) -> Vec<String> {
    let is_given = |item: &&String| new.data.iter().any(|(name, _)| name == *item);
    policy.data_items.iter().filter(|item| !is_given(item)).cloned().collect()
}

/// What the template says of requests about a card. What it does not say forbids nothing: the server decides.
fn may_be_made(kind: RequestKind, policy: &WorkflowPolicy, new: &NewEnrollment) -> Result<(), Stop> {
    let is_own = new.target.is_none();
    let why = match policy {
        policy if policy.enabled == Some(false) => format!("{} is switched off in the profile template", kind.name()),
        policy if policy.one_time_password => {
            "one-time passwords are handed out, and the REST API has no place to give one back".to_owned()
        }
        policy if is_own && policy.self_service == Some(false) => "users may not make it for themselves".to_owned(),
        policy if is_own && policy.enrollment_agent == Some(true) => {
            "an enrollment agent has to carry it out".to_owned()
        }
        _ => return Ok(()),
    };
    Err(Stop::Creation(why))
}
