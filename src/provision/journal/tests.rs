use super::*;

fn record(card_id: u128) -> Record {
    Record {
        schema: String::new(),
        id: new_id(),
        started: String::new(),
        changed: String::new(),
        point: Point::Authorizing,
        reader: "Desk 1".to_owned(),
        atr: "3b80".to_owned(),
        card_id: Uuid::from_u128(card_id),
        smartcard: Uuid::from_u128(2),
        request: None,
        authority: "server".to_owned(),
        pin_source: "server".to_owned(),
        stopped_at: None,
        status_word: None,
    }
}

fn journal() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("state/pinwright"), Duration::from_secs(3600));
    (folder, journal)
}

#[test]
fn a_record_is_on_disk_private_and_found_again() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, journal) = journal();
    assert!(journal.history().unwrap().records.is_empty());
    let claim = journal.claim(Uuid::from_u128(1)).unwrap();
    let mut entry = claim.begin(record(1)).unwrap();
    entry.reach(Point::Setting).unwrap();
    let path = journal.file(&entry.record);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(journal.folder()).unwrap().permissions().mode() & 0o777, 0o700);
    let found = claim.unsettled().unwrap();
    assert_eq!(found.iter().map(|record| record.point).collect::<Vec<_>>(), [Point::Setting]);
    assert_eq!(journal.claim(Uuid::from_u128(3)).unwrap().unsettled().unwrap(), []);
}

#[test]
fn the_second_process_on_a_card_is_told() {
    let (_folder, journal) = journal();
    let claim = journal.claim(Uuid::from_u128(1)).unwrap();
    assert!(matches!(journal.claim(Uuid::from_u128(1)), Err(JournalError::Busy { .. })));
    assert!(journal.claim(Uuid::from_u128(2)).is_ok());
    drop(claim);
    assert!(journal.claim(Uuid::from_u128(1)).is_ok());
}

#[test]
fn a_good_end_settles_what_came_before_and_only_for_its_card() {
    let (_folder, journal) = journal();
    let claim = journal.claim(Uuid::from_u128(1)).unwrap();
    drop(claim.begin(record(1)).unwrap());
    let other = journal.claim(Uuid::from_u128(9)).unwrap();
    drop(other.begin(record(9)).unwrap());
    let earlier = claim.unsettled().unwrap();
    let mut entry = claim.begin(record(1)).unwrap();
    entry.reach(Point::Done).unwrap();
    entry.settle(&earlier).unwrap();
    let points: Vec<Point> = journal.history().unwrap().records.iter().map(|record| record.point).collect();
    assert_eq!(points.iter().filter(|point| **point == Point::Resolved).count(), 1);
    assert_eq!(points.iter().filter(|point| point.is_open()).count(), 1);
    assert_eq!(other.unsettled().unwrap().len(), 1);
}

#[test]
fn a_doubt_is_not_hidden_by_a_later_job_that_wrote_nothing() {
    let (_folder, journal) = journal();
    let claim = journal.claim(Uuid::from_u128(1)).unwrap();
    let begin = |id: &str, point| {
        let record = Record { id: id.to_owned(), ..record(1) };
        let mut entry = claim.begin(record).unwrap();
        entry.reach(point).unwrap();
    };
    begin("a", Point::Authorizing);
    assert_eq!(most_doubtful(&claim.unsettled().unwrap()).unwrap().id, "a");
    begin("b", Point::Setting);
    begin("c", Point::Unclear);
    begin("d", Point::Untouched);
    begin("e", Point::Authorizing);
    assert_eq!(most_doubtful(&claim.unsettled().unwrap()).unwrap().id, "c");
}

#[test]
fn what_a_crash_left_half_written_goes_after_a_while() {
    let (_folder, journal) = journal();
    let claim = journal.claim(Uuid::from_u128(1)).unwrap();
    let entry = claim.begin(record(1)).unwrap();
    let (old, young) = (journal.folder().join("old.new"), journal.folder().join("young.new"));
    fs::write(&young, "{").unwrap();
    let file = File::create(&old).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(86_400)).unwrap();
    entry.settle(&[]).unwrap();
    assert!(!old.exists() && young.exists(), "another process may be writing the young one");
}

#[test]
fn old_settled_records_go_and_open_ones_stay() {
    let (_folder, journal) = journal();
    let claim = journal.claim(Uuid::from_u128(1)).unwrap();
    let mut old = record(1);
    SCHEMA.clone_into(&mut old.schema);
    old.started = "2020-01-01T00:00:00Z".to_owned();
    old.changed.clone_from(&old.started);
    let open = Record { id: "open-1".to_owned(), card_id: Uuid::from_u128(7), ..old.clone() };
    let done = Record { point: Point::Done, ..old };
    for record in [&done, &open] {
        journal.write(record).unwrap();
        let file = File::options().write(true).open(journal.file(record)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800)).unwrap();
    }
    let entry = claim.begin(record(1)).unwrap();
    entry.settle(&[]).unwrap();
    let ids: Vec<String> = journal.history().unwrap().records.into_iter().map(|record| record.id).collect();
    assert_eq!(ids, ["open-1".to_owned(), entry.id().to_owned()]);
}

#[test]
fn what_is_no_record_is_named_and_survived() {
    let (_folder, journal) = journal();
    drop(journal.claim(Uuid::from_u128(1)).unwrap());
    for (name, text) in [("a.json", "{"), ("b.json", "{\"schema\":\"pinwright.journal/2\"}"), ("c.json", "\u{0}")] {
        fs::write(journal.folder().join(name), text).unwrap();
    }
    fs::write(journal.folder().join("d.json"), vec![b'x'; 20_000]).unwrap();
    let history = journal.history().unwrap();
    assert_eq!((history.records.len(), history.unreadable.len()), (0, 4));
}

#[test]
fn a_record_of_the_card_that_can_not_be_read_is_no_absence() {
    let (_folder, journal) = journal();
    let (card, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let claim = journal.claim(card).unwrap();
    let entry = claim.begin(record(1)).unwrap();
    let path = journal.file(&claim.records().unwrap()[0]);
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    let error = claim.records().unwrap_err();
    assert!(matches!(&error, JournalError::Unreadable { file, .. } if file.contains(entry.id())), "{error}");
    // Another card is none of its business.
    assert!(journal.of_card(other).unwrap().is_empty());
}
