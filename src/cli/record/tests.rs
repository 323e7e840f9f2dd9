use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::exit::Exit;
use crate::job::effect::{Change, Effect};
use crate::job::{Cause, Failure, Step};
use crate::os::testing;
use crate::reader::Readers;
use crate::reader::replay::Replay;
use crate::reader::traffic::Meter;

/// What was said and printed, and how it ended.
struct Told {
    out: String,
    err: String,
    result: Result<(), CliError>,
}

fn tell(work: impl FnOnce(&mut CommandContext<'_>) -> Result<(), CliError>) -> Told {
    let mut out = Vec::new();
    let (err, result) = tell_to(&mut out, work);
    Told { out: String::from_utf8(out).unwrap(), err, result }
}

fn tell_to(
    out: &mut dyn Write,
    work: impl FnOnce(&mut CommandContext<'_>) -> Result<(), CliError>,
) -> (String, Result<(), CliError>) {
    let mut err = Vec::new();
    let mut context = CommandContext {
        readers: None,
        environment: Vec::new(),
        out,
        err: &mut err,
        screen: Default::default(),
        colours: Default::default(),
        tells_progress: false,
        may_prompt: false,
        interrupted: Arc::new(AtomicBool::new(false)),
    };
    let result = work(&mut context);
    (String::from_utf8(err).unwrap(), result)
}

fn arguments(out: PathBuf, reader: Option<&str>) -> RecordArgs {
    let mut job = JobArgs::default();
    job.choice.reader = reader.map(str::to_owned);
    RecordArgs { out, operation: RecordedOperation::Inspect, card: "none".to_owned(), job }
}

/// Inspects a card that knows one command: the SELECT that finds it.
fn inspect(args: &RecordArgs) -> Told {
    let card = "# fixture: 1\n# atr: 3B80800101\n\n> 00A4040009A0000003080000100000\n< 6982\n";
    let replay = Replay::new(card.parse().unwrap()).unwrap();
    let readers: &dyn Readers = &replay;
    tell(|context| {
        run(&Config::from_toml("").unwrap(), args, false, MeteredReaders { readers, meter: &Meter::default() }, context)
    })
}

/// Concludes with a recording on a disk that is full; `None` where the system has none.
fn concluded(path: &std::path::Path, end: OperationEnd) -> Option<Told> {
    let file = testing::full_disk()?;
    std::fs::write(path, "").unwrap();
    let out = RecordingFile { path: path.to_owned(), file };
    let nothing = Fixture { headers: Vec::new(), exchanges: Vec::new() };
    Some(tell(|context| conclude(out, nothing, &arguments(path.to_owned(), None), end, false, context)))
}

#[test]
fn a_file_without_a_recording_does_not_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.apdu");
    let told = inspect(&arguments(path.clone(), Some("no such reader")));
    assert!(matches!(told.result, Err(CliError::Choice(_))), "{:?}", told.result);
    assert!(!path.exists());
    // Nothing is in the way of the next one, and a failure is a recording.
    let told = inspect(&arguments(path.clone(), None));
    assert!(matches!(told.result, Err(CliError::Failure(_))), "{:?}", told.result);
    assert!(std::fs::read_to_string(&path).unwrap().contains("\n< 6982"));
}

#[test]
fn a_recording_that_is_there_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.apdu");
    std::fs::write(&path, "kept").unwrap();
    assert!(matches!(inspect(&arguments(path.clone(), None)).result, Err(CliError::File { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
}

#[test]
fn a_full_disk_does_not_hide_that_the_card_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.apdu");
    let done = Some("the job is done: card 1 has its new PIN".to_owned());
    let Some(told) =
        concluded(&path, OperationEnd { outcome: Some("done".to_owned()), done, ..OperationEnd::default() })
    else {
        return;
    };
    let error = told.result.unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    let text = error.to_string();
    assert!(text.contains("card 1 has its new PIN, but the recording can't be written to"), "{text}");
    assert!(told.out.is_empty() && !path.exists());
}

#[test]
fn an_output_that_is_full_does_not_hide_that_the_card_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.apdu");
    let done = Some("the job is done: card 1 has its new PIN".to_owned());
    let end = OperationEnd { outcome: Some("done".to_owned()), done, ..OperationEnd::default() };
    let nothing = Fixture { headers: Vec::new(), exchanges: Vec::new() };
    let Some(mut full) = testing::full_disk() else { return };
    let out = RecordingFile::create(path.clone()).unwrap();
    let arguments = arguments(path.clone(), None);
    let (_, result) = tell_to(&mut full, |context| conclude(out, nothing, &arguments, end, false, context));
    let text = result.unwrap_err().to_string();
    assert!(text.starts_with("the job is done: card 1 has its new PIN, but the result can't be written"), "{text}");
    assert!(path.exists());
}

#[test]
fn a_full_disk_does_not_hide_how_the_job_failed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.apdu");
    let failure = Failure {
        effect: Effect { pin: Change::Unknown, ..Effect::default() },
        ..Failure::before_any_effect(Step::Verify, "Reader", None, Cause::Interrupted)
    };
    let Some(told) = concluded(&path, CliError::from(failure).into()) else { return };
    assert_eq!(told.result.unwrap_err().exit(), Exit::Attention);
    assert!(told.err.starts_with("warning: the recording could not be written to"), "{}", told.err);
}
