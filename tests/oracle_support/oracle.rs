//! An oracle process: one module, its flash, and its verdict. The test that includes this names the oracle in
//! [`crate::COURT`].

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::COURT;
use crate::pty::Pty;

/// Which oracle a test appeals to.
pub(crate) struct Court {
    /// Its program, in the folder of the oracles.
    pub program: &'static str,
    /// Where the inputs lie, in the folder of the vectors.
    pub vectors: &'static str,
    /// Emulators that run at once: more would only make each other late.
    pub at_once: u32,
    /// Longer waits are cut to this, and the clock is put forward: the oracle answers in milliseconds or never.
    pub longest_wait: Duration,
}

/// Leaves the test, loudly, where the oracles are not.
macro_rules! court {
    () => {
        if !$crate::oracle::in_session() {
            return;
        }
    };
}
pub(crate) use court;

/// Whether there is an oracle.
pub(crate) fn in_session() -> bool {
    let there = oracles().join(COURT.program).is_file();
    if !there {
        // Past the test harness, which would swallow it.
        let _ = writeln!(
            std::io::stderr(),
            "\n!!! SKIPPED: {} is missing, nothing was proven against the vendor's own loaders !!!\n",
            oracles().display()
        );
    }
    there
}

fn shared() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared"))
}

fn oracles() -> PathBuf {
    std::env::var_os("QPYFLASH_ORACLES").map_or_else(|| shared().join("oracles"), PathBuf::from)
}

/// Where an input lies.
pub(crate) fn vector_path(name: &str) -> PathBuf {
    let vectors =
        std::env::var_os("QPYFLASH_VECTORS").map_or_else(|| shared().join("vectors"), PathBuf::from);
    vectors.join(COURT.vectors).join(name)
}

/// An input.
pub(crate) fn vector(name: &str) -> Vec<u8> {
    let path = vector_path(name);
    std::fs::read(&path).unwrap_or_else(|why| panic!("the vector {} is needed: {why}", path.display()))
}

/// A Python that can run the oracle; made once if nobody names one.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| match std::env::var_os("QPYFLASH_ORACLE_PYTHON") {
        Some(python) => PathBuf::from(python),
        None => make_python(),
    })
}

fn make_python() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle-venv");
    let python = home.join("bin/python");
    let works = |python: &Path| {
        let import = Command::new(python).args(["-c", "import unicorn"]).output();
        import.is_ok_and(|output| output.status.success())
    };
    if works(&python) {
        return python;
    }
    let must = |what: &mut Command| {
        let output = what
            .output()
            .unwrap_or_else(|why| panic!("{what:?}: {why}: install python3 with venv"));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{what:?} failed: {words}\nthe oracle needs `unicorn`: make a virtual environment with \
             `pip install -r {}/requirements.txt` and name its python in QPYFLASH_ORACLE_PYTHON",
            oracles().display()
        );
    };
    must(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
    let requirements = oracles().join("requirements.txt");
    must(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "-r"])
            .arg(requirements),
    );
    python
}

/// Emulators that may be started now.
static FREE: (Mutex<u32>, Condvar) = (Mutex::new(COURT.at_once), Condvar::new());

/// The right to run one.
struct Turn;

impl Turn {
    fn take() -> Turn {
        let free = FREE.0.lock().expect("no test panics here");
        *FREE
            .1
            .wait_while(free, |free| *free == 0)
            .expect("no test panics here") -= 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *FREE.0.lock().expect("no test panics here") += 1;
        FREE.1.notify_one();
    }
}

/// A module that executes the vendor's loaders.
pub(crate) struct Oracle {
    process: Child,
    lines: BufReader<ChildStdout>,
    pty: PathBuf,
    folder: TempDir,
    _turn: Turn,
}

/// What the flash holds after the run.
pub(crate) struct Flash {
    path: PathBuf,
    _folder: TempDir,
}

impl Flash {
    pub fn path(&self) -> &str {
        self.path.to_str().expect("a plain path")
    }

    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.path).expect("the oracle has written its flash")
    }
}

impl Oracle {
    pub fn start(arguments: &[&str]) -> Oracle {
        let turn = Turn::take();
        let folder = TempDir::new().expect("a folder for the flash");
        let mut process = Command::new(python())
            .arg(oracles().join(COURT.program))
            .args(["--idle-s", "60", "--flash-out"])
            .arg(folder.path().join("flash.bin"))
            .arg("--log")
            .arg(folder.path().join("log.jsonl"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the oracle can be started");
        let mut lines = BufReader::new(process.stdout.take().expect("its output is piped"));
        let start = line(&mut lines);
        let pty = PathBuf::from(start["pty"].as_str().expect("it names its port"));
        Oracle {
            process,
            lines,
            pty,
            folder,
            _turn: turn,
        }
    }

    /// Opens the port.
    pub fn wire(&self) -> Pty {
        Pty::open(&self.pty)
    }

    /// Pulls the plug and puts it in again.
    pub fn power_cycle(&self) {
        let before = self.power_cycles();
        self.signal(rustix::process::Signal::USR1);
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.power_cycles() == before {
            assert!(Instant::now() < deadline, "the module was not power-cycled");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// As its journal has them.
    fn power_cycles(&self) -> usize {
        let journal = std::fs::read_to_string(self.folder.path().join("log.jsonl"));
        journal.map_or(0, |lines| lines.matches("\"power_cycle\"").count())
    }

    /// The run has reset the module, the loaders are content, and no rule was broken.
    pub fn finish_at_reset(mut self) -> (Value, Flash) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.process.try_wait().expect("it can be asked").is_none() {
            assert!(Instant::now() < deadline, "the module was not reset");
            std::thread::sleep(Duration::from_millis(10));
        }
        self.end(true)
    }

    /// Stops the module; no rule was broken.
    pub fn finish(self) -> (Value, Flash) {
        self.finish_with(true)
    }

    /// Stops the module.
    pub fn finish_with(mut self, strict: bool) -> (Value, Flash) {
        if self.process.try_wait().expect("it can be asked").is_none() {
            self.signal(rustix::process::Signal::TERM);
        }
        self.end(strict)
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, signal).expect("it can be signalled");
    }

    fn end(&mut self, strict: bool) -> (Value, Flash) {
        let summary = line(&mut self.lines);
        assert!(self.process.wait().expect("it ends").success(), "{summary}");
        if strict {
            assert_eq!(summary["error"], Value::Null, "{summary}");
            assert_eq!(summary["violations"], Value::Array(Vec::new()), "{summary}");
        }
        let folder = std::mem::replace(&mut self.folder, TempDir::new().expect("a folder"));
        let path = folder.path().join("flash.bin");
        (
            summary,
            Flash {
                path,
                _folder: folder,
            },
        )
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log.jsonl")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(20)..];
            eprintln!("the oracle's journal ends with:\n{}", last.join("\n"));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn line(lines: &mut impl BufRead) -> Value {
    let mut text = String::new();
    lines.read_line(&mut text).expect("the oracle speaks");
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("the oracle said {text:?}: {why}"))
}

/// Runs all cases, two at a time: emulation is work for a core.
pub fn two_at_once<T: Sync>(cases: &[T], run: impl Fn(&T) + Sync) {
    let half = |first: usize| cases.iter().skip(first).step_by(2).for_each(&run);
    std::thread::scope(|scope| {
        scope.spawn(|| half(0));
        half(1);
    });
}
