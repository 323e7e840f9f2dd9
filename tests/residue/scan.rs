//! Looks for secrets in all that a process can read, and in files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use aho_corasick::{AhoCorasick, MatchKind};
use rustix::process::{Pid, Signal, kill_process};

use super::forms::{Canary, Form, Kind, forms};

/// Memory is read in pieces of this size, which overlap by more than the longest pattern.
const PIECE: usize = 4 << 20;
const OVERLAP: usize = 128;

/// So many bytes on either side tell a place in a program's code from another.
const AROUND: usize = 8;

/// Looks for a set of secrets.
pub struct Scanner {
    canaries: Vec<(Canary, Vec<Form>)>,
    /// Canary, form and place in it, of each pattern.
    patterns: Vec<(usize, usize, usize)>,
    automaton: AhoCorasick,
}

/// A copy of a secret, or of a part of it.
#[derive(Clone, Debug)]
pub struct Hit {
    pub kind: Kind,
    pub form: &'static str,
    /// Bytes of the secret in a row.
    pub found: usize,
    pub of: usize,
    /// File or mapping.
    pub place: String,
    pub address: u64,
    /// Bytes of the form.
    pub length: usize,
    /// What stands around it.
    pub around: String,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, form, found, of, place, address, around, .. } = self;
        write!(f, "{} of {of} bytes of the {} ({form}) at {address:#x} in {place}: {around}", found, kind.name())
    }
}

impl Scanner {
    pub fn new(canaries: &[Canary]) -> Self {
        let canaries: Vec<(Canary, Vec<Form>)> =
            canaries.iter().map(|canary| (canary.clone(), forms(canary))).collect();
        let (mut patterns, mut texts) = (Vec::new(), Vec::new());
        for (number, (_, forms)) in canaries.iter().enumerate() {
            for (form, content) in forms.iter().enumerate() {
                for (at, window) in content.windows() {
                    assert!(window.len() < OVERLAP);
                    patterns.push((number, form, at));
                    texts.push(window.to_vec());
                }
            }
        }
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&texts).expect("an automaton");
        Self { canaries, patterns, automaton }
    }

    /// What of the secrets is in all that the process can read. It stands still meanwhile.
    pub fn process(&self, pid: u32) -> io::Result<Vec<Hit>> {
        let _stopped = Stopped::new(pid)?;
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        let mut hits = Vec::new();
        for mapping in mappings(pid)? {
            let before = hits.len();
            let mut at = mapping.from;
            while at < mapping.to {
                let length = usize::try_from(mapping.to - at).unwrap_or(PIECE).min(PIECE + OVERLAP);
                let mut piece = vec![0; length];
                match memory.read_exact_at(&mut piece, at) {
                    Ok(()) => self.search(&piece, at, &mapping.name, &mut hits),
                    // Pages of the kernel's own that only the processor reads.
                    Err(_) if mapping.name.starts_with("[v") => {}
                    Err(error) => return Err(error),
                }
                at += PIECE as u64;
            }
            // What the file on disk has in the same place is older than the secret.
            let found = hits.split_off(before);
            hits.extend(found.into_iter().filter(|hit| !mapping.is_as_on_disk(&memory, hit)));
        }
        Ok(hits)
    }

    /// What of the secrets is in a file.
    pub fn file(&self, path: &Path) -> io::Result<Vec<Hit>> {
        let mut hits = Vec::new();
        self.search(&fs::read(path)?, 0, &path.display().to_string(), &mut hits);
        Ok(hits)
    }

    /// What of the secrets is in a core of the process, and was not in the files that it is made of.
    pub fn core(&self, path: &Path, pid: u32) -> io::Result<Vec<Hit>> {
        let (mut hits, core) = (self.file(path)?, fs::read(path)?);
        let surroundings = |hit: &Hit| {
            let at = usize::try_from(hit.address).expect("a place in a file");
            core[at.saturating_sub(AROUND)..core.len().min(at + hit.length + AROUND)].to_vec()
        };
        let texts: Vec<Vec<u8>> = hits.iter().map(surroundings).collect();
        let automaton = AhoCorasick::new(&texts).expect("an automaton");
        let mut older = BTreeSet::new();
        let files: BTreeSet<String> = mappings(pid)?.into_iter().map(|mapping| mapping.name).collect();
        for file in files.iter().filter_map(|name| fs::read(name).ok()) {
            older.extend(automaton.find_overlapping_iter(&file).map(|found| texts[found.pattern().as_usize()].clone()));
        }
        let mut texts = texts.iter();
        hits.retain(|_| texts.next().is_some_and(|text| !older.contains(text)));
        Ok(hits)
    }

    /// What of them is in every file of a folder and the folders in it, without those named.
    pub fn folder(&self, folder: &Path, without: &[PathBuf]) -> io::Result<Vec<Hit>> {
        let mut hits = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                hits.extend(self.folder(&path, without)?);
            } else if !without.contains(&path) {
                hits.extend(self.file(&path)?);
            }
        }
        Ok(hits)
    }

    fn search(&self, bytes: &[u8], base: u64, place: &str, hits: &mut Vec<Hit>) {
        // Windows of one copy share the address at which the whole would begin.
        let mut copies: BTreeMap<(usize, usize, i64), Vec<usize>> = BTreeMap::new();
        for found in self.automaton.find_overlapping_iter(bytes) {
            let (canary, form, at) = self.patterns[found.pattern().as_usize()];
            let begin = found.start() as i64 - at as i64;
            copies.entry((canary, form, begin)).or_default().push(at);
        }
        for ((number, form, begin), windows) in copies {
            let (canary, forms) = &self.canaries[number];
            let (first, last) = (windows[0], windows[windows.len() - 1]);
            let window = forms[form].windows().next().map_or(0, |(_, window)| window.len());
            let start = usize::try_from(begin + first as i64).expect("found in these bytes");
            let end = start + (last - first) + window;
            let address = base + start as u64;
            // The overlap of two pieces shows it twice.
            if hits.iter().any(|hit| hit.address == address && hit.place == place && hit.form == forms[form].name) {
                continue;
            }
            hits.push(Hit {
                kind: canary.kind,
                form: forms[form].name,
                found: forms[form].secret_bytes(end - start).min(canary.bytes.len()),
                of: canary.bytes.len(),
                place: place.to_owned(),
                address,
                length: end - start,
                around: surroundings(bytes, start, end),
            });
        }
    }
}

/// The bytes before and after, and not the secret.
fn surroundings(bytes: &[u8], start: usize, end: usize) -> String {
    let before = &bytes[start.saturating_sub(24)..start];
    let after = &bytes[end..bytes.len().min(end + 24)];
    format!("{} … {}", before.escape_ascii(), after.escape_ascii())
}

/// Copies of the secrets of one kind, by what was found.
pub fn count(hits: &[Hit], kind: Kind) -> usize {
    hits.iter().filter(|hit| hit.kind == kind).count()
}

/// A process that stands still while this lives.
struct Stopped(Pid);

impl Stopped {
    fn new(pid: u32) -> io::Result<Self> {
        let id = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
        kill_process(id, Signal::STOP)?;
        let stopped = Self(id);
        // Every thread of it: the state of the whole is that of its first.
        let runs = |task: &Path| !fs::read_to_string(task.join("stat")).unwrap_or_default().contains(") T ");
        let deadline = Instant::now() + Duration::from_secs(10);
        while fs::read_dir(format!("/proc/{pid}/task"))?.flatten().any(|task| runs(&task.path())) {
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(stopped)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // Fails only where it has ended.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

struct Mapping {
    from: u64,
    to: u64,
    /// Where in the file it begins.
    offset: u64,
    name: String,
}

impl Mapping {
    fn is_as_on_disk(&self, memory: &File, hit: &Hit) -> bool {
        let Ok(file) = File::open(&self.name) else { return false };
        let (mut here, mut there) = (vec![0; hit.length], vec![0; hit.length]);
        let at = hit.address - self.from + self.offset;
        memory.read_exact_at(&mut here, hit.address).and(file.read_exact_at(&mut there, at)).is_ok() && here == there
    }
}

fn mappings(pid: u32) -> io::Result<Vec<Mapping>> {
    let text = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let mapping = |line: &str| {
        let mut fields = line.split_whitespace();
        let (from, to) = fields.next()?.split_once('-')?;
        let readable = fields.next()?.starts_with('r');
        let number = |text| u64::from_str_radix(text, 16).ok();
        let offset = number(fields.next()?)?;
        let name = fields.nth(2).unwrap_or("[anonymous]").to_owned();
        Some((readable, Mapping { from: number(from)?, to: number(to)?, offset, name }))
    };
    Ok(text.lines().filter_map(mapping).filter(|(readable, _)| *readable).map(|(_, mapping)| mapping).collect())
}
