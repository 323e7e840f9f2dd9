//! What clients get: good ones, and others.

use pinwright::agent::control::MAX_CLIENTS;
use pinwright::agent::control::client::{AskError, ask};
use pinwright::agent::control::protocol::{Command, RecheckDone};
use pinwright::agent::report::{Event, EventKind, Snapshot};
use pinwright::job::journal::Listing;

use crate::agent::{Agent, request};
use support::waiting::until;

#[test]
fn each_command_has_its_answer() {
    let agent = Agent::start(None);
    let settings = agent.settings();
    let (_, snapshot): (_, Snapshot) = ask(&settings, Command::Status).unwrap().expect().unwrap();
    assert_eq!((snapshot.schema.as_str(), snapshot.pid), ("pinwright.agent-status/1", std::process::id()));
    let (_, done): (_, RecheckDone) = ask(&settings, Command::Recheck).unwrap().expect().unwrap();
    assert_eq!(done, RecheckDone::new(3));
    let (_, listing): (_, Listing) = ask(&settings, Command::History).unwrap().expect().unwrap();
    assert_eq!((listing.schema.as_str(), listing.records.len()), ("pinwright.history/1", 0));
}

#[test]
fn a_follower_hears_each_event_until_the_agent_ends() {
    let mut agent = Agent::start(None);
    let mut events = ask(&agent.settings(), Command::Follow).unwrap();
    assert!(events.expect::<Snapshot>().is_ok(), "the state comes first");
    agent.tell(1);
    let (line, event): (String, Event) = events.line().unwrap().unwrap();
    assert_eq!(event.event, EventKind::ClockJumped);
    assert!(line.starts_with("{\"schema\":\"pinwright.agent-event/1\","), "{line}");
    agent.end();
    while events.line::<Event>().unwrap().is_some() {}
    assert!(!agent.socket().exists(), "the socket goes with the agent");
    assert!(matches!(ask(&agent.settings(), Command::Status).unwrap_err(), AskError::NotRunning { .. }));
}

#[test]
fn what_is_no_request_is_refused_and_not_repeated() {
    let agent = Agent::start(None);
    let schema = "\"schema\":\"pinwright.agent-control/1\"";
    let lines = [
        "hunter2\n".to_owned(),
        "\n".to_owned(),
        "\u{0}\u{1}\u{2}\n".to_owned(),
        "[]\n".to_owned(),
        "{\"command\":\"status\"}\n".to_owned(),
        format!("{{{schema}}}\n"),
        format!("{{{schema},\"command\":\"hunter2\"}}\n"),
        format!("{{{schema},\"command\":\"status\",\"pin\":\"hunter2\"}}\n"),
        "{\"schema\":\"pinwright.agent-control/2\",\"command\":\"status\"}\n".to_owned(),
        format!("{}{}", "[".repeat(4000), "\n"),
    ];
    for line in lines {
        let mut client = agent.connect();
        client.say(&line);
        let answer = client.hear().unwrap();
        assert_eq!(answer["error"]["reason"], "not-a-request", "{line}");
        assert!(!answer.to_string().contains("hunter2"), "{answer}");
        client.ends();
    }
}

#[test]
fn a_request_that_ends_with_the_connection_counts() {
    let agent = Agent::start(None);
    let mut client = agent.connect();
    client.say(request("status").trim_end());
    client.hang_up_writing();
    assert_eq!(client.hear().unwrap()["schema"], "pinwright.agent-status/1");
}

#[test]
fn a_line_without_an_end_is_refused() {
    let agent = Agent::start(None);
    let mut client = agent.connect();
    client.say(&"x".repeat(4097));
    assert_eq!(client.refusal(), "too-long");
    let mut client = agent.connect();
    client.say(&format!("{}{}", " ".repeat(4096), request("status")));
    assert_eq!(client.refusal(), "too-long");
}

#[test]
fn a_client_that_says_nothing_is_sent_away() {
    let agent = Agent::start(None);
    let mut silent = agent.connect();
    let mut half = agent.connect();
    half.say("{\"schema\":");
    assert_eq!(silent.refusal(), "too-slow");
    assert_eq!(half.refusal(), "too-slow");
}

#[test]
fn there_are_so_many_seats_and_each_comes_free_when_its_client_goes() {
    let agent = Agent::start(None);
    for _ in 0..3 {
        let mut followers: Vec<_> = (0..MAX_CLIENTS).map(|_| agent.follower()).collect();
        // All of them sit when each has heard the state.
        for follower in &mut followers {
            assert!(follower.hear().is_some());
        }
        assert_eq!(agent.connect().refusal(), "too-many");
        // No event is needed for a seat to come free.
        drop(followers);
        until("a free seat", || ask(&agent.settings(), Command::Status).unwrap().expect::<Snapshot>().is_ok());
        // The others, too, before they are taken again.
        until("no follower", || agent.free_places() == MAX_CLIENTS);
    }
}

#[test]
fn a_follower_that_does_not_read_is_dropped() {
    const EVENTS: usize = 20_000;
    let agent = Agent::start(None);
    let mut lazy = agent.follower();
    assert!(lazy.hear().is_some());
    agent.tell(EVENTS);
    // Others don't wait for it.
    let (_, done): (_, RecheckDone) = ask(&agent.settings(), Command::Recheck).unwrap().expect().unwrap();
    assert_eq!(done.asked, 3);
    let mut heard = 0;
    while lazy.hear().is_some() {
        heard += 1;
    }
    assert!(heard < EVENTS, "all {heard} lines were kept for it");
}
