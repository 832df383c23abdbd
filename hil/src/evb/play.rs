//! A scenario is played: its steps, one after the other, until one does not hold.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::bench::Bench;
use super::catalogue::{Event, Run, Step, placeholder};
use super::ending::{describe, expect, rate};
use super::hands::Deed;
use super::meanwhile::Meanwhile;
use super::report::StepRecord;
use super::tool::Ended;
use super::witness::Witness;
use super::{Judged, Stop};

/// How long a module may take to start and to answer; stretched like the time-outs of the program.
pub const START_WITHIN: Duration = Duration::from_secs(40);
/// How long a module that may have kept its firmware is waited for before it is taken for half-written.
pub const BOOTS_WITHIN: Duration = Duration::from_secs(15);

/// A scenario at play.
pub struct Play<'b> {
    pub bench: &'b Bench,
    /// Where everything that is said is kept.
    pub folder: PathBuf,
    pub backups: PathBuf,
    pub records: Vec<StepRecord>,
    /// Bytes per second of the write phases that are to be reported.
    pub rates: Vec<f64>,
    /// Whether the last write may have left the flash half-written.
    pub is_half_written: bool,
    remembered: Option<Witness>,
}

impl<'b> Play<'b> {
    pub fn new(bench: &'b Bench, folder: PathBuf, backups: PathBuf) -> Self {
        Play {
            bench,
            folder,
            backups,
            records: Vec::new(),
            rates: Vec::new(),
            is_half_written: false,
            remembered: None,
        }
    }

    /// Does a step.
    pub fn step(&mut self, step: &Step) -> Judged {
        let began = Instant::now();
        let known = self.records.len();
        let (what, done) = match step {
            Step::Identify => ("identify", self.identify()),
            Step::Remember => ("remember", self.remember()),
            Step::Unchanged => ("unchanged", self.unchanged()),
            Step::Run(run) => ("run", self.run(run)),
            Step::Runs { package } => ("runs", self.runs(package)),
            Step::Recover => ("recover", self.recover()),
            Step::DownloadMode => ("download-mode", self.download_mode()),
        };
        if self.records.len() == known {
            self.records
                .push(StepRecord::of(what, began.elapsed().as_secs_f64()));
        }
        if let (Err(stop), Some(record)) = (&done, self.records.last_mut()) {
            record.why = Some(stop.to_string());
        }
        done
    }

    fn identify(&mut self) -> Judged {
        let identity = self.ask_identity()?;
        let said = identity["ordering_code"].as_str().unwrap_or("nothing");
        if said != self.bench.label.first_part() {
            return Err(Stop::Failed(format!(
                "the label says {}, the module says {said}",
                self.bench.label.first_part()
            )));
        }
        let revision = identity["revision_text"].as_str().unwrap_or("no revision");
        say!("    {said}, `{revision}`");
        Ok(())
    }

    /// The good package must be one for this module, or nothing is begun.
    pub fn check(&mut self) -> Judged {
        let ended = self.qpyflash("check {good}", "", &mut Meanwhile::nothing(self.bench))?;
        match ended.code {
            Some(0) => Ok(()),
            _ => {
                let why = ended.said["error"]["message"].as_str().unwrap_or_default();
                Err(Stop::Failed(format!(
                    "the package `good` is not for this module: {why}"
                )))
            }
        }
    }

    fn witness(&mut self) -> Judged<Witness> {
        let outcome = self.read_kept()?;
        let mut witness = Witness::of(&self.ask_identity()?);
        if let Some(outcome) = outcome {
            witness.keep(&outcome)?;
        }
        Ok(witness)
    }

    fn remember(&mut self) -> Judged {
        let mut witness = self.witness()?;
        witness.contents = self.bench.subject.as_ref().map(|subject| subject.contents());
        say!("    noted: {}", witness.describe());
        self.remembered = Some(witness);
        Ok(())
    }

    /// Flash is looked at before the module is asked to be read, which restarts it.
    fn unchanged(&mut self) -> Judged {
        let contents = self.bench.subject.as_ref().map(|subject| subject.contents());
        let mut witness = self.witness()?;
        witness.contents = contents;
        let Some(noted) = &self.remembered else {
            return Err(Stop::Failed(
                "nothing was noted: the scenario lacks `remember`".into(),
            ));
        };
        let differing = witness.differs_from(noted);
        if !differing.is_empty() {
            let what = differing.join("; ");
            return Err(Stop::Failed(format!("the module has changed: {what}")));
        }
        say!("    unchanged: {}", witness.describe());
        Ok(())
    }

    /// Reads what nobody else has, where the protocol can.
    pub fn read_kept(&mut self) -> Judged<Option<Value>> {
        let line = match self.bench.platform.as_str() {
            "unisoc8910" | "unisoc8850" => "read nv --package {good}",
            "eigencomm618" => "read rf --package {good}",
            _ => return Ok(None),
        };
        let line = match self.bench.path {
            Some(_) => line.to_owned(),
            None => {
                self.download_mode()?;
                format!("{line} --before none --oc {{oc}}")
            }
        };
        let ended = self.qpyflash(&line, "", &mut Meanwhile::nothing(self.bench))?;
        match ended.code {
            Some(0) => {
                // It restarts, and for a moment it may still be listed as it was.
                if self.bench.path.is_some() && !self.is_seen("run", START_WITHIN)? {
                    return Err(Stop::Failed("the module does not start after it was read".into()));
                }
                Ok(Some(ended.said))
            }
            _ => Err(Stop::Failed(format!("`{line}` failed: {}", describe(&ended)))),
        }
    }

    fn run(&mut self, run: &Run) -> Judged {
        let mut meanwhile = Meanwhile::of(run, self.bench);
        let ended = self.qpyflash(&run.line, "", &mut meanwhile)?;
        if let Some(second) = meanwhile.second {
            let record = StepRecord::run("second-host", &meanwhile.words, &meanwhile.folder, &second);
            self.records.push(record);
            if second.code != Some(8) {
                return Err(Stop::Failed(format!(
                    "the second host got {}, not exit 8",
                    describe(&second)
                )));
            }
        }
        if run.then == Some(Event::Kill) {
            return Ok(());
        }
        expect(run, &ended)?;
        if run.rate {
            self.rates.extend(rate(&ended.said));
        }
        Ok(())
    }

    /// Runs a command line and keeps what it says.
    fn qpyflash(&mut self, line: &str, what: &str, meanwhile: &mut Meanwhile<'_>) -> Judged<Ended> {
        let (words, folder) = self.words(line, what);
        say!("    $ qpyflash {}", words.join(" "));
        meanwhile.begin(&words, &folder);
        let ended = self
            .bench
            .tool
            .run(&words, &folder, |event, running| meanwhile.hear(event, running));
        let released = self.bench.hands.act(Deed::BootRelease);
        let ended = ended?;
        released?;
        say!("\n      {} after {:.1} s", describe(&ended), ended.seconds);
        self.is_half_written = match ended.said["written"]["state"].as_str() {
            Some("partial") | None => line.starts_with("write"),
            Some("complete") => false,
            Some(_) => self.is_half_written,
        };
        self.records.push(StepRecord::run("run", &words, &folder, &ended));
        match (
            self.bench.tool.interrupted.load(Ordering::Relaxed),
            meanwhile.missed(),
        ) {
            (true, _) => Err(Stop::Interrupted),
            (false, Some(event)) => {
                let how = describe(&ended);
                Err(Stop::Failed(format!("the run ended before `{event:?}`: {how}")))
            }
            (false, None) => Ok(ended),
        }
    }

    /// The words of a command line, and the folder for what it says.
    fn words(&self, line: &str, what: &str) -> (Vec<String>, PathBuf) {
        let mut words: Vec<String> = line.split_whitespace().map(|word| self.value(word)).collect();
        let command = words.first().cloned().unwrap_or_default();
        if !words.iter().any(|word| word == "--port" || word == "--path") {
            words.extend(self.target());
        }
        if matches!(command.as_str(), "write" | "read") {
            words.extend(["--backup-dir".into(), self.backups.display().to_string()]);
        }
        let number = self.records.len() + 1;
        (words, self.folder.join(format!("{number:02}-{command}{what}")))
    }

    fn value(&self, word: &str) -> String {
        match placeholder(word) {
            None => word.to_owned(),
            Some("oc") => self.bench.label.first_part().to_owned(),
            Some("other-oc") => super::packages::other_label(&self.bench.label),
            Some("uart") => self
                .bench
                .uart
                .as_ref()
                .map_or(String::new(), |port| port.display().to_string()),
            Some(name) => self
                .bench
                .packages
                .get(name)
                .map_or(String::new(), |file| file.display().to_string()),
        }
    }

    pub fn target(&self) -> Vec<String> {
        match (&self.bench.path, &self.bench.uart) {
            (Some(path), _) => vec!["--path".into(), path.clone()],
            (None, Some(port)) => vec!["--port".into(), port.display().to_string()],
            (None, None) => Vec::new(),
        }
    }

    fn runs(&mut self, package: &str) -> Judged {
        let file = self.value(&format!("{{{package}}}"));
        let inspected = self.bench.tool.ask(&["inspect", &file])?;
        let wanted = inspected.said["built_for"]["revision"]
            .as_str()
            .map(str::to_owned);
        let identity = self.ask_identity()?;
        let found = identity["revision_text"].as_str().unwrap_or("nothing");
        match wanted {
            Some(wanted) if wanted != found => {
                return Err(Stop::Failed(format!("the module runs `{found}`, not `{wanted}`")));
            }
            _ => say!("    it runs `{found}`"),
        }
        let Some(subject) = self.bench.subject.as_ref().filter(|_| package == "good") else {
            return Ok(());
        };
        let (parts, harm) = (subject.differing(), subject.violations());
        if !parts.is_empty() {
            let parts = parts.join(", ");
            return Err(Stop::Failed(format!("flash differs from the package in {parts}")));
        }
        if !harm.is_empty() {
            let harm = harm.join(", ");
            return Err(Stop::Failed(format!("the host did what harms a module: {harm}")));
        }
        say!("    all {} parts of its flash hold the package", subject.parts());
        Ok(())
    }

    /// A plain second run; where the module does not start, with its BOOT key.
    pub fn recover(&mut self) -> Judged {
        let bench = self.bench;
        bench.hands.let_go()?;
        let starts = match self.is_half_written && bench.has_boot_key() {
            true => false,
            false => self.is_seen("run", BOOTS_WITHIN)?,
        };
        let can_cycle = bench.hands.can(Deed::PowerOff) && bench.hands.can(Deed::PowerOn);
        let (line, then) = match (starts, can_cycle) {
            (false, true) => ("write {good} --wait=120 --oc {oc}", Some(Event::BootKey)),
            _ => ("write {good} --oc {oc}", None),
        };
        if then.is_some() {
            // A module that is still in download mode must not be taken for the one that comes back.
            bench.hands.act(Deed::PowerOff)?;
        }
        let ended = self.qpyflash(line, "-recover", &mut Meanwhile::at_find(then, bench))?;
        if (ended.code, &ended.said["verdict"]) != (Some(0), &Value::from("confirmed")) {
            return Err(Stop::Failed(format!(
                "the second run does not recover the module: {}",
                describe(&ended)
            )));
        }
        self.runs("good")
    }

    fn download_mode(&mut self) -> Judged {
        let hands = &self.bench.hands;
        hands.act(Deed::BootPress)?;
        hands.power_cycle()?;
        let is_there = match (&self.bench.path, &self.bench.uart) {
            (None, Some(port)) => self.wait(START_WITHIN, || Ok(port.exists()))?,
            _ => self.is_seen("download", START_WITHIN)?,
        };
        hands.act(Deed::BootRelease)?;
        match is_there {
            true => Ok(()),
            false => Err(Stop::Failed(
                "the module does not show up in download mode at its BOOT key".into(),
            )),
        }
    }

    /// Forgets the traces of a cycle that went well: fifty whole writes are gigabytes.
    pub fn drop_traces(&self) -> Judged {
        for record in &self.records {
            if let Some(folder) = &record.folder {
                let trace = folder.join("trace.jsonl");
                if trace.exists() {
                    fs::remove_file(trace)?;
                }
            }
        }
        Ok(())
    }
}
