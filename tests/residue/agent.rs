//! A worker as seen from outside.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use support::worker::{ANSWER, serve};

use super::canary_setup::CanarySetup;
use super::forms::Canary;
use super::scan::Hit;
use super::subject::Subject;

const TOLD: &str = "RESIDUE_WORKER";

pub struct Agent {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    subject: Subject,
}

impl Agent {
    /// This program again, as a worker.
    pub fn new(setup: &CanarySetup) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.args(["--exact", "agent::the_worker", "--nocapture", "--test-threads", "1"]).env(TOLD, "1");
        Self::start(setup, command)
    }

    /// A program that takes the same orders.
    pub fn start(setup: &CanarySetup, mut command: Command) -> Self {
        let subject = Subject::new(&mut command);
        command
            .env("PCSCLITE_CSOCK_NAME", setup.pcscd.socket())
            .env("HOME", setup.installation.path("."))
            .env("XDG_STATE_HOME", setup.installation.path("state"))
            .env("RUST_BACKTRACE", "0")
            .env("TMPDIR", setup.installation.path("tmp"))
            .current_dir(setup.installation.path("tmp"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(setup.installation.path("worker-stderr")).expect("a file for stderr"));
        let mut child = command.spawn().expect("the worker starts");
        let input = child.stdin.take().expect("it was asked for");
        let output = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut agent = Self { child, input, output, subject };
        assert_eq!(agent.answer(), "ready");
        agent
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Runs one command line in it: the exit code, or `panicked`.
    pub fn job(&mut self, setup: &CanarySetup, arguments: &[&str], more: Value) -> String {
        let config = setup.installation.path("config.toml");
        let mut all = vec!["pinwright".to_owned(), "--config".to_owned(), config.display().to_string()];
        all.extend(arguments.iter().map(ToString::to_string));
        let mut order = json!({ "arguments": all, "out": setup.installation.path("stdout"), "err": setup.installation.path("stderr") });
        for (key, value) in more.as_object().into_iter().flatten() {
            order[key] = value.clone();
        }
        self.order(&order)
    }

    pub fn order(&mut self, order: &Value) -> String {
        writeln!(self.input, "{order}").expect("the worker listens");
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.output.read_line(&mut line).expect("the worker talks") > 0, "the worker has ended");
            if let Some(answer) = line.trim_end().strip_prefix(ANSWER) {
                return answer.to_owned();
            }
        }
    }

    /// What of the secrets is in its memory now.
    pub fn scan(&self, canaries: &[Canary]) -> Vec<Hit> {
        self.subject.scan(self.id(), canaries)
    }

    /// What is in a core that is taken of it now; `None` without gdb.
    pub fn core(&self, setup: &CanarySetup, canaries: &[Canary]) -> Option<Vec<Hit>> {
        self.subject.core(self.id(), &setup.installation.path("tmp"), canaries)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Both fail where it has ended, as it should not have.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// No test: what [`Agent::new`] starts.
#[test]
fn the_worker() {
    if std::env::var_os(TOLD).is_some() {
        serve(true).expect("the parent's orders are readable");
    }
}
