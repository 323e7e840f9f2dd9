//! `pinwright completions` and `pinwright man`: what the command line knows of itself, for shells and for man(1).

mod book_page;

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use serde::Serialize;

use self::book_page::BOOK_PAGES;
use super::Arguments;
use super::context::CommandContext;
use super::error::CliError;
use super::json::Head;
use crate::operation::Operation;

/// What the pages are a part of, as man(1) heads them.
const MANUAL: &str = "User Commands";

/// For which shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Which pages, and where they go.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write all pages into this folder instead, which must be there: those of the commands, pinwright-agent(8) and
    /// pinwright.toml(5).
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// `pinwright.completions/1`.
#[derive(Serialize)]
struct CompletionsObject<'a> {
    #[serde(flatten)]
    head: Head,
    shell: String,
    script: &'a str,
}

/// `pinwright.man/1`: the page, or the files that were written.
#[derive(Serialize)]
struct ManObject<'a> {
    #[serde(flatten)]
    head: Head,
    page: Option<&'a str>,
    files: Vec<String>,
}

/// Prints the script that completes commands and options.
///
/// # Errors
/// [`CliError::Output`].
pub fn completions(args: &CompletionsArgs, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let (mut program, mut script) = (Arguments::command(), Vec::new());
    let name = program.get_name().to_owned();
    clap_complete::generate(args.shell, &mut program, name, &mut script);
    let script = String::from_utf8_lossy(&script);
    if json {
        let head = Head::done(Operation::Completions.schema());
        return context.print_json(&CompletionsObject { head, shell: args.shell.to_string(), script: &script });
    }
    context.print_verbatim(&script)
}

/// Prints the program's page, or writes all pages: those of the commands, and those that the book has text for.
///
/// # Errors
/// [`CliError::File`] where a page can't be written, and [`CliError::Output`].
pub fn man(args: &ManArgs, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let head = Head::done(Operation::Man.schema());
    let mut program = Arguments::command().disable_help_subcommand(true);
    program.build();
    let Some(folder) = &args.dir else {
        let page = page(&program);
        return match json {
            true => context.print_json(&ManObject { head, page: Some(&page), files: Vec::new() }),
            false => context.print_verbatim(&page),
        };
    };
    let mut files = Vec::new();
    write_commands(&program, folder, &mut files)?;
    for page in &BOOK_PAGES {
        files.push(write(folder, &page.file(), &page.roff())?);
    }
    let shown = |file: &PathBuf| file.display().to_string();
    match json {
        true => context.print_json(&ManObject { head, page: None, files: files.iter().map(shown).collect() }),
        false => files.iter().try_for_each(|file| context.print(&shown(file))),
    }
}

/// Writes the page of this command and those of the commands below it.
pub(super) fn write_commands(command: &Command, folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    files.push(write(folder, &format!("{}.1", name(command)), &page(command))?);
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .try_for_each(|below| write_commands(below, folder, files))
}

fn write(folder: &Path, file: &str, page: &str) -> Result<PathBuf, CliError> {
    let path = folder.join(file);
    match std::fs::write(&path, page) {
        Ok(()) => Ok(path),
        Err(source) => Err(CliError::File { path, source }),
    }
}

fn page(command: &Command) -> String {
    let source = concat!("pinwright ", env!("CARGO_PKG_VERSION"));
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let rendered = Man::new(command.clone()).title(name(command)).source(source).manual(MANUAL).render(&mut page);
    debug_assert!(rendered.is_ok());
    String::from_utf8_lossy(&page).into_owned()
}

/// The command's words with `-` between them.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}
