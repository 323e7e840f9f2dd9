//! No import circle in a folder: what one file needs of another it takes in one direction only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The folders, below `src/`, that are held to it.
const FOLDERS: [&str; 1] = ["server"];

type Module = Vec<String>;
type Graph = BTreeMap<Module, BTreeSet<Module>>;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    found.sort();
    found
}

/// `src/server/wire/mod.rs` is the module `server::wire`.
fn module(path: &Path, source: &Path) -> Module {
    let path = path.strip_prefix(source).unwrap().with_extension("");
    let mut names: Module = path.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
    names.pop_if(|name| name == "mod");
    names
}

/// The code of a file without comments, visibilities, and its tests, which may import what they like.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n").replace("pub(in crate::", "pub(in ")
}

/// Each path that code names from `start` on (`super::`, `self::`, `crate::`), those of a `use` list written out.
fn paths(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for start in ["super::", "self::", "crate::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_none_or(|character| !character.is_alphanumeric() && !matches!(character, '_' | ':')) {
                spell_out(&code[at..], &mut Vec::new(), &mut found);
            }
        }
    }
    found
}

/// Adds the paths that a text begins with, and gives what is left of it.
fn spell_out<'a>(text: &'a str, before: &mut Module, found: &mut Vec<Module>) -> &'a str {
    let depth = before.len();
    let mut rest = text.trim_start();
    loop {
        if let Some(list) = rest.strip_prefix('{') {
            rest = list;
            while !rest.starts_with('}') && !rest.is_empty() {
                rest = spell_out(rest, before, found).trim_start().trim_start_matches(',').trim_start();
            }
            rest = rest.strip_prefix('}').unwrap_or(rest);
            break;
        }
        let end = rest.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(rest.len());
        before.push(rest[..end].to_owned());
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(next) => rest = next,
            None => {
                found.push(before.clone());
                // `as Name`, type parameters and the like end the path.
                let end = rest.find([',', '}', ';', '\n']).unwrap_or(rest.len());
                rest = if depth == 0 { rest } else { &rest[end..] };
                break;
            }
        }
    }
    before.truncate(depth);
    rest
}

/// The module of the folder that a path in `from` leads to: the longest part of it that is a file.
fn leads_to(path: &Module, from: &Module, files: &BTreeSet<Module>) -> Option<Module> {
    let mut place = from.clone();
    for name in path {
        match name.as_str() {
            "crate" => place.clear(),
            "self" => {}
            "super" => drop(place.pop()),
            name => place.push(name.to_owned()),
        }
    }
    (0..=place.len()).rev().map(|length| place[..length].to_vec()).find(|part| files.contains(part))
}

fn graph(source: &Path, folder: &str) -> Graph {
    let found = files(&source.join(folder));
    let modules: BTreeSet<Module> = found.iter().map(|path| module(path, source)).collect();
    found
        .iter()
        .map(|path| {
            let (from, code) = (module(path, source), code(path));
            let declared = code
                .lines()
                .filter_map(|line| line.trim().strip_suffix(';')?.split("mod ").nth(1))
                .map(|name| from.iter().cloned().chain([name.to_owned()]).collect::<Module>());
            let imported = paths(&code).into_iter().filter_map(|path| leads_to(&path, &from, &modules));
            let to =
                imported.chain(declared.filter(|module| modules.contains(module))).filter(|to| *to != from).collect();
            (from, to)
        })
        .collect()
}

/// A circle, if there is one: files that import nothing of the rest are taken away until none is left.
fn circle(mut graph: Graph) -> Vec<String> {
    loop {
        let free: Vec<Module> = graph
            .iter()
            .filter(|(_, to)| !to.iter().any(|to| graph.contains_key(to)))
            .map(|(from, _)| from.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        free.iter().for_each(|module| drop(graph.remove(module)));
    }
    let arrow = |(from, to): (&Module, &BTreeSet<Module>)| {
        let to: Vec<String> = to.iter().filter(|to| graph.contains_key(*to)).map(|to| to.join("::")).collect();
        format!("{} imports {}", from.join("::"), to.join(", "))
    };
    graph.iter().map(arrow).collect()
}

#[test]
fn no_circle() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for folder in FOLDERS {
        let graph = graph(&source, folder);
        assert!(graph.values().map(BTreeSet::len).sum::<usize>() > graph.len(), "{folder}: hardly an import was found");
        assert_eq!(circle(graph), Vec::<String>::new(), "{folder}");
    }
}

#[test]
fn a_circle_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join("a").join(name), text).unwrap();
    fs::create_dir_all(folder.path().join("a/c")).unwrap();
    write("mod.rs", "mod b;\nmod c;\npub use self::b::B;\n");
    write("b.rs", "use std::fmt;\nuse super::c::{self, d::{D, E as F}};\n");
    write("c/mod.rs", "pub mod d;\n");
    write("c/d.rs", "// use super::super::b::B;\npub struct D;\n#[cfg(test)]\nmod tests { use crate::a::b::B; }\n");
    assert_eq!(circle(graph(folder.path(), "a")), Vec::<String>::new());
    for text in
        ["use super::super::b::B;", "use crate::a::{\n    b::B,\n};", "fn f() { crate::a::b::g() }", "use crate::a::B;"]
    {
        write("c/d.rs", text);
        let circle = circle(graph(folder.path(), "a")).join("\n");
        assert!(circle.contains("a::c::d imports a"), "{text}: {circle}");
    }
}
