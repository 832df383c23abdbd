//! The program under test, run as a person runs it: its command line, its events, its end.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Judged, Stop};

/// How soon Ctrl-C is noticed.
const GLANCE: Duration = Duration::from_millis(50);
/// Longest silence of a run: no time-out of the program is longer.
const SILENCE: Duration = Duration::from_secs(300);
/// Longest time from Ctrl-C to the end of a run.
const LAST_WORDS: Duration = Duration::from_secs(60);
/// Variables of the program that go on to it; all the others would change what is proven.
const KEPT: [&str; 3] = [
    "QPYFLASH_TIMEOUT_SCALE",
    "QPYFLASH_TRANSPORT",
    qpyflash_virtual::BUS_VARIABLE,
];

/// The program.
#[derive(Debug, Clone)]
pub struct Tool {
    pub program: PathBuf,
    /// The virtual bus, if the module is virtual.
    pub bus: Option<PathBuf>,
    /// Set by Ctrl-C.
    pub interrupted: Arc<AtomicBool>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// None when a signal killed it.
    pub code: Option<i32>,
    /// The outcome of a run, or the object that a question is answered with.
    pub said: Value,
    pub stderr: String,
    pub seconds: f64,
}

/// A run at work.
pub struct Running(Child);

impl Running {
    /// Kills it, without a chance to say a word.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    fn signal(&self, signal: Signal) {
        // It may have ended already.
        let _ = kill_process(Pid::from_child(&self.0), signal);
    }
}

impl Tool {
    /// The factor of every time-out, which the program gets, too.
    pub fn scale(&self) -> f64 {
        let given = std::env::var("QPYFLASH_TIMEOUT_SCALE")
            .ok()
            .and_then(|text| text.parse().ok());
        given
            .filter(|factor| (0.01..=100.0).contains(factor))
            .unwrap_or(1.0)
    }

    /// What it says of its version.
    pub fn version(&self) -> std::io::Result<String> {
        let said = Command::new(&self.program).arg("--version").output()?.stdout;
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    }

    /// Asks the program something that changes nothing. Ctrl-C does not end it: it is soon done.
    pub fn ask(&self, words: &[&str]) -> Judged<Ended> {
        let words: Vec<String> = words
            .iter()
            .map(|word| (*word).to_owned())
            .chain(["--json".into()])
            .collect();
        self.start(&words, None, false, &mut |_, _| Ok(()))
    }

    /// Runs the program and hands on each event. Everything it says is kept in `folder`, with a trace.
    pub fn run(
        &self,
        words: &[String],
        folder: &Path,
        mut at_event: impl FnMut(&Value, &Running) -> Judged,
    ) -> Judged<Ended> {
        fs::create_dir_all(folder)?;
        fs::write(
            folder.join("command.txt"),
            format!("qpyflash {}\n", words.join(" ")),
        )?;
        let trace = folder.join("trace.jsonl").display().to_string();
        let mut words = words.to_vec();
        words.extend([
            "--jsonl".into(),
            "--non-interactive".into(),
            "--trace".into(),
            trace,
        ]);
        self.start(&words, Some(folder), true, &mut at_event)
    }

    fn start(
        &self,
        words: &[String],
        folder: Option<&Path>,
        heeds_ctrl_c: bool,
        at_event: &mut dyn FnMut(&Value, &Running) -> Judged,
    ) -> Judged<Ended> {
        let began = Instant::now();
        let errors = tempfile::NamedTempFile::new()?;
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            let is_ours = name.to_string_lossy().starts_with("QPYFLASH_");
            if is_ours && !KEPT.iter().any(|kept| name == *kept) {
                command.env_remove(name);
            }
        }
        if let Some(bus) = &self.bus {
            command.env(qpyflash_virtual::BUS_VARIABLE, bus);
        }
        // A group of its own: a terminal's Ctrl-C reaches it through us alone, and once.
        command.args(words).process_group(0);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors.reopen()?);
        let mut child = command
            .spawn()
            .map_err(|why| format!("cannot start `{}`: {why}", self.program.display()))?;
        let lines = read_lines(&mut child)?;
        let mut running = Running(child);
        let listened = self.listen(&running, &lines, heeds_ctrl_c, at_event);
        if listened.is_err() {
            running.kill();
        }
        let status = running.0.wait()?;
        let stderr = fs::read_to_string(errors.path())?;
        let stdout = listened
            .as_ref()
            .map(|lines| lines.join("\n"))
            .unwrap_or_default();
        if let Some(folder) = folder {
            fs::write(folder.join("events.jsonl"), &stdout)?;
            fs::write(folder.join("stderr.txt"), &stderr)?;
        }
        listened?;
        Ok(Ended {
            code: status.code(),
            said: last_word(&stdout),
            stderr,
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    /// Hears a run until it is silent for ever; returns its lines.
    fn listen(
        &self,
        running: &Running,
        lines: &Receiver<String>,
        heeds_ctrl_c: bool,
        at_event: &mut dyn FnMut(&Value, &Running) -> Judged,
    ) -> Judged<Vec<String>> {
        let mut said = Vec::new();
        let mut went_wrong = None;
        let mut deadline = Instant::now() + SILENCE;
        let mut was_told = false;
        loop {
            if heeds_ctrl_c && !was_told && self.interrupted.load(Ordering::Relaxed) {
                was_told = true;
                running.interrupt();
                deadline = Instant::now() + LAST_WORDS;
            }
            match lines.recv_timeout(GLANCE) {
                Ok(line) => {
                    if let Ok(event) = serde_json::from_str::<Value>(&line)
                        && event["kind"].is_string()
                        && went_wrong.is_none()
                        && let Err(stop) = at_event(&event, running)
                    {
                        // The run is let come to a safe end all the same.
                        went_wrong = Some(stop);
                        running.interrupt();
                    }
                    said.push(line);
                    if !was_told {
                        deadline = Instant::now() + SILENCE;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return went_wrong.map_or(Ok(said), Err),
                Err(RecvTimeoutError::Timeout) if Instant::now() > deadline => {
                    return Err(Stop::Failed(
                        "the program said nothing more, and did not end".into(),
                    ));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// A run must never wait for us to read.
fn read_lines(child: &mut Child) -> Judged<Receiver<String>> {
    let stdout = child
        .stdout
        .take()
        .ok_or_else(|| Stop::Failed("no stdout".into()))?;
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    Ok(lines)
}

/// The outcome in the last event, or the one object of `--json`.
fn last_word(stdout: &str) -> Value {
    let last = stdout
        .lines()
        .last()
        .and_then(|line| serde_json::from_str::<Value>(line).ok());
    match last {
        Some(mut event) if event["kind"] == "finished" => event["outcome"].take(),
        _ => serde_json::from_str(stdout).unwrap_or_default(),
    }
}

/// The program beside this one, or the one that was named.
///
/// # Errors
/// There is none, and it does not build.
pub fn find(given: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(given) = given {
        return fs::canonicalize(given).map_err(|why| format!("no program `{}`: {why}", given.display()));
    }
    let here = std::env::current_exe().map_err(|why| why.to_string())?;
    let beside = here.with_file_name("qpyflash");
    if File::open(&beside).is_ok() {
        return Ok(beside);
    }
    Err(format!(
        "there is no `{}`: build it with `cargo build --package qpyflash`, or name it with `--qpyflash`",
        beside.display()
    ))
}
