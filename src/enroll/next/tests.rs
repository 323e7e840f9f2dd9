use super::*;

const OURS: KeyHash = [1; 32];
const THEIRS: KeyHash = [2; 32];

/// An enrollment with one key pair and a diversified admin key, of which nothing is done yet.
fn begun() -> Said {
    Said {
        journal: JournalSays::default(),
        server: ServerSays {
            request: Some(request(Purpose::Enroll, RequestStatus::Approved, BoundTo::Nothing)),
            in_use_elsewhere: false,
            diversifies: true,
            has_issued: false,
            card_is_retired: false,
        },
        card: CardSays { admin_key: AdminKeyOnCard::Default, slots: vec![SlotSays::default()], ..CardSays::default() },
        allowed: Allowed::default(),
        pin_at_hand: false,
    }
}

impl Default for CardSays {
    fn default() -> Self {
        Self { admin_key: AdminKeyOnCard::Default, slots: Vec::new(), wants_admin_key_to_erase: false }
    }
}

fn request(purpose: Purpose, status: RequestStatus, bound: BoundTo) -> RequestSays {
    RequestSays { purpose, status, bound }
}

/// What a stage changes, where it is carried out.
fn carry_out(said: &mut Said, stage: Next) {
    let Said { journal, server, card, pin_at_hand, .. } = said;
    journal.pairs.resize(card.slots.len(), NotedPair::default());
    match stage {
        Next::Create => {
            journal.request = Noted::Done;
            server.request = Some(request(Purpose::Enroll, RequestStatus::Pending, BoundTo::Nothing));
        }
        Next::AwaitApproval => server.request.as_mut().unwrap().status = RequestStatus::Approved,
        Next::Bind => {
            journal.bind = Noted::Done;
            server.request.as_mut().unwrap().bound = BoundTo::ThisCard;
        }
        Next::ReplaceAdminKey => {
            journal.admin_key = Noted::Done;
            card.admin_key = AdminKeyOnCard::Diversified;
        }
        Next::ProveAdminKey => (journal.admin_key, journal.admin_key_proved) = (Noted::Done, true),
        Next::SetPin => (journal.pin_verified, *pin_at_hand) = (true, true),
        Next::Generate(index) => {
            journal.pairs[index] = NotedPair {
                generation: Noted::Done,
                before: card.slots[index].key,
                made: Some(OURS),
                ..NotedPair::default()
            };
            card.slots[index] = SlotSays { key: Some(OURS), ..SlotSays::default() };
        }
        Next::Adopt(index) => {
            journal.pairs[index].generation = Noted::Done;
            journal.pairs[index].made = card.slots[index].key;
        }
        Next::Submit => (journal.submission, server.has_issued) = (Noted::Done, true),
        Next::Write(index) => {
            journal.pairs[index].certificate = Noted::Done;
            (card.slots[index].has_certificate, card.slots[index].has_our_certificate) = (true, true);
        }
        Next::Wipe => journal.wipe = Noted::Done,
        Next::Retire => (journal.retirement, server.card_is_retired) = (Noted::Done, true),
        Next::Complete => {
            journal.completion = Noted::Done;
            server.request.as_mut().unwrap().status = RequestStatus::Completed;
        }
        Next::Done | Next::Stop(_) => panic!("{stage:?} is no stage"),
    }
}

/// What is on disk where the process ended in the middle of this stage.
fn note_begun(said: &mut Said, stage: Next) {
    let Said { journal, card, .. } = said;
    journal.pairs.resize(card.slots.len(), NotedPair::default());
    match stage {
        Next::Create => journal.request = Noted::Begun,
        Next::Bind => journal.bind = Noted::Begun,
        Next::ReplaceAdminKey => (journal.admin_key, card.admin_key) = (Noted::Begun, AdminKeyOnCard::Unknown),
        Next::Generate(index) => {
            journal.pairs[index].generation = Noted::Begun;
            journal.pairs[index].before = card.slots[index].key;
        }
        Next::Submit => journal.submission = Noted::Begun,
        Next::Write(index) => journal.pairs[index].certificate = Noted::Begun,
        Next::Wipe => journal.wipe = Noted::Begun,
        Next::Retire => journal.retirement = Noted::Begun,
        Next::Complete => journal.completion = Noted::Begun,
        Next::AwaitApproval | Next::ProveAdminKey | Next::SetPin | Next::Adopt(_) | Next::Done | Next::Stop(_) => {}
    }
}

/// The stages up to the end, carried out one by one.
fn course(mut said: Said) -> Vec<Next> {
    let mut course = Vec::new();
    loop {
        let stage = next(&said);
        course.push(stage);
        if matches!(stage, Next::Done | Next::Stop(_)) {
            return course;
        }
        assert!(course.len() < 30, "it never ends: {course:?}");
        carry_out(&mut said, stage);
    }
}

#[test]
fn an_empty_card_goes_through_all_stages() {
    let mut said = begun();
    (said.server.request, said.allowed.create) = (None, true);
    let expected = [
        Next::Create,
        Next::AwaitApproval,
        Next::Bind,
        Next::ReplaceAdminKey,
        Next::ProveAdminKey,
        Next::SetPin,
        Next::Generate(0),
        Next::Submit,
        Next::Write(0),
        Next::Complete,
        Next::Done,
    ];
    assert_eq!(course(said), expected);
}

#[test]
fn what_a_request_does_not_want_is_left_out() {
    let plain = [Next::Bind, Next::SetPin, Next::Complete, Next::Done];
    let mut pin_only = begun();
    (pin_only.server.diversifies, pin_only.card.slots) = (false, vec![]);
    assert_eq!(course(pin_only), plain);

    for (purpose, stages) in [(Purpose::Unblock, &[Next::SetPin][..]), (Purpose::Retire, &[Next::Retire][..])] {
        let mut said = begun();
        said.server.request = Some(request(purpose, RequestStatus::Approved, BoundTo::ThisCard));
        said.card.slots[0] = SlotSays {
            key: Some(THEIRS),
            has_certificate: true,
            has_our_certificate: purpose == Purpose::Unblock,
            ..SlotSays::default()
        };
        assert_eq!(course(said), [stages, &[Next::Complete, Next::Done]].concat(), "{purpose:?}");
    }

    let mut two = begun();
    two.card.slots.push(SlotSays::default());
    let pairs: Vec<_> = course(two).into_iter().skip(4).collect();
    let expected = [
        Next::Generate(0),
        Next::Generate(1),
        Next::Submit,
        Next::Write(0),
        Next::Write(1),
        Next::Complete,
        Next::Done,
    ];
    assert_eq!(pairs, expected);
}

#[test]
fn what_is_to_be_erased_is_erased_once_and_before_the_card_is_retired() {
    let mut said = begun();
    said.server.request = Some(request(Purpose::Retire, RequestStatus::Approved, BoundTo::ThisCard));
    said.allowed.wipe = true;
    assert_eq!(course(said.clone()), [Next::Wipe, Next::Retire, Next::Complete, Next::Done]);
    // Asked for by a rerun: the server has retired the card already.
    said.server.card_is_retired = true;
    assert_eq!(course(said.clone()), [Next::Wipe, Next::Complete, Next::Done]);
    note_begun(&mut said, Next::Wipe);
    assert_eq!(next(&said), Next::Wipe, "cut off");
    said.card.admin_key = AdminKeyOnCard::Unknown;
    assert_eq!(next(&said), Next::Wipe, "the PIN gives the right");
    said.card.wants_admin_key_to_erase = true;
    assert_eq!(next(&said), Next::Stop(Why::AdminKeyUnknown));
    said.journal.wipe = Noted::Done;
    assert_eq!(next(&said), Next::Complete);
}

/// The table of the manual: one thing that is said, and what follows.
#[test]
fn each_word_has_its_consequence() {
    use RequestStatus::{Approved, Canceled, Completed, Denied, Executing, Failed, Pending, Unknown};
    let with = |change: fn(&mut Said)| {
        let mut said = begun();
        said.server.request.as_mut().unwrap().bound = BoundTo::ThisCard;
        change(&mut said);
        next(&said)
    };
    let status = |status, bound| {
        let mut said = begun();
        said.server.request = Some(request(Purpose::Enroll, status, bound));
        next(&said)
    };
    for closed in [Denied, Failed, Canceled, Unknown(0), Unknown(99)] {
        assert_eq!(status(closed, BoundTo::Nothing), Next::Stop(Why::Closed(closed)));
    }
    assert_eq!(status(Pending, BoundTo::Nothing), Next::AwaitApproval);
    assert_eq!(status(Pending, BoundTo::AnotherCard), Next::Stop(Why::AnotherCard));
    assert_eq!(status(Approved, BoundTo::AnotherCard), Next::Stop(Why::AnotherCard));
    assert_eq!(status(Executing, BoundTo::Nothing), Next::Bind);
    assert_eq!(status(Completed, BoundTo::ThisCard), Next::Stop(Why::CompletedElsewhere));
    assert_eq!(status(Completed, BoundTo::AnotherCard), Next::Stop(Why::AnotherCard));

    let unbound = |change: fn(&mut Said)| {
        let mut said = begun();
        change(&mut said);
        next(&said)
    };
    assert_eq!(unbound(|said| said.server.in_use_elsewhere = true), Next::Stop(Why::InUse));
    assert_eq!(unbound(|said| (said.server.in_use_elsewhere, said.allowed.reuse) = (true, true)), Next::Bind);
    assert_eq!(unbound(|said| said.server.request = None), Next::Stop(Why::NoRequest));
    assert_eq!(
        unbound(|said| said.server.request.as_mut().unwrap().purpose = Purpose::Unblock),
        Next::Stop(Why::AnotherCard)
    );

    assert_eq!(with(|said| said.card.admin_key = AdminKeyOnCard::Diversified), Next::SetPin);
    assert_eq!(with(|said| said.card.admin_key = AdminKeyOnCard::Unknown), Next::Stop(Why::AdminKeyUnknown));
    assert_eq!(with(|said| said.server.diversifies = false), Next::SetPin);

    let keyed = |change: fn(&mut Said)| {
        let mut said = begun();
        said.server.request.as_mut().unwrap().bound = BoundTo::ThisCard;
        (said.server.diversifies, said.journal.pin_verified, said.pin_at_hand) = (false, true, true);
        change(&mut said);
        next(&said)
    };
    let in_use = Next::Stop(Why::SlotInUse(0));
    assert_eq!(keyed(|said| said.card.slots[0].key = Some(THEIRS)), in_use);
    assert_eq!(keyed(|said| said.card.slots[0].has_certificate = true), in_use);
    assert_eq!(keyed(|said| (said.card.slots[0].key, said.allowed.erase) = (Some(THEIRS), true)), Next::Generate(0));
    let made = |said: &mut Said, key| {
        said.journal.pairs = vec![NotedPair { generation: Noted::Done, made: Some(OURS), ..NotedPair::default() }];
        said.card.slots[0].key = key;
    };
    let gone = |key, submission| {
        let mut said = begun();
        said.server.request.as_mut().unwrap().bound = BoundTo::ThisCard;
        (said.server.diversifies, said.journal.pin_verified, said.pin_at_hand) = (false, true, true);
        made(&mut said, key);
        said.journal.submission = submission;
        next(&said)
    };
    assert_eq!(gone(Some(OURS), Noted::Nothing), Next::Submit);
    assert_eq!(gone(Some(THEIRS), Noted::Nothing), in_use);
    assert_eq!(gone(None, Noted::Nothing), Next::Generate(0));
    for submission in [Noted::Begun, Noted::Done] {
        assert_eq!(gone(Some(THEIRS), submission), Next::Stop(Why::KeyGone(0)));
        assert_eq!(gone(None, submission), Next::Stop(Why::KeyGone(0)));
    }
}

#[test]
fn certificates_that_somebody_else_was_issued_are_not_asked_for_again() {
    let mut said = begun();
    let until = |said: &mut Said, stage| {
        while next(said) != stage {
            let now = next(said);
            carry_out(said, now);
        }
    };
    until(&mut said, Next::Submit);
    said.server.has_issued = true;
    assert_eq!(next(&said), Next::Stop(Why::IssuedElsewhere));
}

/// The process ends in the middle of each stage, which was carried out or not: what follows is never a second POST, never an
/// unasked loss, and where it goes on it comes to the same end.
#[test]
fn a_job_cut_off_in_any_stage_goes_on_where_the_truth_is_or_stops() {
    let mut start = begun();
    (start.server.request, start.allowed.create) = (None, true);
    let stages = course(start.clone());
    let mut said = start;
    for stage in &stages[..stages.len() - 1] {
        for was_done in [false, true] {
            let mut cut_off = said.clone();
            note_begun(&mut cut_off, *stage);
            let noted = cut_off.journal.clone();
            if was_done {
                carry_out(&mut cut_off, *stage);
                // What the world did shows, and the journal has only the beginning.
                cut_off.journal = noted;
                cut_off.journal.pin_verified |= *stage == Next::SetPin;
                if *stage == Next::ReplaceAdminKey {
                    cut_off.card.admin_key = AdminKeyOnCard::Unknown;
                }
            }
            // A new process has no PIN.
            cut_off.pin_at_hand = false;
            let needs_pin = cut_off.card.slots.iter().any(|slot| !slot.has_our_certificate);
            let course = course(cut_off);
            let case = format!("{stage:?}, done: {was_done}: {course:?}");
            let stop = match (stage, was_done) {
                (Next::Create, false) => Some(Why::RequestLost),
                (Next::Bind, false) => Some(Why::BindLost),
                (Next::ReplaceAdminKey, _) => Some(Why::AdminKeyUnknown),
                (Next::Submit, _) => Some(Why::CertificatesLost),
                _ => None,
            };
            assert_eq!(course.last(), Some(&stop.map_or(Next::Done, Next::Stop)), "{case}");
            assert_eq!(course.contains(&Next::SetPin), needs_pin && stop.is_none(), "{case}");
            if matches!(stage, Next::Create | Next::Bind | Next::Submit) {
                assert!(!course.contains(stage), "a second POST: {case}");
            }
            if *stage == Next::Generate(0) {
                assert_eq!(course.contains(stage), !was_done, "{case}");
                assert_eq!(course.contains(&Next::Adopt(0)), was_done, "{case}");
            }
        }
        carry_out(&mut said, *stage);
    }
}

#[test]
fn a_persons_word_opens_an_admin_key_that_nobody_knew() {
    let mut said = begun();
    said.server.request.as_mut().unwrap().bound = BoundTo::ThisCard;
    said.journal.admin_key = Noted::Begun;
    for (key, expected) in [
        (AdminKeyOnCard::Unknown, Next::Stop(Why::AdminKeyUnknown)),
        (AdminKeyOnCard::Default, Next::ReplaceAdminKey),
        (AdminKeyOnCard::Diversified, Next::ProveAdminKey),
    ] {
        said.card.admin_key = key;
        assert_eq!(next(&said), expected);
    }
}

#[test]
fn a_key_of_another_container_than_the_noted_one_is_somebody_elses() {
    let named = |name: &str| Some(name.to_owned());
    for (noted, there, erase, expected) in [
        (named("{ours}"), named("{ours}"), false, Next::Adopt(0)),
        (None, None, false, Next::Adopt(0)),
        (named("{ours}"), named("{theirs}"), false, Next::Stop(Why::SlotInUse(0))),
        (named("{ours}"), named("{theirs}"), true, Next::Generate(0)),
        (named("{ours}"), None, false, Next::Stop(Why::SlotInUse(0))),
        // What was noted before such names were.
        (None, named("{theirs}"), false, Next::Stop(Why::SlotInUse(0))),
    ] {
        let case = format!("{noted:?} {there:?} {erase}");
        let mut said = begun();
        said.server.request.as_mut().unwrap().bound = BoundTo::ThisCard;
        said.allowed.erase = erase;
        (said.journal.pin_verified, said.pin_at_hand) = (true, true);
        (said.journal.admin_key, said.journal.admin_key_proved) = (Noted::Done, true);
        said.journal.pairs = vec![NotedPair { generation: Noted::Begun, container: noted, ..NotedPair::default() }];
        said.card.slots[0] = SlotSays { key: Some(THEIRS), container: there, ..SlotSays::default() };
        said.card.slots.truncate(1);
        assert_eq!(next(&said), expected, "{case}");
    }
}
