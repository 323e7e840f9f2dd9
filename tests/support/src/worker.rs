//! One process that does job after job and lives on, as the agent does: the program's own code under its own allocator, each
//! job with a client, a runtime and a stack of its own. It is told what to do by lines of JSON and knows no secret otherwise.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pinwright::cli::{self, context::CommandContext};
use pinwright::{os, telemetry};
use serde_json::Value;

/// Written before each answer, to tell it from what the test harness says.
pub const ANSWER: &str = "worker: ";

/// Does what it is told until its input ends. `measures` are those that the program takes at its start.
pub fn serve(measures: bool) -> io::Result<()> {
    if measures {
        os::process::harden().map_err(|error| error.source)?;
    }
    telemetry::start(tracing::level_filters::LevelFilter::TRACE, false, false);
    let mut planted: Vec<Vec<u8>> = Vec::new();
    let mut line = String::new();
    let mut input = io::stdin().lock();
    say("ready")?;
    while input.read_line(&mut line)? > 0 {
        let order: Value = serde_json::from_str(&line)?;
        line.clear();
        if let Some(path) = order["plant"].as_str() {
            planted.push(std::fs::read(path)?);
            say("planted")?;
        } else if order["allocate"].is_string() {
            say(&allocate(&order))?;
        } else {
            say(&job(&order)?)?;
        }
    }
    Ok(())
}

/// Nanoseconds to take, touch and give back a block of so many bytes, and others live meanwhile as they do in a program.
pub fn allocate(order: &Value) -> String {
    let size: usize = order["allocate"].as_str().unwrap_or_default().parse().unwrap_or(1);
    let rounds = 50_000_000 / (size + 500);
    let mut live: Vec<Vec<u8>> = (0..64).map(|_| Vec::with_capacity(size)).collect();
    let start = std::time::Instant::now();
    for round in 0..rounds {
        let mut block = Vec::with_capacity(size);
        block.push(round as u8);
        let place = round % live.len();
        live[place] = std::hint::black_box(block);
    }
    format!("{:.1}", start.elapsed().as_nanos() as f64 / rounds as f64)
}

/// Answers the one who gives orders.
pub fn say(word: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    // A line of its own, wherever the test harness stands.
    write!(out, "\n{ANSWER}{word}\n")?;
    out.flush()
}

/// One command line, with secrets on descriptors; its exit code, or `panicked`.
fn job(order: &Value) -> io::Result<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut arguments: Vec<String> = order["arguments"].as_array().into_iter().flatten().map(text).collect();
    let mut opened = Vec::new();
    for (option, path) in order["descriptors"].as_object().into_iter().flatten() {
        let file = File::open(text(path))?;
        arguments.extend([option.clone(), number(&file)?]);
        opened.push(file);
    }
    let mut out = File::create(text(&order["out"]))?;
    let err = File::create(text(&order["err"]))?;
    let panic_at = order["panic_at"].as_str().map(ToOwned::to_owned);
    let mut context = CommandContext {
        readers: None,
        environment: Vec::new(),
        out: &mut out,
        // On a terminal each step is told as it comes.
        screen: Default::default(),
        colours: Default::default(),
        tells_progress: panic_at.is_some(),
        err: &mut Panicking { inner: err, panic_at },
        may_prompt: false,
        interrupted: Arc::new(AtomicBool::new(false)),
    };
    let Ok(parsed) = cli::parse(&arguments, &mut context) else { return Ok("usage".to_owned()) };
    let ended = catch_unwind(AssertUnwindSafe(|| cli::run(&parsed, &mut context)));
    Ok(ended.map_or("panicked".to_owned(), |exit| (exit as u8).to_string()))
}

#[cfg(unix)]
fn number(file: &File) -> io::Result<String> {
    use std::os::fd::AsRawFd as _;
    Ok(file.as_raw_fd().to_string())
}

/// Secrets are not handed over by a number there.
#[cfg(not(unix))]
fn number(_: &File) -> io::Result<String> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Talk that fails in a way that nobody reckons with.
struct Panicking {
    inner: File,
    panic_at: Option<String>,
}

impl Write for Panicking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        assert!(!self.panic_at.as_ref().is_some_and(|word| text.contains(word)), "the panic that was ordered");
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
