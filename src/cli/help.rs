//! `pinwright completions` and `pinwright man`: what the command line knows of itself, for shells and for man(1).

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use serde::Serialize;

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
    /// Write the pages of all commands into this folder instead, which must be there.
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

/// Prints the program's page, or writes the pages of all commands.
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
    write(&program, folder, &mut files)?;
    let shown = |file: &PathBuf| file.display().to_string();
    match json {
        true => context.print_json(&ManObject { head, page: None, files: files.iter().map(shown).collect() }),
        false => files.iter().try_for_each(|file| context.print(&shown(file))),
    }
}

/// Writes the page of this command and those of the commands below it.
pub(super) fn write(command: &Command, folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let path = folder.join(format!("{}.1", name(command)));
    std::fs::write(&path, page(command)).map_err(|source| CliError::File { path: path.clone(), source })?;
    files.push(path);
    command.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| write(below, folder, files))
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
