//! The picture of a session: what the program prints at the virtual desk, in its colours, as the SVG that README and book show.

use std::fs;
use std::path::PathBuf;

use anstyle_svg::Term;

use super::desk::Desk;
use super::{repository, words};

/// What is typed in it.
const SESSION: [&str; 4] = ["pinwright readers", "pinwright plan", "pinwright set-pin --yes", "pinwright history"];

/// How wide the terminal is.
const COLUMNS: usize = 106;

fn file() -> PathBuf {
    repository().join("docs/src/images/session.svg")
}

/// The session as a terminal gets it.
fn session() -> String {
    let desk = Desk::new("run");
    let shown = |command: &&str| {
        format!("\x1b[1m$ {command}\x1b[0m\n{}\n", wrapped(&desk.show(&words(command), COLUMNS)).trim_end_matches('\n'))
    };
    SESSION.iter().map(shown).collect::<Vec<_>>().join("\n")
}

/// Lines that are too long go on in the next one, as terminals have it; what sets colours has no width.
fn wrapped(text: &str) -> String {
    let (mut out, mut column, mut is_command) = (String::new(), 0, false);
    for character in text.chars() {
        is_command |= character == '\x1b';
        if character == '\n' {
            column = 0;
        } else if !is_command {
            if column == COLUMNS {
                out.push('\n');
                column = 0;
            }
            column += 1;
        }
        is_command &= character != 'm';
        out.push(character);
    }
    out
}

/// The words that a picture shows, with one sign for each that differs from run to run: times, and ids of jobs.
fn shown_in(svg: &str) -> Vec<String> {
    let (_, drawn) = svg.split_once("</style>").expect("a picture of a terminal");
    let texts = drawn.split('<').filter_map(|piece| Some(piece.split_once('>')?.1));
    let text = texts.collect::<String>().replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    for number in 0..words.len() {
        let is_duration = words.get(number + 1).is_some_and(|next| next.starts_with("ms"));
        if is_duration || is_time(&words[number]) || is_job(&words[number]) {
            "#".clone_into(&mut words[number]);
        }
    }
    words
}

fn is_time(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    digits >= 4 && word.contains([':', '-']) && word.chars().all(|c| c.is_ascii_digit() || ":-.+TZ".contains(c))
}

fn is_job(word: &str) -> bool {
    let is_hex = |part: &str, length| part.len() == length && part.chars().all(|c| c.is_ascii_hexdigit());
    word.split_once('-').is_some_and(|(time, random)| is_hex(time, 11) && is_hex(random, 8))
}

fn drawn() -> String {
    // What is of less weight is to be read all the same.
    Term::new().render_svg(&session()).replace("opacity: 0.4", "opacity: 0.7")
}

#[test]
fn the_picture_shows_what_the_program_prints_now() {
    let kept = fs::read_to_string(file()).unwrap();
    let now = drawn();
    assert_eq!(shown_in(&kept), shown_in(&now), "make picture draws it anew");
    // The colours of the one are those of the other.
    let coloured = |svg: &str| svg.matches("class=\"").count();
    assert_eq!(coloured(&kept), coloured(&now), "make picture draws it anew");
    for page in ["README.md", "docs/src/getting-started.md"] {
        assert!(fs::read_to_string(repository().join(page)).unwrap().contains("images/session.svg)"), "{page}");
    }
}

#[test]
fn a_picture_is_compared_by_its_words() {
    let words = shown_in(
        "<style>x</style><tspan>a</tspan>\n<tspan>12.5 ms 2026-11-29 01:02:03 1a2247a3d7e-74d7d468 a9b4b42c-cc50 3 &lt;</tspan>",
    );
    assert_eq!(words.join(" "), "a # ms # # # a9b4b42c-cc50 3 <");
    assert_eq!(
        wrapped(&format!("\x1b[1m{}\x1b[0m", "x".repeat(COLUMNS + 1))),
        format!("\x1b[1m{}\nx\x1b[0m", "x".repeat(COLUMNS))
    );
}

#[test]
#[ignore = "draws the picture: make picture"]
fn draw_the_session() {
    fs::create_dir_all(file().parent().unwrap()).unwrap();
    fs::write(file(), drawn()).unwrap();
}
