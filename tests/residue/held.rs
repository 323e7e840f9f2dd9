//! The command, held at its last word: standard output is a pipe that is full, so the print of the result, which comes when
//! the job is over, does not return. Nothing in the program is changed or stopped for it, and its memory is as it is then.

use std::fs::{self, File};
use std::io::{PipeReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::forms::{Canary, Kind};
use super::scan::{Hit, Scanner, count};
use super::scene::Scene;

const PATIENCE: Duration = Duration::from_secs(60);

/// The variable with a control: what is in the environment is in the memory of the process.
const CONTROL: &str = "RESIDUE_CONTROL";

/// A command that wants to print its result and can't.
pub struct Held {
    child: Child,
    out: PipeReader,
    filled: usize,
    errors: PathBuf,
    control: Canary,
}

/// How it ended when it could.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
}

impl Held {
    /// Runs it until it is held.
    pub fn new(scene: &Scene, arguments: &[&str]) -> Self {
        let mut command = Command::new("setsid");
        command.arg(env!("CARGO_BIN_EXE_pinwright"));
        let held = Self::start(scene, command, arguments);
        held.wait(|| Vec::new());
        held
    }

    /// Starts `program`, which becomes the command.
    pub fn start(scene: &Scene, mut command: Command, arguments: &[&str]) -> Self {
        let (out, mut full) = std::io::pipe().expect("a pipe");
        let filled = fill(&mut full);
        let errors = scene.place.path("stderr");
        scene.place.furnish(&mut command, &scene.pcscd.socket());
        let control = Canary::text(Kind::Control, 16);
        command
            .args(arguments)
            .env(CONTROL, control.as_text())
            .env("TMPDIR", scene.place.path("tmp"))
            .current_dir(scene.place.path("tmp"))
            .stdout(Stdio::from(full))
            .stderr(File::create(&errors).expect("a file for stderr"));
        Self { child: command.spawn().expect("the command starts"), out, filled, errors, control }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Until it waits in a call on standard output. `more` gives words for the case that it never does.
    pub fn wait(&self, more: impl Fn() -> Vec<u8>) {
        let deadline = Instant::now() + PATIENCE;
        // The first argument of the call that the process sleeps in: no other call of ours has 1 there.
        let writes = || {
            let call = fs::read_to_string(format!("/proc/{}/syscall", self.id())).unwrap_or_default();
            call.split_whitespace().nth(1) == Some("0x1")
        };
        while !writes() {
            let errors = fs::read_to_string(&self.errors).unwrap_or_default();
            let more = more();
            assert!(Instant::now() < deadline, "it never prints a result: {errors} {}", more.escape_ascii());
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
            assert!(!stat.contains(") Z "), "it ended without a result: {errors} {}", more.escape_ascii());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What is in its memory now. The control is, or the scan is worth nothing.
    pub fn scan(&self, canaries: &[Canary]) -> Vec<Hit> {
        self.look(canaries, |scanner| scanner.process(self.id()).expect("the memory can be read"))
    }

    /// What is in a core that is taken of it now.
    pub fn core(&self, scene: &Scene, canaries: &[Canary]) -> Option<Vec<Hit>> {
        let prefix = scene.place.path("core");
        let taken = Command::new("gcore").arg("-o").arg(&prefix).arg(self.id().to_string()).output().ok()?;
        let core = PathBuf::from(format!("{}.{}", prefix.display(), self.id()));
        assert!(core.exists(), "{}", String::from_utf8_lossy(&taken.stderr));
        let hits = self.look(canaries, |scanner| scanner.file(&core).expect("the core can be read"));
        fs::remove_file(core).expect("the core can be removed");
        Some(hits)
    }

    fn look(&self, canaries: &[Canary], scan: impl FnOnce(&Scanner) -> Vec<Hit>) -> Vec<Hit> {
        let mut wanted = canaries.to_vec();
        wanted.push(self.control.clone());
        let mut hits = scan(&Scanner::new(&wanted));
        assert!(count(&hits, Kind::Control) > 0, "the control is not found: this is not the process's memory");
        hits.retain(|hit| hit.kind != Kind::Control);
        hits
    }

    /// Lets it print and end.
    pub fn release(mut self) -> Ended {
        let mut filling = vec![0; self.filled];
        self.out.read_exact(&mut filling).expect("what was filled in comes out");
        let mut stdout = Vec::new();
        self.out.read_to_end(&mut stdout).expect("the result comes out");
        Ended { status: self.child.wait().expect("it ends"), stdout }
    }

    /// What it said so far.
    pub fn errors(&self) -> &Path {
        &self.errors
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Both fail where it has ended, as it should have.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Fills a pipe, so that the next write to it waits.
fn fill(pipe: &mut std::io::PipeWriter) -> usize {
    let flags = fcntl_getfl(&*pipe).expect("the pipe has flags");
    fcntl_setfl(&*pipe, flags | OFlags::NONBLOCK).expect("flags can be set");
    let mut filled = 0;
    while let Ok(written) = pipe.write(&[b'.'; 4096]) {
        filled += written;
    }
    while let Ok(written) = pipe.write(b".") {
        filled += written;
    }
    fcntl_setfl(&*pipe, flags).expect("flags can be set");
    filled
}
