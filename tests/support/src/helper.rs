//! A second process of a test: the test's own binary, run again for one test that is ignored and plays the helper.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

/// A running one; killed when dropped.
pub struct Helper(Child);

impl Helper {
    /// Runs that test, and waits until it says the word. `furnish` adds to its environment.
    pub fn start(test: &str, word: &str, furnish: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.args(["--exact", test, "--ignored", "--nocapture"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        furnish(&mut command);
        let mut helper = Self(command.spawn().expect("it starts"));
        let lines = BufReader::new(helper.0.stdout.as_mut().expect("it is piped")).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == word), "the helper does not say {word}");
        helper
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Has it go on after its wait, and end well.
    pub fn release(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().expect("it ends").success());
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Both fail where it has ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The helper's side: says the word, and waits until the test releases it or dies.
pub fn wait_for_release(word: &str) {
    // A line of its own, wherever the test harness stands.
    println!("\n{word}");
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
}
