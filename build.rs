//! Puts what Windows reads of a program into pinwright.exe: its manifest, and what Explorer shows under "Details". Elsewhere it does
//! nothing.
#![allow(clippy::print_stdout, reason = "cargo is told so")]

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

const MANIFEST: &str = "packaging/windows/pinwright.manifest";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={MANIFEST}");
    // Programs for Windows are built with MinGW alone, which has a compiler of resources.
    if (env::var("CARGO_CFG_TARGET_OS")?.as_str(), env::var("CARGO_CFG_TARGET_ENV")?.as_str()) != ("windows", "gnu") {
        return Ok(());
    }
    let folder = env::var("OUT_DIR")?;
    let (script, object) = (Path::new(&folder).join("pinwright.rc"), Path::new(&folder).join("pinwright.o"));
    fs::write(&script, resources(&env::var("CARGO_PKG_VERSION")?, &env::var("CARGO_PKG_DESCRIPTION")?))?;
    let compiler = format!("{}-w64-mingw32-windres", env::var("CARGO_CFG_TARGET_ARCH")?);
    let status = Command::new(&compiler).arg(&script).arg(&object).status();
    let status = status.map_err(|error| format!("{compiler} (Debian: binutils-mingw-w64) can't be run: {error}"))?;
    if !status.success() {
        return Err(format!("{compiler} has failed: {status}").into());
    }
    println!("cargo:rustc-link-arg-bin=pinwright={}", object.display());
    Ok(())
}

/// 1 VERSIONINFO (FILEOS VOS_NT_WINDOWS32, FILETYPE VFT_APP; texts in English, as UTF-16) and 1 RT_MANIFEST.
fn resources(version: &str, description: &str) -> String {
    let numbers = version.split(['.', '-', '+']).map_while(|number| number.parse::<u16>().ok()).chain([0; 4]).take(4);
    let numbers = numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    format!(
        r#"1 24 "{MANIFEST}"
1 VERSIONINFO
FILEVERSION {numbers}
PRODUCTVERSION {numbers}
FILEOS 0x40004
FILETYPE 1
{{
  BLOCK "StringFileInfo"
  {{
    BLOCK "040904B0"
    {{
      VALUE "CompanyName", "The pinwright developers"
      VALUE "FileDescription", "{description}"
      VALUE "FileVersion", "{version}"
      VALUE "InternalName", "pinwright"
      VALUE "LegalCopyright", "Copyright 2026 The pinwright developers. Apache License 2.0"
      VALUE "OriginalFilename", "pinwright.exe"
      VALUE "ProductName", "pinwright"
      VALUE "ProductVersion", "{version}"
    }}
  }}
  BLOCK "VarFileInfo"
  {{
    VALUE "Translation", 0x0409, 0x04B0
  }}
}}
"#
    )
}
