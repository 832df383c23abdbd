//! A fresh folder with a virtual board in it, and the runner.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use qpyflash_virtual::VirtualBus;
use serde_json::Value;
use tempfile::TempDir;

/// Bytes per second of the lines: slow enough that a cable can be pulled in the middle of a write.
const SPEED: u64 = 100_000;

/// Plays the board of the folder.
const PLAY: [&str; 4] = ["board.toml", "--yes", "--report", "report"];

/// A fresh folder.
pub struct Desk(TempDir);

/// What the runner has said, and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Desk {
    /// A folder with a board file `board.toml` for a virtual module of that kind.
    pub fn with(kind: &str, more: &str) -> Desk {
        let desk = Desk(TempDir::with_prefix("qpyflash-evb-").unwrap());
        let board = format!("name = 'desk'\nvirtual = '{kind}'\nbytes-per-second = {SPEED}\n{more}\n");
        desk.file("board.toml", &board);
        desk
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A shell script in place of `qpyflash`; `$REAL` is the real one. It is written by a shell, so that no process
    /// that another test starts meanwhile holds it open.
    pub fn script(&self, text: &str) -> PathBuf {
        let path = self.path().join("sabotaged");
        let mut shell = Command::new("sh")
            .args(["-c", "cat > sabotaged && chmod +x sabotaged"])
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let script = format!("#!/bin/sh\nREAL='{}'\n{text}\n", qpyflash().display());
        shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qpyflash-hil"));
        command
            .arg("evb")
            .args(arguments)
            .current_dir(self.path())
            .env("QPYFLASH_TIMEOUT_SCALE", "0.3")
            .env("HOME", self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `qpyflash-hil evb` with these arguments.
    pub fn evb(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }

    /// Plays on modules of that bus, which are no virtual ones for the runner.
    pub fn play_on(&self, bus: &VirtualBus, arguments: &[&str]) -> Ended {
        let (variable, path) = bus.environment();
        ended(self.command(&[&PLAY, arguments].concat()).env(variable, path))
    }

    /// Plays scenarios; the report is in the folder `report`.
    pub fn play(&self, arguments: &[&str]) -> Ended {
        self.evb(&[&PLAY, arguments].concat())
    }

    /// Starts to play, and returns when it has said `words`.
    pub fn play_until(&self, words: &str, arguments: &[&str]) -> Child {
        let (child, mut stdout) = self.hear(words, arguments);
        // It must never wait for us to read.
        std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
        child
    }

    /// The same, and nobody hears what it says afterwards.
    pub fn play_until_closed(&self, words: &str, arguments: &[&str]) -> Child {
        self.hear(words, arguments).0
    }

    fn hear(&self, words: &str, arguments: &[&str]) -> (Child, impl BufRead + Send + use<>) {
        let all = [&PLAY, arguments].concat();
        let mut child = self.command(&all).stderr(Stdio::null()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains(words) {
            let heard = stdout.fill_buf().unwrap().to_vec();
            assert!(!heard.is_empty(), "ended: {}", String::from_utf8_lossy(&said));
            stdout.consume(heard.len());
            said.extend(heard);
        }
        (child, stdout)
    }

    /// `results.json` of the report.
    pub fn results(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path().join("report/results.json")).unwrap()).unwrap()
    }

    /// Every file below a folder.
    pub fn files(&self, folder: &str) -> Vec<PathBuf> {
        fn below(folder: &Path) -> Vec<PathBuf> {
            let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries
                .flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] })
                .collect()
        }
        below(&self.path().join(folder))
    }
}

fn ended(command: &mut Command) -> Ended {
    qpyflash();
    let output = command.output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The program under test, which the tests of the whole workspace build.
pub fn qpyflash() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_qpyflash-hil")).with_file_name("qpyflash");
    assert!(
        program.is_file(),
        "`{}` is missing: run `cargo build --package qpyflash` first",
        program.display()
    );
    program
}

/// The record of a scenario.
#[track_caller]
pub fn scenario<'r>(results: &'r Value, name: &str) -> &'r Value {
    let mut all = results["scenarios"].as_array().unwrap().iter();
    all.find(|one| one["name"] == name).unwrap()
}
