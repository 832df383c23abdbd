//! Every entry with the kept inputs and with changes of them, on any compiler. `FUZZ_RUNS` says how many changes.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold must end the test"
)]

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use qpyflash_fuzz::{ENTRIES, Entry};

/// Changed inputs for each entry, unless told.
const RUNS: usize = 3000;
/// No input grows beyond this.
const MOST_BYTES: usize = 4096;

#[test]
fn what_must_hold_holds_for_the_kept_inputs_and_changes_of_them() {
    let runs = std::env::var("FUZZ_RUNS").map_or(RUNS, |runs| runs.parse().expect("a count"));
    let threads: Vec<_> = ENTRIES
        .iter()
        .map(|entry| std::thread::spawn(move || smoke(entry, runs)))
        .collect();
    let results: Vec<_> = threads.into_iter().map(std::thread::JoinHandle::join).collect();
    assert!(
        results.iter().all(Result::is_ok),
        "see the inputs that are printed above"
    );
}

#[test]
fn every_entry_has_kept_inputs_and_a_target_for_the_fuzzer() {
    for (name, _) in ENTRIES {
        assert!(!kept(name).is_empty(), "corpus/{name}.txt has no input");
        let target = folder(&format!("fuzz/fuzz_targets/{name}.rs"));
        let text = std::fs::read_to_string(&target).expect("a target");
        assert!(text.contains(&format!("\"{name}\"")), "{}", target.display());
    }
}

fn smoke((name, entry): &Entry, runs: usize) {
    let inputs = kept(name);
    let tried = |input: &[u8]| {
        if catch_unwind(|| entry(input)).is_err() {
            let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
            panic!("`{name}` does not hold for {hex}");
        }
    };
    inputs.iter().for_each(|input| tried(input));
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for _ in 0..runs {
        tried(&changed(&inputs, &mut dice));
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The inputs of `corpus/NAME.txt`: one a line, in hex.
fn kept(name: &str) -> Vec<Vec<u8>> {
    let file = folder(&format!("corpus/{name}.txt"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    text.lines().map(unhex).collect()
}

fn unhex(line: &str) -> Vec<u8> {
    let digits: Vec<char> = line.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hex");
    digits.chunks(2).map(byte).collect()
}

/// One of the inputs, cut, mixed with another, and with some of its bytes changed.
fn changed(inputs: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let pick = |dice: &mut Dice| inputs[dice.below(inputs.len())].clone();
    let mut input = pick(dice);
    if dice.below(3) == 0 {
        let other = pick(dice);
        let (end, start) = (dice.below(input.len() + 1), dice.below(other.len() + 1));
        input.truncate(end);
        input.extend(&other[start..]);
    }
    for _ in 0..dice.below(8) {
        let place = dice.below(input.len() + 1);
        match dice.below(4) {
            0 => input.insert(place, dice.byte()),
            1 if place < input.len() => drop(input.remove(place)),
            2 if place < input.len() => input[place] = [0, 1, 0x7E, 0x7F, 0xFF][dice.below(5)],
            _ if place < input.len() => input[place] ^= 1 << dice.below(8),
            _ => {}
        }
    }
    input.truncate(MOST_BYTES);
    input
}

/// A xorshift generator: the same inputs on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end.max(1)
    }

    fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8
    }
}
