//! Where things are: the repository, its recordings, and the program that was built with the tests; and how a configuration names a path.

use std::path::{Path, PathBuf};

use pinwright::reader::fixture::Fixture;

/// The repository's top folder.
pub fn root() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this package is in tests/support")
}

/// `pinwright`: Cargo names it to tests and benches. One that is run by hand finds it beside its own folder, `deps`.
pub fn pinwright() -> PathBuf {
    let named = std::env::var_os("CARGO_BIN_EXE_pinwright").map(PathBuf::from);
    named.unwrap_or_else(|| {
        let own = std::env::current_exe().expect("this program has a path");
        let beside = own.ancestors().nth(2).expect("it is in a folder of the target folder").join("pinwright");
        beside.with_extension(std::env::consts::EXE_EXTENSION)
    })
}

/// The files below a folder of the repository, in order; none where there is no such folder.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// The recordings in `fixtures/apdu`, in order of their paths.
pub fn recordings() -> Vec<(PathBuf, Fixture)> {
    let is_recording = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "apdu");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let fixture = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, fixture)
    };
    files("fixtures/apdu").into_iter().filter(is_recording).map(read).collect()
}

/// A path as TOML takes it between quotation marks, on every system.
pub fn with_slashes(path: &Path) -> String {
    path.display().to_string().replace(std::path::MAIN_SEPARATOR, "/")
}
