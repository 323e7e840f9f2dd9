//! A realm, Apache, the stand-in behind it, and callers with an environment of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pinwright::sim::server::{SeenRequest, Settings, StandIn, TlsKind};
use serde_json::Value;
use support::kerberos::{Apache, Ccache, Realm, Site};
use uuid::{Uuid, uuid};

pub const CARD_ID: Uuid = uuid!("bc88f13f-83ba-4037-8262-46eba1291c6e");
const ATR: &str = "3b8d0180fba000000397425446590301c8";

/// All of it.
pub struct Bed {
    pub realm: Realm,
    pub apache: Apache,
    pub server: StandIn,
    url: String,
}

impl Bed {
    /// With Apache as `site` says; `None` where it can't be done here.
    #[track_caller]
    pub fn start(site: &Site) -> Option<Self> {
        support::kerberos::is_here().then(|| Self::over(Realm::start(), site))
    }

    /// The same in a realm that is there already.
    pub fn over(realm: Realm, site: &Site) -> Self {
        let mut settings = Settings::for_card(CARD_ID, ATR, [7; 24]);
        settings.tls = TlsKind::PlainHttp;
        let server = StandIn::start(settings).unwrap();
        let apache = Apache::start(&realm, &server.base_url(), site);
        let url = apache.url(&server.base_url());
        Self { realm, apache, server, url }
    }

    /// Somebody who calls this server.
    pub fn caller(&self) -> Caller<'_> {
        Caller::of(&self.realm, &self.url, Some(self.apache.ca_file()))
    }

    /// The users whom the server has seen, one for each call that came through.
    pub fn users(&self) -> Vec<String> {
        let user = |seen: SeenRequest| seen.header("x-remote-user").unwrap_or("nobody").to_owned();
        self.server.requests().into_iter().map(user).collect()
    }
}

/// A process that calls a server.
pub struct Caller<'a> {
    realm: &'a Realm,
    server: String,
    agent: String,
    variables: Vec<(&'static str, String)>,
}

impl<'a> Caller<'a> {
    /// With nobody's tickets.
    pub fn of(realm: &'a Realm, url: &str, ca_file: Option<PathBuf>) -> Self {
        let ca = ca_file.map_or(String::new(), |path| format!("ca_file = \"{}\"\n", path.display()));
        Self::configured(realm, format!("auth = \"negotiate\"\nurl = \"{url}\"\n{ca}"))
    }

    /// With these lines of `[server]`.
    pub fn configured(realm: &'a Realm, lines: String) -> Self {
        let server = format!("[server]\n{lines}");
        Self { realm, server, agent: String::new(), variables: Vec::new() }
    }

    /// With these tickets.
    pub fn tickets(self, cache: &Ccache) -> Self {
        let cache = cache.0.clone();
        self.variable("KRB5CCNAME", &cache)
    }

    /// As the agent with this keytab is, once it has started itself anew.
    pub fn keytab(mut self, path: &Path) -> Self {
        self.agent.push_str(&format!("keytab_file = \"{}\"\n", path.display()));
        self.variable("KRB5_CLIENT_KTNAME", &format!("FILE:{}", path.display()))
            .variable("KRB5CCNAME", "MEMORY:pinwright")
            .variable("GSS_MECH_CONFIG", "/dev/null")
    }

    /// With one more line of `[server]`.
    pub fn key(mut self, line: &str) -> Self {
        self.server.push_str(line);
        self.server.push('\n');
        self
    }

    /// With one more line of `[agent]`.
    pub fn agent_key(mut self, line: &str) -> Self {
        self.agent.push_str(line);
        self.agent.push('\n');
        self
    }

    /// With one more variable.
    pub fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Makes these calls, one after the other, and tells what became of each.
    #[track_caller]
    pub fn calls(&self, words: &str) -> Called {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        std::fs::write(&config, format!("{}[agent]\n{}", self.server, self.agent)).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "caller::plays_the_caller", "--ignored", "--nocapture"]).stdin(Stdio::null());
        self.realm.furnish(&mut command);
        command.env("CALLER_CONFIG", &config).env("CALLER_CALLS", words);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let started = Instant::now();
        let output = command.output().unwrap();
        let (out, log) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{out}\n{log}");
        let answers = out.lines().filter_map(|line| line.strip_prefix("caller: "));
        let answers = answers.map(|line| serde_json::from_str(line).unwrap()).collect();
        Called { answers, elapsed: started.elapsed(), log }
    }

    /// One call that has to fail: what a person reads of it.
    #[track_caller]
    pub fn fails(&self) -> Failed {
        let called = self.calls("requests");
        let answer = called.only();
        assert_eq!(answer["outcome"], "failed", "{answer}");
        Failed {
            text: answer["text"].as_str().unwrap().to_owned(),
            remedy: answer["remedy"].as_str().unwrap().to_owned(),
            exit: answer["exit"].as_i64().unwrap(),
            elapsed: called.elapsed,
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What became of calls.
pub struct Called {
    pub answers: Vec<Value>,
    pub elapsed: Duration,
    /// At trace level.
    pub log: String,
}

impl Called {
    /// The answer to a single call.
    #[track_caller]
    pub fn only(&self) -> &Value {
        assert_eq!(self.answers.len(), 1, "{:?}\n{}", self.answers, self.log);
        &self.answers[0]
    }

    /// All went well.
    #[track_caller]
    pub fn succeed(&self) -> &Self {
        assert!(
            !self.answers.is_empty() && self.answers.iter().all(|answer| answer["outcome"] == "done"),
            "{:?}",
            self.answers
        );
        self
    }
}

/// A failed call.
#[derive(Debug)]
pub struct Failed {
    pub text: String,
    pub remedy: String,
    pub exit: i64,
    pub elapsed: Duration,
}

impl Failed {
    /// Insists on parts of error and remedy, and on the exit code.
    #[track_caller]
    pub fn says(&self, text: &str, remedy: &str, exit: i64) -> &Self {
        assert!(self.text.contains(text), "{text:?}: {self:?}");
        assert!(self.remedy.contains(remedy), "{remedy:?}: {self:?}");
        assert_eq!(self.exit, exit, "{self:?}");
        self
    }
}
