//! Servers that lie, cards that are somebody else's, folders that fill up, and people who go away: nothing is done twice, nothing is
//! said that is not so, and the run after it finds its way.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pinwright::enroll::job::{Ended, EnrollJob};
use pinwright::enroll::next::Purpose;
use pinwright::enroll::rules::{ManagementRule, Rules as KeyRules};
use pinwright::exit::Exit;
use pinwright::job::authority::Authority;
use pinwright::job::secrets::Need;
use pinwright::job::{Cause, Failure, Step, Stop};
use pinwright::provision::{Asked, Rules};
use pinwright::sim::card::VirtualCard;
use pinwright::sim::fault::{Fault, Faulty};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::piv::PivCard;
use pinwright::sim::server::{
    Endpoint, Fault as ServerFault, FaultKind, Issues, KeyOptions, PinMaker, RequestStatus, Settings,
};
use support::provisioning::{CARD_A, CARD_B, KEY, OLD, Person, guid};
use support::sample::Sample;
use uuid::Uuid;

use crate::good::piv;
use crate::site::{Site, gids, ready, template, told};

mod journal;
mod people;
mod policies;
mod requests;

/// The process ends right before this step is taken for the nth time (from 0).
fn cut_at<C: VirtualCard + Send + 'static>(site: &mut Site<C>, job: &EnrollJob, step: Step, nth: usize) {
    let mut seen = 0;
    let mut at_step = |now: Step| {
        if now == step {
            if seen == nth {
                resume_unwind(Box::new("the process ends here"));
            }
            seen += 1;
        }
    };
    let cut = catch_unwind(AssertUnwindSafe(|| {
        site.run_with(job, &mut Person::knowing(), &mut at_step).map(drop).map_err(|failure| told(&failure))
    }));
    assert!(cut.is_err(), "{step:?}: it did not come to it: {cut:?}\n{}", site.lines());
}

fn stop(failure: &Failure) -> Option<&Stop> {
    match failure.cause.as_ref() {
        Cause::Stop(stop) => Some(stop),
        _ => None,
    }
}

fn request<C: VirtualCard + Send + 'static>(site: &Site<C>, index: usize) -> Uuid {
    site.server.state().change(|settings| settings.requests[index].uuid)
}

fn set_status<C: VirtualCard + Send + 'static>(site: &Site<C>, status: RequestStatus) {
    let request = request(site, 0);
    site.server.state().set_request_status(request, status);
}

/// No call that changes the server was sent twice, no try was lost, and nothing strict about the server was broken.
fn nothing_twice(site: &Site<GidsCard>, case: &str) {
    for (method, end) in [("POST", "/requests"), ("POST", "/smartcards"), ("POST", "/certificatedata")] {
        assert!(site.calls(method, end) <= 1, "{case}: {method} {end}\n{}", site.lines());
    }
    assert!(site.server.violations().is_empty(), "{case}: {:?}", site.server.violations());
    assert_eq!(site.card.with(|card| (card.admin_failures(), card.tries_left())), (0, 3), "{case}\n{}", site.lines());
}
