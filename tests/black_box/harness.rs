//! Starts the real binary, never waits for it longer than [`DEADLINE`], and keeps everything it says.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::io::{BufRead, BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// No run of these tests comes near it; one that is not bounded as it should be ends here.
const DEADLINE: Duration = Duration::from_secs(60);
/// Variables a person may have set, which would change what is tested.
const OPTIONS: [&str; 21] = [
    "LANG",
    "LC_ALL",
    "LC_MESSAGES",
    "QPYFLASH_LANG",
    "QPYFLASH_PORT",
    "QPYFLASH_PATH",
    "QPYFLASH_OC",
    "QPYFLASH_BAUD",
    "QPYFLASH_BEFORE",
    "QPYFLASH_COLOR",
    "QPYFLASH_NON_INTERACTIVE",
    "QPYFLASH_TIMEOUT_SCALE",
    "QPYFLASH_TRACE",
    "QPYFLASH_FIXTURE",
    "QPYFLASH_OPERATOR",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
];

/// Cases in work at once: they mostly wait for time-outs and restarts.
const AT_ONCE: usize = 8;

/// Tests every case, several at once, and names those that failed.
#[track_caller]
pub fn each<C: Sync + Debug>(cases: &[C], test: impl Fn(&C) + Sync) {
    each_of(AT_ONCE, cases, test);
}

/// The same, so many at once.
#[track_caller]
pub fn each_of<C: Sync + Debug>(at_once: usize, cases: &[C], test: impl Fn(&C) + Sync) {
    let (next, test) = (AtomicUsize::new(0), &test);
    let work = || {
        let mut failed = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if catch_unwind(AssertUnwindSafe(|| test(case))).is_err() {
                failed.push(format!("{case:.200?}"));
            }
        }
        failed
    };
    let failed: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once.min(cases.len())).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    assert!(
        failed.is_empty(),
        "{} of {} cases failed:\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n")
    );
}

/// A command line of `qpyflash`, not yet started.
pub struct Run(pub Command);

impl Run {
    /// `program` with these arguments, on the virtual bus that `bus` names.
    pub fn new(program: &OsStr, bus: (&str, &OsStr), arguments: &[&str]) -> Run {
        let mut command = Command::new(program);
        OPTIONS.iter().for_each(|name| {
            command.env_remove(name);
        });
        command.args(arguments).env(bus.0, bus.1).env("TZ", "UTC");
        Run(command)
    }

    /// Every time-out so many times longer.
    pub fn scale(mut self, factor: &str) -> Run {
        self.0.env("QPYFLASH_TIMEOUT_SCALE", factor);
        self
    }

    /// For a run that waits for something in vain: a tenth of the time-outs, and still three times a heartbeat.
    pub fn hasty(self) -> Run {
        self.scale("0.1")
    }

    pub fn start(self) -> Running {
        self.start_with(Stdio::null())
    }

    /// Starts it so that it can be told something.
    pub fn start_listening(self) -> Running {
        self.start_with(Stdio::piped())
    }

    fn start_with(mut self, stdin: Stdio) -> Running {
        let began = Instant::now();
        self.0.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.0.spawn().expect("the binary starts");
        let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            stderr
                .read_to_string(&mut text)
                .map(|_| text)
                .expect("stderr is text")
        });
        Running {
            child: Some(child),
            lines,
            stdout: Vec::new(),
            stderr: Some(stderr),
            began,
            deadline: DEADLINE,
        }
    }

    pub fn end(self) -> Ended {
        self.start().end()
    }
}

/// A `qpyflash` at work. Dropping it ends it.
pub struct Running {
    child: Option<Child>,
    lines: Receiver<String>,
    stdout: Vec<String>,
    stderr: Option<JoinHandle<String>>,
    began: Instant,
    deadline: Duration,
}

impl Running {
    /// For a run that lasts longer because of what it is given.
    pub fn allow(&mut self, deadline: Duration) {
        self.deadline = deadline;
    }

    /// The next line of stdout; none when it is closed.
    fn line(&mut self) -> Option<&str> {
        let left = self.deadline.saturating_sub(self.began.elapsed());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                self.stdout.push(line);
                self.stdout.last().map(String::as_str)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                let said = self.stdout.join("\n");
                self.kill();
                let stderr = self.stderr.take().map(|reader| reader.join().unwrap());
                panic!(
                    "still running after {:?}\n{said}\n{}",
                    self.deadline,
                    stderr.unwrap()
                )
            }
        }
    }

    /// Waits for an event of the JSON-lines stream.
    pub fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) {
        while let Some(line) = self.line() {
            if wanted(&serde_json::from_str(line).expect("each line is an event")) {
                return;
            }
        }
        panic!("ended without the event\n{}", self.stdout.join("\n"));
    }

    /// Waits until that many such events have come since the start.
    pub fn wait_for_nth(&mut self, nth: usize, wanted: impl Fn(&Value) -> bool) {
        let is_wanted = |line: &str| wanted(&serde_json::from_str(line).expect("each line is an event"));
        let mut seen = self.stdout.iter().filter(|line| is_wanted(line)).count();
        while seen < nth {
            match self.line().map(&is_wanted) {
                Some(is_one) => seen += usize::from(is_one),
                None => panic!("ended after {seen} of {nth} events\n{}", self.stdout.join("\n")),
            }
        }
    }

    /// Says a line on its stdin.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.child.as_mut().unwrap().stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    /// Waits for a line of what is meant for people.
    pub fn wait_for_line(&mut self, wanted: impl Fn(&str) -> bool) {
        while let Some(line) = self.line() {
            if wanted(line) {
                return;
            }
        }
        panic!("ended without the line\n{}", self.stdout.join("\n"));
    }

    /// Waits until a phase has begun.
    pub fn wait_for_phase(&mut self, phase: &str) {
        self.wait_for(|event| event["kind"] == "phase_started" && event["phase"] == phase);
    }

    /// Whether a phase has begun already.
    fn has_begun(&self, phase: &str) -> bool {
        let words = format!("\"kind\":\"phase_started\",\"phase\":\"{phase}\"");
        self.stdout.iter().any(|line| line.contains(&words))
    }

    /// Waits until a phase has begun, if it has not yet.
    pub fn wait_for_phase_or_later(&mut self, phase: &str) {
        if !self.has_begun(phase) {
            self.wait_for_phase(phase);
        }
    }

    /// Sends Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().unwrap();
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    pub fn end(mut self) -> Ended {
        while self.line().is_some() {}
        let status = self.child.take().unwrap().wait().unwrap();
        Ended {
            code: status.code(),
            stdout: std::mem::take(&mut self.stdout).join("\n"),
            stderr: self.stderr.take().unwrap().join().unwrap(),
            took: self.began.elapsed(),
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a `qpyflash` has said and how it ended.
#[derive(Debug)]
pub struct Ended {
    /// None when a signal killed it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Ended {
    /// The one object of `--json`.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|why| panic!("stdout is not one JSON object: {why}\n{self:#?}"))
    }

    /// The events of `--jsonl`: gap-free, and `finished` is the last and stands nowhere else.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let events: Vec<Value> = self
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}")))
            .collect();
        for (number, event) in events.iter().enumerate() {
            assert_eq!(event["seq"], number, "{event}");
            assert_eq!(event["schema"], 1, "{event}");
            assert_eq!(
                event["kind"] == "finished",
                number + 1 == events.len(),
                "{self:#?}"
            );
        }
        events
    }

    /// How the run ended, from `--json` or `--jsonl`.
    #[track_caller]
    pub fn outcome(&self) -> Value {
        let outcome = match self.stdout.starts_with("{\n") {
            true => self.json(),
            false => self
                .events()
                .pop()
                .map(|mut event| event["outcome"].take())
                .expect("an event"),
        };
        assert_eq!(outcome["schema"], 1, "{outcome:#}");
        assert_eq!(
            outcome["exit_code"].as_i64(),
            self.code.map(i64::from),
            "{self:#?}"
        );
        assert_eq!(outcome["error"].is_null(), self.code == Some(0), "{outcome:#}");
        outcome
    }

    /// Asserts the exit code, the code of the error, and how much was written; returns the outcome.
    #[track_caller]
    pub fn expect(&self, code: i32, error: &str, written: &str) -> Value {
        let outcome = self.outcome();
        let found = (self.code, &outcome["error"]["code"], &outcome["written"]["state"]);
        let wanted = (Some(code), &Value::from(error), &Value::from(written));
        assert_eq!(found, wanted, "{outcome:#}\n{}", self.stderr);
        outcome
    }

    /// Asserts that everything was written, and how that was confirmed; returns the outcome.
    #[track_caller]
    pub fn expect_written(&self, verdict: &str) -> Value {
        let outcome = self.outcome();
        let found = (self.code, &outcome["verdict"], &outcome["written"]["state"]);
        let wanted = (Some(0), &Value::from(verdict), &Value::from("complete"));
        assert_eq!(found, wanted, "{outcome:#}\n{}", self.stderr);
        outcome
    }
}
