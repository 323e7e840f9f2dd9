//! Where things are: the repository, and the program that was built with the tests.

use std::path::{Path, PathBuf};

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
