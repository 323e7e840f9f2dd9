//! The agent's dialog with a person, through a pinentry that is a script and speaks Assuan.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pinwright::agent::pinentry::PinentrySupplier;
use pinwright::card::{PinCharacters, PinLimits};
use pinwright::job::Cause;
use pinwright::job::consent::{Proposal, Standing};
use pinwright::job::issuer::Watch;
use pinwright::job::secrets::{Need, SecretError};
use pinwright::job::supplier::Supplier;
use pinwright::secret::{AdminKey, Code, Pin};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

const LIMITS: PinLimits = PinLimits { min: 6, max: 8, characters: PinCharacters::Digits };

/// Has nothing at hand but the admin key.
struct Files;

impl Supplier for Files {
    fn at_hand(&self, need: Need) -> bool {
        need == Need::AdminKey
    }

    fn new_pin(&mut self, _: PinLimits) -> Result<Pin, SecretError> {
        panic!("not at hand")
    }

    fn standing(&self) -> Standing {
        panic!("the agent does not ask")
    }

    fn consent(&mut self, _: &Proposal<'_>, _: Watch<'_>) -> Result<(), Cause> {
        panic!("the agent does not ask")
    }

    fn current_pin(&mut self) -> Result<Pin, SecretError> {
        panic!("not at hand")
    }

    fn code(&mut self, _: Need) -> Result<Code, SecretError> {
        Err(SecretError::NoTerminal { what: "the code" })
    }

    fn admin_key(&mut self) -> Result<AdminKey, SecretError> {
        Ok(AdminKey::new(&[7; AdminKey::LENGTH]).unwrap())
    }
}

/// A pinentry that answers GETPIN with the lines of a file, each time with the next, and notes what it was told.
struct Script {
    folder: tempfile::TempDir,
    interrupted: Arc<AtomicBool>,
}

impl Script {
    /// `answers` to GETPIN in their order, `*` standing for a line end; SETREPEAT is answered with `repeat`.
    fn new(answers: &[&str], repeat: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        fs::write(folder.path().join("answers"), answers.join("\n") + "\n").unwrap();
        fs::write(folder.path().join("heard"), "").unwrap();
        let script = format!(
            r#"#!/bin/sh
env > "{path}/environment"
echo "OK Pleased to meet you"
while read -r line; do
    echo "$line" >> "{path}/heard"
    case $line in
        GETPIN)
            answer=$(head -n 1 "{path}/answers")
            sed -i 1d "{path}/answers"
            case $answer in
                hang) cat >/dev/null; exit 0 ;;
                cut*) printf '%s' "${{answer#cut}}"; exit 0 ;;
                *) echo "$answer" | tr '*' '\n' ;;
            esac
            ;;
        SETREPEAT*) echo "{repeat}" ;;
        BYE) echo OK; exit 0 ;;
        *) echo OK ;;
    esac
done
"#
        );
        let program = folder.path().join("pinentry");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        Self { folder, interrupted: Arc::default() }
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("pinentry")
    }

    fn supplier(&self) -> PinentrySupplier<Files> {
        let card = "card 3322 in reader \"Desk 100%\"\u{1b}[2J";
        PinentrySupplier::new(Files, Some(self.program()), Duration::from_secs(60), card, Arc::clone(&self.interrupted))
    }

    fn heard(&self) -> String {
        fs::read_to_string(self.folder.path().join("heard")).unwrap()
    }
}

#[test]
fn a_new_pin_is_asked_for_with_card_reader_and_limits() {
    let script = Script::new(&["D 123456*OK"], "OK");
    let pin = script.supplier().new_pin(LIMITS).unwrap();
    assert_eq!(pin.expose(), b"123456");
    let heard = script.heard();
    for part in [
        "SETTITLE Smart card PIN (pinwright)",
        "Choose a PIN for card 3322 in reader \"Desk 100%25\"[2J.%0AIt has 6 to 8 digits.",
        "SETREPEAT New PIN again:",
        "SETTIMEOUT 60",
    ] {
        assert!(heard.contains(part), "no {part:?}: {heard}");
    }
    assert!(!heard.contains('\u{1b}'), "{heard:?}");
}

#[test]
fn what_the_card_would_not_take_is_asked_for_again() {
    let script = Script::new(&["D 12345*OK", "D abcdefg*OK", "D 654321*OK"], "OK");
    assert_eq!(script.supplier().new_pin(LIMITS).unwrap().expose(), b"654321");
    let heard = script.heard();
    assert_eq!((heard.matches("GETPIN").count(), heard.matches("SETERROR").count()), (3, 2), "{heard}");
    assert!(!heard.contains("12345") && !heard.contains("abcdefg"), "{heard}");
    // The last word is the job's.
    let script = Script::new(&["D 1*OK", "D 2*OK", "D 3*OK"], "OK");
    assert_eq!(script.supplier().new_pin(LIMITS).unwrap().expose(), b"3");
}

#[test]
fn characters_that_the_protocol_escapes_come_through() {
    let script = Script::new(&["D 100%25 ab*OK"], "OK");
    let limits = PinLimits { min: 4, max: 16, characters: PinCharacters::Ascii };
    assert_eq!(script.supplier().new_pin(limits).unwrap().expose(), b"100% ab");
}

#[test]
fn a_program_that_asks_once_is_run_twice() {
    const UNKNOWN: &str = "ERR 536871187 Unknown IPC command <User defined source 1>";
    let script = Script::new(&["D 123456*OK", "D 123456*OK"], UNKNOWN);
    assert_eq!(script.supplier().new_pin(LIMITS).unwrap().expose(), b"123456");
    assert!(script.heard().contains("SETPROMPT New PIN again:"));
    let different = ["D 123456*OK", "D 123457*OK"].repeat(3);
    let script = Script::new(&different, UNKNOWN);
    assert!(matches!(script.supplier().new_pin(LIMITS).unwrap_err(), SecretError::Mismatch { .. }));
    assert!(script.heard().contains("SETERROR The two entries differ."));
}

#[test]
fn the_current_pin_is_asked_for_once() {
    let script = Script::new(&["D 1*OK"], "OK");
    assert_eq!(script.supplier().current_pin().unwrap().expose(), b"1");
    assert_eq!(script.heard().matches("GETPIN").count(), 1);
    assert!(script.heard().contains("A wrong one costs the card a try."));
    assert!(!script.heard().contains("SETREPEAT"));
}

#[test]
fn a_person_who_gives_up_or_is_away_is_told_apart() {
    let script = Script::new(&["ERR 83886179 Operation cancelled <Pinentry>"], "OK");
    assert!(matches!(script.supplier().new_pin(LIMITS).unwrap_err(), SecretError::Cancelled { .. }));
    let script = Script::new(&["ERR 83886142 Timeout <Pinentry>"], "OK");
    assert!(matches!(script.supplier().new_pin(LIMITS).unwrap_err(), SecretError::TimedOut { .. }));
}

#[test]
fn a_job_that_is_called_off_does_not_wait_for_the_person() {
    let script = Script::new(&["hang"], "OK");
    script.interrupted.store(true, Ordering::Relaxed);
    assert!(matches!(script.supplier().new_pin(LIMITS).unwrap_err(), SecretError::Cancelled { .. }));
}

#[test]
fn no_error_shows_what_was_entered() {
    // Cut off in the middle, not of the protocol, not text.
    for answer in ["cutD 87654321", "X 87654321", "D 87654321%FF*OK", "D 87654321*ERR 100 87654321"] {
        let script = Script::new(&[answer], "OK");
        let error = script.supplier().current_pin().unwrap_err();
        let shown = format!("{error:?} {error} {:?}", std::error::Error::source(&error).map(ToString::to_string));
        assert!(!shown.contains("87654"), "{answer}: {shown}");
    }
}

#[test]
fn without_a_program_nobody_is_asked() {
    let supplier = |program: Option<&str>| {
        PinentrySupplier::new(Files, program.map(PathBuf::from), Duration::from_secs(10), "card", Arc::default())
    };
    assert!(matches!(supplier(None).new_pin(LIMITS).unwrap_err(), SecretError::NoTerminal { .. }));
    assert!(matches!(supplier(None).current_pin().unwrap_err(), SecretError::NoTerminal { .. }));
    let missing = supplier(Some("/nonexistent/pinentry")).current_pin().unwrap_err();
    assert!(
        matches!(missing, SecretError::Unreadable { ref origin, .. } if origin == "/nonexistent/pinentry"),
        "{missing}"
    );
}

#[test]
fn other_secrets_come_from_where_they_are() {
    let script = Script::new(&[], "OK");
    let mut supplier = script.supplier();
    assert!(supplier.at_hand(Need::AdminKey) && !supplier.at_hand(Need::NewPin));
    assert_eq!(supplier.admin_key().unwrap().expose(), [7; AdminKey::LENGTH]);
    assert_eq!(supplier.standing(), Standing::Given);
    assert_eq!(script.heard(), "");
}

/// What is done at the end of the dialog with this program: it is logged, and so is where it works told, and marked.
struct Marks(PathBuf);

/// Address and content.
static MARKED: Mutex<Option<(u64, [u8; 16])>> = Mutex::new(None);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Marks {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut told = Told(String::new());
        event.record(&mut told);
        // Other tests have dialogs at the same time.
        if self.0.to_str().is_some_and(|program| told.0.contains(program)) {
            let mark: [u8; 16] = std::array::from_fn(|_| fastrand::u8(1..));
            // Much of it: what comes later on this stack is written over some.
            let marked = std::hint::black_box([mark; 512]);
            let address = u64::try_from(marked.as_ptr().addr()).unwrap();
            assert!(is_there(address, mark));
            *MARKED.lock().unwrap() = Some((address, mark));
        }
    }
}

/// The fields of an event.
struct Told(String);

impl tracing::field::Visit for Told {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

fn is_there(address: u64, mark: [u8; 16]) -> bool {
    let mut memory = [0; 16 * 512];
    let read = fs::File::open("/proc/self/mem").unwrap().read_exact_at(&mut memory, address);
    read.is_ok() && memory.windows(16).any(|window| window == mark)
}

#[test]
fn the_stack_of_a_dialog_is_gone_with_it() {
    let script = Script::new(&["D 123456*OK"], "OK");
    tracing_subscriber::registry().with(Marks(script.program())).init();
    assert_eq!(script.supplier().new_pin(LIMITS).unwrap().expose(), b"123456");
    let (address, mark) = MARKED.lock().unwrap().expect("the end of the dialog is logged");
    assert!(!is_there(address, mark));
}

/// What systemd tells the agent is for the agent alone. The environment of this process can't be changed, so the test runs itself in
/// another one.
#[test]
fn a_pinentry_gets_nothing_of_what_the_service_manager_said() {
    const NAMES: [&str; 6] =
        ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY", "LISTEN_FDS"];
    const MARK: &str = "of-the-service-manager";
    if std::env::var(NAMES[0]).is_ok_and(|value| value == MARK) {
        let script = Script::new(&["D 123456*OK"], "OK");
        script.supplier().new_pin(LIMITS).unwrap();
        let environment = fs::read_to_string(script.folder.path().join("environment")).unwrap();
        assert!(environment.contains("PATH=") && !environment.contains(MARK), "{environment}");
        assert!(environment.contains("DISPLAY=:7"), "what a dialog needs is there: {environment}");
        return;
    }
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "a_pinentry_gets_nothing_of_what_the_service_manager_said"]).env("DISPLAY", ":7");
    let output = again.envs(NAMES.map(|name| (name, MARK))).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
