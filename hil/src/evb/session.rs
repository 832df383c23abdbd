//! A session at a bench: backups first, then the scenarios, and in the end the state in which the module is left.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::bench::Bench;
use super::catalogue::{Scenario, Step};
use super::ending::figure;
use super::play::Play;
use super::report::{Report, ScenarioRecord, Verdict};
use super::{Judged, Stop};

/// How long a module is looked for in the end.
const LOOK: Duration = Duration::from_secs(10);

/// What is to be done.
pub struct Session<'b> {
    pub bench: &'b Bench,
    pub scenarios: Vec<Scenario>,
    /// How often a scenario with cycles is repeated, where that was told.
    pub cycles: Option<u32>,
    pub chinese: bool,
    pub folder: PathBuf,
    pub backups: PathBuf,
}

impl Session<'_> {
    /// Plays everything. Whatever happens, the report says so, and in which state the module is.
    pub fn play(&self, report: &mut Report) {
        let mut is_half_written = false;
        let mut stop = self.prepare(report).err();
        if let Some(Stop::Failed(why)) = &stop {
            say!("  the scenarios are not begun: {why}");
        }
        for scenario in &self.scenarios {
            let mut record = ScenarioRecord::of(scenario, self.cycles_of(scenario), self.chinese);
            match (&stop, self.bench.lacks(scenario)) {
                (Some(stop), _) => record.why = Some(stop.to_string()),
                (None, Some(lack)) => record.why = Some(format!("the board lacks {lack}")),
                (None, None) => (stop, is_half_written) = self.one(scenario, &mut record),
            }
            say!(
                "{}: {}{}\n",
                scenario.name,
                format!("{:?}", record.verdict).to_lowercase(),
                record
                    .why
                    .as_ref()
                    .map_or(String::new(), |why| format!(": {why}"))
            );
            report.scenarios.push(record);
        }
        report.interrupted = matches!(stop, Some(Stop::Interrupted));
        report.passed = stop.is_none() && report.scenarios.iter().all(|one| one.verdict != Verdict::Failed);
        report.left = self.left(is_half_written);
    }

    fn cycles_of(&self, scenario: &Scenario) -> u32 {
        scenario.cycles.map_or(1, |usual| self.cycles.unwrap_or(usual))
    }

    /// The module must be the one on the label, take the package, and what only it has must be safe.
    fn prepare(&self, report: &mut Report) -> Judged {
        say!("before anything else: what is the module, and what must not be lost?");
        let mut play = Play::new(self.bench, self.folder.join("before"), self.backups.clone());
        play.step(&Step::Identify)?;
        report.before = play.ask_identity()?;
        play.check()?;
        let kept = play.read_kept().map_err(|stop| match stop {
            Stop::Failed(why) => Stop::Failed(format!("no backup, so nothing is written: {why}")),
            Stop::Interrupted => stop,
        })?;
        let files = kept.as_ref().and_then(|outcome| outcome["backups"].as_array());
        let files = files
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(PathBuf::from);
        report.backups = files.collect();
        match &report.backups[..] {
            [] if kept.is_some() => return Err(Stop::Failed("no backup, so nothing is written".into())),
            [] => say!("    this platform's protocol cannot read: nothing can be backed up\n"),
            files => say!("    {} backup(s) in `{}`\n", files.len(), self.backups.display()),
        }
        self.bench.hands.let_go()?;
        if self.bench.path.is_none() {
            self.bench.hands.power_cycle()?;
        }
        Ok(())
    }

    /// Plays a scenario; why nothing can be played after it, and whether the module is half-written.
    fn one(&self, scenario: &Scenario, record: &mut ScenarioRecord) -> (Option<Stop>, bool) {
        say!("{}: {}", scenario.name, record.title);
        let began = Instant::now();
        let number = self
            .scenarios
            .iter()
            .position(|one| one.name == scenario.name)
            .unwrap_or_default();
        let folder = self.folder.join(format!("{:02}-{}", number + 1, scenario.name));
        let mut is_half_written = false;
        record.verdict = Verdict::Passed;
        let mut stop = None;
        for cycle in 1..=record.cycles {
            let (folder, repeated) = match record.cycles {
                1 => (folder.clone(), false),
                _ => (folder.join(format!("cycle-{cycle:02}")), true),
            };
            if repeated {
                say!("  cycle {cycle} of {}", record.cycles);
            }
            let mut play = Play::new(self.bench, folder, self.backups.clone());
            play.is_half_written = is_half_written;
            let mut played = scenario.steps.iter().try_for_each(|step| play.step(step));
            if repeated && played.is_ok() {
                played = play.drop_traces();
            }
            match &played {
                Ok(()) => {}
                Err(Stop::Failed(why)) => {
                    (record.verdict, record.why) = (Verdict::Failed, Some(why.clone()));
                    stop = self.set_right(&mut play).err();
                }
                Err(Stop::Interrupted) => {
                    record.verdict = Verdict::Interrupted;
                    stop = Some(Stop::Interrupted);
                }
            }
            is_half_written = play.is_half_written;
            record.steps.append(&mut play.records);
            record.rates.append(&mut play.rates);
            if played.is_err() {
                break;
            }
        }
        record.figure = figure(&record.rates, self.bench.line());
        record.seconds = began.elapsed().as_secs_f64();
        (stop, is_half_written)
    }

    /// After a failure the next scenario must begin with a module that runs.
    fn set_right(&self, play: &mut Play<'_>) -> Judged {
        say!("  setting the module right");
        self.bench.hands.let_go()?;
        let runs = match self.bench.path {
            Some(_) => !play.is_half_written && play.runs_its_own()?,
            None => return self.bench.hands.power_cycle(),
        };
        let set = if runs { Ok(()) } else { play.recover() };
        set.map_err(|stop| match stop {
            Stop::Failed(why) => Stop::Failed(format!("the module needs a person: {why}")),
            Stop::Interrupted => stop,
        })
    }

    /// The state in which the module is left, as far as the host can see, and what makes it whole.
    fn left(&self, is_half_written: bool) -> String {
        let bench = self.bench;
        let given_back = bench.hands.let_go();
        let play = Play::new(bench, self.folder.clone(), self.backups.clone());
        let place = bench.path.as_deref().unwrap_or("its port");
        let began = Instant::now();
        let mut mode = None;
        while mode.is_none() && bench.path.is_some() && began.elapsed() < LOOK {
            mode = play.mode().unwrap_or_default();
            std::thread::sleep(Duration::from_millis(200));
        }
        let good = bench
            .packages
            .get("good")
            .map_or(Path::new("PACKAGE"), PathBuf::as_path)
            .display();
        let again = format!(
            "`qpyflash write {good} --wait --oc {}`, then power it with its BOOT key held",
            bench.label.first_part()
        );
        let mut text = match mode.as_deref() {
            Some("run") => format!("the module on {place} is in run mode"),
            Some(mode) => format!("the module on {place} is in {mode} mode; {again}, writes it"),
            None if bench.path.is_none() => {
                "a module behind a UART does not show its mode; ask it with `qpyflash identify`".into()
            }
            None => format!("the module on {place} is not on the bus; {again}, writes it"),
        };
        if is_half_written {
            text += "; its flash is half-written, or may be";
        }
        if let Err(stop) = given_back {
            text += &format!("; its supply, cable or BOOT key could not be given back ({stop})");
        }
        text
    }
}
