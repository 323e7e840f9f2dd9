//! A short run of every fuzz target on stable Rust: the functions that `fuzz/` gives to libFuzzer, over the same seeds and
//! over mutations of them. Deterministic: a failure names target, seed and round, and comes again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use pinwright::fuzzing::{TARGETS, run};
use support::repository::root;
use support::seeds;

/// Executions of each target, beside those of its seeds; fewer where a debug build is slow.
const ROUNDS: usize = 4000;
const TIME: Duration = Duration::from_secs(2);
/// As `-max_len` of the long run.
const LONGEST: usize = 4096;

#[test]
fn every_target_holds_on_its_seeds_and_near_them() {
    let threads = TARGETS.map(|(name, _)| (name, std::thread::spawn(move || short_run(name))));
    let failures: Vec<_> =
        threads.into_iter().filter_map(|(name, thread)| thread.join().is_err().then_some(name)).collect();
    assert!(failures.is_empty(), "{failures:?}");
}

fn short_run(target: &str) {
    let seeds: Vec<_> = seeds::seeds(target);
    assert!(!seeds.is_empty(), "no seed for {target}");
    for (name, seed) in &seeds {
        attempt(target, name, seed);
    }
    let mut rng = fastrand::Rng::with_seed(0x7069_6E77);
    let start = Instant::now();
    let mut rounds = 0;
    while rounds < ROUNDS && start.elapsed() < TIME {
        let (name, seed) = &seeds[rng.usize(..seeds.len())];
        let other = &seeds[rng.usize(..seeds.len())].1;
        let mut input = seed.clone();
        (0..rng.usize(1..6)).for_each(|_| mutate(&mut input, other, &mut rng));
        input.truncate(LONGEST);
        attempt(target, &format!("{name}, round {rounds}"), &input);
        rounds += 1;
    }
    println!("{target}: {} seeds, {rounds} mutations, {:?}", seeds.len(), start.elapsed());
}

fn attempt(target: &str, name: &str, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| run(target, input))).is_err() {
        panic!("{target} fails on {name}: {:?}\n{}", String::from_utf8_lossy(input), hex::encode(input));
    }
}

/// One change: bits, bytes that parsers look for, pieces taken out, doubled, or from another seed.
fn mutate(input: &mut Vec<u8>, other: &[u8], rng: &mut fastrand::Rng) {
    const TELLING: [u8; 24] = *b"\x00\x01\x1f\x53\x61\x6c\x7f\x80\x81\x82\x83\x90\xc0\xdf\xff\"\\{}[]\n#=";
    let at = rng.usize(..=input.len());
    let end = rng.usize(at..=input.len()).min(at + 16);
    match rng.u8(..8) {
        0 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
        1 if at < input.len() => input[at] = TELLING[rng.usize(..TELLING.len())],
        2 if at < input.len() => input[at] = rng.u8(..),
        3 => input.insert(at, TELLING[rng.usize(..TELLING.len())]),
        4 => drop(input.drain(at..end)),
        5 => {
            let piece = input[at..end].to_vec();
            input.splice(at..at, piece);
        }
        6 => {
            let from = rng.usize(..=other.len());
            let to = rng.usize(from..=other.len()).min(from + 32);
            input.splice(at..end, other[from..to].iter().copied());
        }
        _ => input.truncate(at.max(input.len() / 2)),
    }
}

/// `fuzz/seed.sh` runs this: the seeds as files, where cargo-fuzz looks for them.
#[test]
#[ignore = "writes fuzz/corpus"]
fn unpack_the_seeds() {
    for (target, _) in TARGETS {
        let folder = root().join("fuzz/corpus").join(target);
        fs::create_dir_all(&folder).unwrap();
        let seeds = seeds::seeds(target);
        for (name, seed) in &seeds {
            fs::write(folder.join(name.replace('/', "-")), &seed[..seed.len().min(LONGEST)]).unwrap();
        }
        println!("{target}: {} seeds", seeds.len());
    }
}
