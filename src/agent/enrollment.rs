//! What a job's thread does with one card where the agent carries out whole requests: the card's open one, to its end.

use super::job_report::{Ending, JobEvent};
use super::jobs::{JobContext, JobSender, Others, Task};
use super::report::Phase;
use super::verdict::Next;
use crate::enroll::job::{Ended, EnrollJob};
use crate::enroll::next::Purpose;
use crate::enroll::{self, EnrollDesk};
use crate::job::{CardIdentity, Cause, Failure, Stop};
use crate::provision::Asked;
use crate::provision::mimcm::MimCm;
use crate::reader::Readers;

/// Carries out the card's open request to enroll or to unblock it, from the stage at which it stands. A request that waits for approval
/// is looked at again later. The agent makes no request, erases nothing, and retires nothing.
///
/// # Errors
/// As [`enroll::run`].
pub(super) fn work(
    context: &JobContext,
    readers: &dyn Readers,
    task: &Task,
    identity: &CardIdentity,
    server: &mut MimCm,
    sender: &JobSender,
) -> Result<Ending, Failure> {
    let looks_at_all = context.visible_requests && task.others == Others::NotSeen;
    let job = EnrollJob {
        reader: task.reader.clone(),
        card_id: Some(identity.card_id),
        // An enrollment takes a request to unblock the card, too.
        purpose: Purpose::Enroll,
        request: None,
        smartcard: None,
        visible: looks_at_all,
        new: None,
        rules: context.rules.clone(),
        keys: context.keys.clone(),
        families: context.families.clone(),
        erase: false,
        reuse: false,
        wipe: false,
        asked: Asked::ByInsertion,
        risk: None,
    };
    let mut supplier = context.supplier(task, identity);
    let mut progress = sender.progress();
    let mut desk = EnrollDesk {
        readers,
        server,
        journal: Some(&context.journal),
        elsewhere: None,
        supplier: supplier.as_mut(),
        interrupted: &task.interrupted,
        progress: &mut progress,
    };
    let ended = enroll::run(&job, &mut desk);
    if looks_at_all && ended.as_ref().is_err_and(is_no_request) {
        sender.send(JobEvent::LookedAtAll(Others::Nothing));
    }
    Ok(match ended? {
        Ended::Done(outcome) => {
            sender.send(JobEvent::Found(outcome.request));
            Ending::enrolled(*outcome)
        }
        Ended::AwaitsApproval(awaiting) => {
            sender.send(JobEvent::Found(awaiting.request));
            let reason = format!("request {} waits for somebody's approval", awaiting.request);
            let ending = Ending::plain(Phase::Waiting, Next::Recheck, reason).noted(awaiting.journal_id);
            Ending { server_answered: true, ..ending }
        }
    })
}

fn is_no_request(failure: &Failure) -> bool {
    matches!(failure.cause.as_ref(), Cause::Stop(Stop::NoRequest))
}
