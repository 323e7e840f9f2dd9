//! What a case prints on another system than Unix: `fixtures/cli/SYSTEM/CASE.toml` has those of `exit`, `stdout` and `stderr` that
//! differ there.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use support::repository;

/// The folder of this system's results; the cases themselves have those of Unix.
pub const SYSTEM: Option<&str> = if cfg!(windows) { Some("windows") } else { None };

/// What differs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    pub exit: Option<i32>,
    pub stdout: Option<String>,
    pub stderr: Option<String>,
}

/// A file in TOML.
pub fn read<T: DeserializeOwned>(file: &Path) -> T {
    toml::from_str(&fs::read_to_string(file).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn place(case: &Path) -> Option<PathBuf> {
    Some(case.parent().unwrap().join(SYSTEM?).join(case.file_name().unwrap()))
}

/// What this case prints on this system only.
pub fn results(case: &Path) -> Option<Results> {
    place(case).filter(|path| path.exists()).map(|path| read(&path))
}

/// Writes them, or removes the file where nothing differs.
pub fn write(case: &Path, results: &Results) {
    let Some(path) = place(case) else { return };
    let block = |name: &str, text: &Option<String>| {
        text.as_ref().map_or_else(String::new, |text| format!("{name} = '''\n{text}'''\n"))
    };
    let exit = results.exit.map_or_else(String::new, |exit| format!("exit = {exit}\n"));
    let body = format!("{exit}{}{}", block("stdout", &results.stdout), block("stderr", &results.stderr));
    if !body.is_empty() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, body).unwrap();
    } else if path.exists() {
        fs::remove_file(path).unwrap();
    }
}

/// A configuration whose absolute paths are such on this system: on a drive, where there are drives, and pipes where there are no
/// sockets.
pub fn with_absolute_paths(text: &str) -> String {
    if SYSTEM.is_none() {
        return text.to_owned();
    }
    let line = |line: &str| match line {
        // Nothing serves figures on a socket there.
        line if line.starts_with("metrics = \"unix:") => "\n".to_owned(),
        line => on_drives(line),
    };
    text.split_inclusive('\n').map(line).collect()
}

fn on_drives(line: &str) -> String {
    match line.strip_prefix("control = \"/").and_then(|path| path.trim_end().strip_suffix('"')) {
        Some(path) => format!("control = '\\\\.\\pipe\\{}'\n", path.replace('/', "-")),
        None => line.replace("\"/", "\"C:/"),
    }
}

/// A text with `[folder]` for the case's folder, and with `/` in paths in it; JSON has each backslash twice.
pub fn without_folder(text: &str, folder: &Path) -> String {
    let native = folder.display().to_string();
    if SYSTEM.is_none() {
        return text.replace(&native, "[folder]");
    }
    let text = text.replace(&native.replace('\\', "\\\\"), "[folder]");
    let text = text.replace(&native, "[folder]").replace(&repository::with_slashes(folder), "[folder]");
    let mut parts = text.split("[folder]");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_whitespace() || "\"',;:)".contains(c)).unwrap_or(part.len());
        let (path, rest) = part.split_at(end);
        out.push_str("[folder]");
        out.push_str(&path.replace("\\\\", "/").replace('\\', "/"));
        out.push_str(rest);
    }
    out.replace("C:/", "/")
}
