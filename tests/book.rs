//! The book in `docs/src` against the program: keys, commands, exit codes, schemas, links and command lines. A block of command
//! lines is run at a virtual desk and compared (`<!-- run -->` before it), or marked as not run with a reason. What is a command of
//! pinwright's is read by its parser in any case.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "book/desk.rs"]
mod desk;
#[path = "book/picture.rs"]
mod picture;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use clap::CommandFactory;
use desk::{Desk, difference, is_like};
use pinwright::cli::Arguments;
use pinwright::config::Config;

type Names = BTreeSet<String>;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(repository().join("docs/src").join(name)).unwrap()
}

/// Every page by its file name.
fn pages() -> BTreeMap<String, String> {
    let files = fs::read_dir(repository().join("docs/src")).unwrap().map(|entry| entry.unwrap().path());
    let pages: BTreeMap<String, String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    assert!(pages.len() > 10, "only {} pages were found", pages.len());
    pages
}

/// The part of a page under this heading, up to the next heading of the same level.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading:?}"));
    let level = heading.split(' ').next().unwrap();
    rest.split(&format!("\n{level} ")).next().unwrap()
}

/// The code in the first cell of each row of the tables.
fn first_cells(text: &str) -> Vec<String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split_once('`').expect("the first cell is code").0.to_owned()).collect()
}

/// The same as a set; no row is there twice.
fn rows(text: &str) -> Names {
    let cells = first_cells(text);
    let names: Names = cells.iter().cloned().collect();
    assert_eq!(cells.len(), names.len(), "a row is there twice: {cells:?}");
    names
}

fn assert_same(what: &str, book: &Names, program: &Names) {
    let missing: Vec<_> = program.difference(book).collect();
    let unknown: Vec<_> = book.difference(program).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "{what}: not in the book {missing:?}; only in the book {unknown:?}"
    );
}

/// The keys that a table of the configuration takes: what is said of one that it does not take.
fn keys_beside(text: &str) -> Vec<String> {
    let error = Config::from_toml(&format!("{text}nonsense = 1\n")).unwrap_err().to_string();
    let (_, expected) = error.split_once("unknown field `nonsense`, expected ").unwrap_or_else(|| panic!("{error}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_of_the_configuration_and_no_other_is_in_the_book() {
    let mut program = Names::new();
    for section in keys_beside("") {
        let keys = keys_beside(&format!("[{section}]\n")).into_iter().filter(|key| key != "profile");
        program.extend(keys.map(|key| format!("{section}.{key}")));
    }
    let tables = ["card_id", "admin", "pin", "set_pin", "status_words"];
    let of_profile = keys_beside("[[card.profile]]\n");
    program.extend(of_profile.iter().filter(|key| !tables.contains(&key.as_str())).map(|key| format!("profile.{key}")));
    for table in tables {
        assert!(of_profile.iter().any(|key| key == table), "{table}");
        let keys = keys_beside(&format!("[[card.profile]]\nname = \"x\"\n[card.profile.{table}]\n"));
        program.extend(keys.into_iter().map(|key| format!("profile.{table}.{key}")));
    }
    assert!(program.len() > 70, "only {} keys were found", program.len());
    assert_same("keys", &rows(&page("configuration.md")), &program);

    let config = repository().join("packaging/config.toml");
    let settings = Config::explained(Some(&config), &[]).unwrap().settings;
    let shown: Names = settings.into_iter().map(|setting| setting.key).collect();
    assert!(shown.is_subset(&program), "`config show` knows more: {shown:?}");
    println!("book: {} keys of the configuration", program.len());
}

#[test]
fn every_default_in_the_book_is_the_programs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    fs::write(&file, "").unwrap();
    let defaults = Config::explained(Some(&file), &[]).unwrap().settings;
    let text = page("configuration.md");
    // These two follow from the environment and from who asks.
    for setting in defaults.iter().filter(|setting| !["agent.control", "journal.dir"].contains(&setting.key.as_str())) {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{}` |", setting.key))).unwrap();
        let told = row.split(" | ").nth(2).unwrap();
        match &setting.value {
            Some(value) => assert_eq!(told, format!("`{value}`"), "{}", setting.key),
            None => assert!(!told.starts_with('`'), "{} has no default: {told}", setting.key),
        }
    }
    println!("book: {} defaults", defaults.len());
}

/// What stands in backticks.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_value_that_the_book_names_for_a_key_is_one_of_its_type() {
    let text = page("configuration.md");
    let mut values = 0;
    for key in rows(&text) {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap();
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(cells.len() == 4 && !cells[1].is_empty(), "{row}");
        // The rows of profiles have no example of their own: packaging/profiles has one with every key.
        let Some((section, name)) = key.split_once('.').filter(|(section, _)| *section != "profile") else { continue };
        let is_value = |code: &&str| {
            code.starts_with(['"', '[', '{'])
                || code.starts_with(|c: char| c.is_ascii_digit())
                || ["true", "false"].contains(code)
        };
        let example = codes(cells[3]).last().filter(|code| cells[3].ends_with(&format!("`{code}`")));
        let named: Vec<&str> = codes(cells[1]).chain(codes(cells[2])).chain(example).filter(is_value).collect();
        assert!(!named.is_empty(), "neither default nor example: {row}");
        for value in named {
            values += 1;
            let said =
                Config::from_toml(&format!("[{section}]\n{name} = {value}\n")).err().map(|error| error.to_string());
            // What it wants beside it is another matter.
            let is_refused =
                said.as_ref().is_some_and(|said| said.contains("invalid type") || said.contains("unknown variant"));
            assert!(!is_refused, "{key} = {value}: {said:?}");
        }
    }
    println!("book: {values} values of keys");
}

/// The commands that do something, with the words before them.
fn commands(of: &clap::Command, before: &str, found: &mut Names) {
    for command in of.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("{before}{}", command.get_name());
        if !command.is_subcommand_required_set() {
            found.insert(name.clone());
        }
        commands(command, &format!("{name} "), found);
    }
}

#[test]
fn every_command_exit_code_and_schema_and_no_other_is_in_the_book() {
    let text = page("commands.md");
    let mut program = Names::new();
    commands(&Arguments::command(), "", &mut program);
    let is_word = |word: &&str| !word.starts_with('-') && !word.chars().any(|c| c.is_ascii_uppercase());
    let listed = first_cells(section(&text, "## Commands"));
    let book: Names =
        listed.iter().map(|row| row.split(' ').take_while(is_word).collect::<Vec<_>>().join(" ")).collect();
    assert_same("commands", &book, &program);

    let source = fs::read_to_string(repository().join("src/exit.rs")).unwrap();
    let variants = source.split_once("pub enum Exit {").unwrap().1.split('}').next().unwrap();
    let codes: Names =
        variants.lines().filter_map(|line| Some(line.split_once(" = ")?.1.trim_end_matches(',').to_owned())).collect();
    assert!(codes.len() > 8, "{codes:?}");
    assert_same("exit codes", &rows(section(&text, "## Exit codes")), &codes);

    let mut schemas = Names::new();
    schemas_of(&repository().join("src"), &mut schemas);
    assert_same("schemas", &rows(section(&text, "## JSON")), &schemas);
    println!("book: {} commands, {} exit codes, {} schemas", program.len(), codes.len(), schemas.len());
}

/// Names of schemas in the sources: `"pinwright.NAME/1"` outside of unit tests.
fn schemas_of(folder: &Path, found: &mut Names) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            schemas_of(&path, found);
        } else if path.file_stem().is_some_and(|stem| stem != "tests") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for rest in code.split("\"pinwright.").skip(1) {
                let name = rest.split(['"', '\\']).next().unwrap();
                if name.split_once('/').is_some_and(|(_, version)| version.parse::<u8>().is_ok()) {
                    found.insert(format!("pinwright.{name}"));
                }
            }
        }
    }
}

/// The anchor that GitHub and mdBook both give a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(text: &str) -> Names {
    prose(text).filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#'))).collect()
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

#[test]
fn every_link_leads_to_a_page_of_the_book_and_a_heading_on_it() {
    let pages = pages();
    let mut links = 0;
    let mut broken = Vec::new();
    for (name, text) in &pages {
        for target in prose(text).flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next()) {
            links += 1;
            let is_picture = || repository().join("docs/src").join(target).is_file();
            if target.starts_with("https://") || (target.starts_with("images/") && is_picture()) {
                continue;
            }
            let (file, heading) =
                target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
            let linked = pages.get(if file.is_empty() { name.as_str() } else { file });
            if !linked.is_some_and(|text| heading.is_none_or(|heading| anchors(text).contains(heading))) {
                broken.push(format!("{name}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "broken links: {broken:?}");
    let summary = &pages["SUMMARY.md"];
    let listed = |name: &str| summary.contains(&format!("]({name})"));
    let unlisted: Vec<_> = pages.keys().filter(|name| *name != "SUMMARY.md" && !listed(name)).collect();
    assert!(unlisted.is_empty(), "not in SUMMARY.md: {unlisted:?}");
    println!("book: {} pages, {links} links, 0 broken", pages.len());
}

/// A fenced block of command lines and what they print.
struct Block {
    place: String,
    /// The comment on the line before the fence.
    mark: Option<String>,
    lines: Vec<String>,
}

impl Block {
    /// Each command with the lines that it prints.
    fn commands(&self) -> Vec<(&str, Vec<&str>)> {
        let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
        for line in &self.lines {
            match line.strip_prefix("$ ") {
                Some(command) => commands.push((command, Vec::new())),
                None => commands.last_mut().unwrap_or_else(|| panic!("{}: no command first", self.place)).1.push(line),
            }
        }
        assert!(!commands.is_empty(), "{}: no command", self.place);
        commands
    }
}

fn blocks(name: &str, text: &str) -> Vec<Block> {
    let (mut blocks, mut open, mut before) = (Vec::new(), None::<Block>, "");
    for (number, line) in text.lines().enumerate() {
        let content = line.trim_start();
        match open.take() {
            None if content == "```console" => {
                let comment = before.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
                let place = format!("{name}:{}", number + 1);
                open = Some(Block { place, mark: comment.map(str::to_owned), lines: Vec::new() });
            }
            Some(block) if content.starts_with("```") => blocks.push(block),
            Some(mut block) => {
                block.lines.push(content.to_owned());
                open = Some(block);
            }
            None => {}
        }
        before = content;
    }
    assert!(open.is_none(), "{name}: a block is not closed");
    blocks
}

/// The words of a command line, up to a redirection, a pipe or a comment.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in command.chars().chain([' ']) {
        match quote {
            Some(end) if c == end => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if c == ' ' => {
                let end =
                    word.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['<', '>', '|', '&', '#', ';']);
                if end {
                    return words;
                }
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(c),
        }
    }
    words
}

#[test]
fn every_command_line_is_run_or_marked_as_not_run() {
    let (mut run_lines, mut read_lines, mut not_run_lines) = (0, 0, 0);
    let left_out = ", output left out";
    let mut wrong = Vec::new();
    for (name, text) in pages() {
        assert!(!prose(&text).any(|line| line.starts_with("$ ")), "{name}: a command line outside of a block");
        let mut desks = BTreeMap::new();
        for block in blocks(&name, &text) {
            let place = &block.place;
            let commands = block.commands();
            let reason = block.mark.as_deref().and_then(|mark| mark.strip_prefix("not run: "));
            if let Some(reason) = reason {
                assert!(!reason.trim().is_empty(), "{place}: no reason");
                not_run_lines += commands.len();
            }
            for (command, printed) in commands {
                let words = words(command);
                let is_ours = words.first().is_some_and(|word| word == "pinwright");
                // Also in blocks that are not run: a command of ours has to be one.
                let mistake = if is_ours { Arguments::command().try_get_matches_from(&words).err() } else { None };
                if let Some(error) = mistake.filter(clap::Error::use_stderr) {
                    wrong.push(format!("{place}: {command}\n{error}"));
                    continue;
                }
                read_lines += usize::from(is_ours && reason.is_some());
                match block.mark.as_deref().filter(|mark| is_ours && mark.starts_with("run")) {
                    Some(mark) => {
                        let shown = mark.strip_suffix(left_out).unwrap_or(mark);
                        let desk = desks.entry(shown.to_owned()).or_insert_with_key(|mark| Desk::new(mark));
                        let got = desk.run(&words);
                        let difference = match mark == shown {
                            true => difference(&got, &printed),
                            false => got.contains("error: ").then(|| format!("prints\n{got}")),
                        };
                        wrong.extend(difference.map(|difference| format!("{place}: {command} {difference}")));
                        run_lines += 1;
                    }
                    None if reason.is_none() => {
                        wrong.push(format!("{place}: {command} is neither run nor marked as not run"))
                    }
                    None => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!(
        "book: {run_lines} command lines are run and compared, {not_run_lines} are marked as not run with a reason, of which the parser \
         reads {read_lines}"
    );
    assert!(run_lines > 15 && run_lines + read_lines > 30);
}

#[test]
fn what_the_checks_are_made_of_tells_right_from_wrong() {
    assert_eq!(
        words("pinwright set-pin --reader 'A B' --pin-fd 3 3<pin | tee x").join("|"),
        "pinwright|set-pin|--reader|A B|--pin-fd|3"
    );
    assert_eq!(anchor(" What `set-pin` asks, and when"), "what-set-pin-asks-and-when");
    assert!(is_like("in 3 ms, 4)", "in [..], [..])") && is_like("a", "a") && is_like("a", "a[..]"));
    assert!(!is_like("a b", "a") && !is_like("in 3 ms", "in [..])") && !is_like("ab", "[..]a"));
    let block = &blocks("x", "<!-- run -->\n```console\n$ a\nb\n```\n")[0];
    assert_eq!((block.mark.as_deref(), block.commands()), (Some("run"), vec![("a", vec!["b"])]));
}
