//! Each target with its corpus, and with what comes of that by random changes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests"
)]

use std::{
    env, fs, panic,
    path::{Path, PathBuf},
};

use hither_fuzz::TARGETS;

/// How many changed inputs each target is given, unless `HITHER_FUZZ_INPUTS` says more. Few, for coverage does not lead here:
/// `scripts/fuzz.sh` is the search.
const INPUTS: u64 = 5_000;

fn inputs() -> u64 {
    env::var("HITHER_FUZZ_INPUTS").map_or(INPUTS, |number| number.parse().expect("it is a number"))
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz")
        .join(name)
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder("corpus").join(target)).expect("each target has a corpus");
    let mut inputs: Vec<_> = files
        .map(|file| fs::read(file.expect("it can be listed").path()).expect("it can be read"))
        .collect();
    inputs.sort();
    inputs
}

/// Xorshift: the same changes in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(4) {
            0 => input.insert(at, self.next() as u8),
            1 => input.truncate(at),
            2 => input.extend_from_within(at..),
            _ => match input.get_mut(at) {
                Some(byte) => *byte = self.next() as u8,
                None => input.push(self.next() as u8),
            },
        }
        input.truncate(512);
    }
}

#[test]
fn every_target_holds() {
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "the corpus of {name} is empty");
        let held = |input: &[u8]| {
            if panic::catch_unwind(|| target(input)).is_err() {
                panic!("{name} broke at {:?}", input.escape_ascii().to_string());
            }
        };
        corpus.iter().for_each(|input| held(input));
        let mut random = Random(1);
        for _ in 0..inputs() {
            let mut input = corpus[random.below(corpus.len())].clone();
            for _ in 0..=random.below(8) {
                random.change(&mut input);
            }
            held(&input);
        }
    }
}

#[test]
fn every_target_is_one_of_the_fuzzer() {
    let mut files: Vec<_> = fs::read_dir(folder("fuzz_targets"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert_eq!(files.len(), TARGETS.len());
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for ((name, _), file) in TARGETS.iter().zip(files) {
        let call = format!("libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hither_fuzz::{name}(bytes));");
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text, format!("#![no_main]\n\n{call}\n"), "{}", file.display());
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
    }
}
