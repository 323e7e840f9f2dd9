//! The command, held at its last word: standard output is a pipe that is full, so the print of the result, which comes when
//! the job is over, does not return. Nothing in the program is changed or stopped for it, and its memory is as it is then.

use std::fs::{self, File};
use std::io::{PipeReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};

use super::canary_setup::CanarySetup;
use super::forms::Canary;
use super::scan::Hit;
use super::subject::Subject;

const PATIENCE: Duration = Duration::from_secs(60);

/// A command that wants to print its result and can't.
pub struct Held {
    child: Child,
    out: PipeReader,
    filled: usize,
    errors: PathBuf,
    subject: Subject,
}

/// How it ended when it could.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
}

impl Held {
    /// Runs it until it is held.
    pub fn new(setup: &CanarySetup, arguments: &[&str]) -> Self {
        let mut command = Command::new("setsid");
        command.arg(env!("CARGO_BIN_EXE_pinwright"));
        let held = Self::start(setup, command, arguments, Stdio::null());
        held.wait();
        held
    }

    /// Starts a program that becomes the command.
    pub fn start(setup: &CanarySetup, mut command: Command, arguments: &[&str], input: Stdio) -> Self {
        let (out, mut full) = std::io::pipe().expect("a pipe");
        let filled = fill(&mut full);
        let errors = setup.installation.path("stderr");
        setup.installation.furnish(&mut command, &setup.pcscd.socket());
        let subject = Subject::new(&mut command);
        command
            .args(arguments)
            .env("TMPDIR", setup.installation.path("tmp"))
            .current_dir(setup.installation.path("tmp"))
            .stdin(input)
            .stdout(Stdio::from(full))
            .stderr(File::create(&errors).expect("a file for stderr"));
        Self { child: command.spawn().expect("the command starts"), out, filled, errors, subject }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Until it waits in a call on standard output.
    pub fn wait(&self) {
        let deadline = Instant::now() + PATIENCE;
        // The first argument of the call that the process sleeps in: no other call of ours has 1 there.
        let writes = || {
            let call = fs::read_to_string(format!("/proc/{}/syscall", self.id())).unwrap_or_default();
            call.split_whitespace().nth(1) == Some("0x1")
        };
        while !writes() {
            let errors = fs::read_to_string(&self.errors).unwrap_or_default();
            assert!(Instant::now() < deadline, "it never prints a result: {errors}");
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
            assert!(!stat.contains(") Z "), "it ended without a result: {errors}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What is in its memory now.
    pub fn scan(&self, canaries: &[Canary]) -> Vec<Hit> {
        self.subject.scan(self.id(), canaries)
    }

    /// What is in a core that is taken of it now; `None` without gdb.
    pub fn core(&self, setup: &CanarySetup, canaries: &[Canary]) -> Option<Vec<Hit>> {
        self.subject.core(self.id(), &setup.installation.path("tmp"), canaries)
    }

    /// Ends it by a signal that leaves a core where one is allowed.
    pub fn abort(mut self) -> ExitStatus {
        let id = Pid::from_raw(self.id().cast_signed()).expect("an id");
        kill_process(id, Signal::ABORT).expect("it runs");
        self.child.wait().expect("it ends")
    }

    /// Lets it print and end.
    pub fn release(mut self) -> Ended {
        let mut filling = vec![0; self.filled];
        self.out.read_exact(&mut filling).expect("what was filled in comes out");
        let mut stdout = Vec::new();
        self.out.read_to_end(&mut stdout).expect("the result comes out");
        Ended { status: self.child.wait().expect("it ends"), stdout }
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
