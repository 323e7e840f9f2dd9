use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::*;
use crate::os::testing;

type Asked = io::Result<Option<SecretBytes>>;

/// The person's side of a terminal, and ours.
fn terminal() -> (File, Terminal) {
    let (person, tty) = testing::terminal().unwrap();
    (person, Terminal { tty })
}

/// Asks until something is entered.
fn ask(terminal: &mut Terminal) -> Option<Vec<u8>> {
    let entry = terminal.secret("PIN: ", &mut || true).unwrap();
    entry.map(|entry| entry.expose().to_vec())
}

/// A question that is open: the answer comes when the thread ends.
fn open_question(mut terminal: Terminal) -> JoinHandle<(Terminal, Asked)> {
    let (tell, told) = mpsc::channel();
    let asking = thread::spawn(move || {
        let answer = terminal.secret("PIN: ", &mut || {
            // Heard once; after that nobody listens.
            tell.send(()).ok();
            true
        });
        (terminal, answer)
    });
    // The terminal is silent now.
    told.recv().unwrap();
    asking
}

/// What the terminal has shown, up to an end of line: it comes in one piece or in several.
fn shown(person: &mut File) -> String {
    let mut shown = Vec::new();
    let mut piece = [0; 1000];
    while !shown.ends_with(b"\n") {
        let length = person.read(&mut piece).unwrap();
        shown.extend_from_slice(&piece[..length]);
    }
    String::from_utf8(shown).unwrap()
}

/// What the next program reads when the person then enters `line`.
fn next_line(person: &mut File, terminal: &Terminal, line: &[u8]) -> Vec<u8> {
    person.write_all(line).unwrap();
    let mut read = [0; 1000];
    let length = (&terminal.tty).read(&mut read).unwrap();
    read[..length].to_vec()
}

#[test]
fn the_kernel_takes_it_for_a_password_and_what_was_before_comes_back() {
    let (mut person, terminal) = terminal();
    let before = tcgetattr(&person).unwrap();
    let asking = open_question(terminal);
    // Linux: drivers/tty/tty_audit.c and n_tty.c look at these two.
    let modes = tcgetattr(&person).unwrap().local_modes;
    assert!(modes.contains(LocalModes::ICANON), "{modes:?}");
    assert!(!modes.intersects(LocalModes::ECHO | LocalModes::ECHONL), "{modes:?}");
    person.write_all(b"87654321\r").unwrap();
    let (_open, answer) = asking.join().unwrap();
    assert_eq!(answer.unwrap().unwrap().expose(), b"87654321");
    assert_eq!(shown(&mut person), "PIN: \r\n");
    let after = tcgetattr(&person).unwrap();
    assert_eq!((after.local_modes, after.input_modes), (before.local_modes, before.input_modes));
    for key in [SpecialCodeIndex::VEOF, SpecialCodeIndex::VEOL, SpecialCodeIndex::VQUIT, SpecialCodeIndex::VSUSP] {
        assert_eq!(after.special_codes[key], before.special_codes[key], "{key:?}");
    }
}

#[test]
fn lines_that_were_typed_ahead_answer_one_question_each() {
    let (mut person, mut terminal) = terminal();
    person.write_all(b"first\rsecond\nthird\n").unwrap();
    assert_eq!(ask(&mut terminal).unwrap(), b"first");
    assert_eq!(ask(&mut terminal).unwrap(), b"second");
    assert_eq!(next_line(&mut person, &terminal, b""), b"third\n");
}

#[test]
fn keys_that_correct_correct() {
    let (mut person, mut terminal) = terminal();
    // The terminal's own backspace and another one, its own key for a new beginning.
    person.write_all(b"wrong\x15129\x7F348\x0856\r").unwrap();
    assert_eq!(ask(&mut terminal).unwrap(), b"123456");
}

#[test]
fn ctrl_d_gives_up_wherever_it_stands_and_leaves_no_half_secret() {
    for typed in [&b"\x04"[..], b"8765\x04", b"8765\x044321"] {
        let (mut person, terminal) = terminal();
        let asking = open_question(terminal);
        person.write_all(typed).unwrap();
        let (open, answer) = asking.join().unwrap();
        assert!(answer.unwrap().is_none());
        assert_eq!(next_line(&mut person, &open, b"ls\n"), b"ls\n");
    }
}

#[test]
fn an_interruption_leaves_no_half_secret() {
    let (mut person, mut terminal) = terminal();
    // In one piece: the second line has arrived, as far as it goes, when the first can be read.
    person.write_all(b"1234\r8765").unwrap();
    assert_eq!(ask(&mut terminal).unwrap(), b"1234");
    assert!(terminal.secret("PIN again: ", &mut || false).unwrap().is_none());
    assert_eq!(next_line(&mut person, &terminal, b"ls\n"), b"ls\n");
}

#[test]
fn an_endless_line_is_cut_and_the_next_one_is_whole() {
    let (mut person, terminal) = terminal();
    let asking = open_question(terminal);
    // More than the kernel keeps of a line.
    person.write_all(&[&[b'1'; 6000][..], b"\n87654321\n"].concat()).unwrap();
    let (mut open, answer) = asking.join().unwrap();
    assert_eq!(answer.unwrap().unwrap().expose(), [b'1'; ENTRY_MAX]);
    assert_eq!(ask(&mut open).unwrap(), b"87654321");
}

#[test]
fn a_hang_up_is_no_entry_and_no_failure() {
    let (person, terminal) = terminal();
    let asking = open_question(terminal);
    drop(person);
    assert!(asking.join().unwrap().1.unwrap().is_none());
}

#[test]
fn a_yes_that_came_before_the_question_is_no_answer() {
    for (answer, yes) in [(&b"n\n"[..], false), (b"y\n", true)] {
        let (mut person, mut terminal) = terminal();
        person.write_all(b"y\nyes\ny").unwrap();
        let mut asked = false;
        let given = terminal.confirm("Sure? ", &mut || {
            if !asked {
                person.write_all(answer).unwrap();
                asked = true;
            }
            true
        });
        assert_eq!(given.unwrap(), Some(yes));
    }
}

#[test]
fn a_line_that_is_no_secret_is_shown_and_ctrl_d_gives_up() {
    let (mut person, mut terminal) = terminal();
    person.write_all("M\u{fc}nchen\nUlm\n".as_bytes()).unwrap();
    let line = |terminal: &mut Terminal| terminal.line("\"City\u{1b}\": ", &mut || true).unwrap();
    assert_eq!(line(&mut terminal).as_deref(), Some("M\u{fc}nchen"));
    assert_eq!(line(&mut terminal).as_deref(), Some("Ulm"));
    person.write_all(b"\x04").unwrap();
    assert_eq!(line(&mut terminal), None);
    assert_eq!(terminal.line("City: ", &mut || false).unwrap(), None);
    let mut piece = [0; 1000];
    let length = person.read(&mut piece).unwrap();
    let shown = String::from_utf8_lossy(&piece[..length]).into_owned();
    assert!(shown.contains("Ulm") && shown.contains("City\\u{1b}") && !shown.contains('\u{1b}'), "{shown:?}");
}
