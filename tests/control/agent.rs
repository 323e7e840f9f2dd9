//! An agent without readers: the real socket, and a loop that answers and tells events on demand.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pinwright::agent::control::{Control, MAX_CLIENTS};
use pinwright::agent::report::{EVENT_SCHEMA, Event, EventKind, Snapshot, timestamp};
use pinwright::agent::{Mailbox, MailboxSender, Message, Settings, mailbox};
use pinwright::job::journal::Journal;
use pinwright::os::account::Group;
use pinwright::os::endpoint::Endpoint;
use serde_json::Value;

use support::waiting::PATIENCE;

pub struct Agent {
    pub folder: tempfile::TempDir,
    pub sender: MailboxSender,
    control: Option<Control>,
    work: Option<JoinHandle<()>>,
}

impl Agent {
    pub fn start(group: Option<Group>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::open(&folder.path().join("run/agent.sock"), group, None).unwrap();
        let (sender, mailbox) = mailbox();
        let journal = Journal::new(folder.path().join("journal"), Duration::from_secs(60));
        let control = Control::start(endpoint, group, &sender, Some(journal)).unwrap();
        let work = thread::spawn(move || serve(&mailbox));
        Self { folder, sender, control: Some(control), work: Some(work) }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("run/agent.sock")
    }

    pub fn settings(&self) -> Settings {
        Settings { control: Some(self.socket()), ..Settings::default() }
    }

    pub fn connect(&self) -> Client {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(BufReader::new(stream))
    }

    /// A client that follows; events from now on come to it.
    pub fn follower(&self) -> Client {
        let mut client = self.connect();
        client.say(&request("follow"));
        client
    }

    /// How many clients could be seated now.
    pub fn free_places(&self) -> usize {
        let mut seated: Vec<Client> = (0..MAX_CLIENTS).map(|_| self.connect()).collect();
        let answered = |client: &mut Client| {
            client.say(&request("status"));
            let answer = client.hear().expect("a line before the end");
            client.ends();
            answer["schema"] == "pinwright.agent-status/1"
        };
        seated.iter_mut().map(answered).filter(|answered| *answered).count()
    }

    /// Has the loop tell that many events.
    pub fn tell(&self, count: usize) {
        for _ in 0..count {
            self.sender.send(Message::ClockJumped).unwrap();
        }
    }

    /// Ends it as the command does: the loop first, the socket after it.
    pub fn end(&mut self) {
        // The loop has ended already where a test ends it by hand.
        let _ = self.sender.send(Message::Shutdown);
        self.work.take().map(JoinHandle::join);
        drop(self.control.take());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve(mailbox: &Mailbox) {
    let mut followers = Vec::new();
    while let Some(message) = mailbox.next() {
        match message {
            Message::Status(reply) => drop(reply.try_send(Snapshot::idle())),
            Message::Recheck(Some(reply)) => drop(reply.try_send(3)),
            Message::Follow(follower) => followers.push(follower),
            Message::ClockJumped => followers.retain(|follower| follower.send(event()).is_ok()),
            Message::Shutdown => return,
            _ => {}
        }
    }
}

fn event() -> Event {
    Event {
        schema: EVENT_SCHEMA.to_owned(),
        time: timestamp(std::time::SystemTime::now()),
        event: EventKind::ClockJumped,
        reader: None,
        detail: Some("told by the test".to_owned()),
    }
}

/// A request line.
pub fn request(command: &str) -> String {
    format!("{{\"schema\":\"pinwright.agent-control/1\",\"command\":\"{command}\"}}\n")
}

/// A client that may say anything.
pub struct Client(BufReader<UnixStream>);

impl Client {
    pub fn say(&mut self, text: &str) {
        // An agent that has turned us away does not listen.
        drop(self.0.get_mut().write_all(text.as_bytes()));
    }

    /// The next line; `None` at the end.
    pub fn hear(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    /// Nothing more will be said.
    pub fn hang_up_writing(&self) {
        self.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Why the agent said no. It says nothing else, and ends the connection.
    pub fn refusal(&mut self) -> String {
        let line = self.hear().expect("a line before the end");
        assert_eq!((&line["schema"], &line["outcome"]), (&"pinwright.agent-control/1".into(), &"failed".into()));
        assert!(line["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{line}");
        self.ends();
        line["error"]["reason"].as_str().unwrap().to_owned()
    }

    /// Insists that nothing more comes. What we have said and nobody has read makes the end a reset.
    pub fn ends(&mut self) {
        let mut rest = Vec::new();
        let end = self.0.read_to_end(&mut rest);
        assert!(end.is_ok() || end.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset);
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }
}
