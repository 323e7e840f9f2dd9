//! Enrollments that end well.

use pinwright::enroll::next::Purpose;
use pinwright::sim::server::RequestStatus;
use support::provisioning::{KEY, OLD};

use crate::site::{Site, gids, template};

#[test]
fn from_an_empty_card_to_a_certificate() {
    let mut site = Site::new(gids(), template(true));
    let job = site.job(Purpose::Enroll);
    let outcome = site.done(&job);
    assert!(outcome.created && outcome.admin_key_replaced && outcome.pin.is_some());
    assert_eq!(outcome.certificates.len(), 1);
    assert!(site.server.violations().is_empty(), "{:?}", site.server.violations());
    assert!(!site.card.with(|card| card.pin_is(OLD) || card.admin_key_is(&KEY)));
    assert_eq!(site.card.with(|card| card.admin_failures()), 0);
    let status = site.server.state().change(|settings| settings.requests[0].status);
    assert_eq!(status, RequestStatus::Completed);
    for (method, end) in [("POST", "/requests"), ("POST", "/smartcards"), ("POST", "/certificatedata")] {
        assert_eq!(site.calls(method, end), 1, "{method} {end}");
    }
    assert!(site.records().iter().all(|record| !record.is_open()), "{:#?}", site.records());
}
