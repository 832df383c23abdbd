//! What happens in the middle of a run: at a phase, or when a part of the image bytes has been acknowledged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use qpyflash::Phase;
use serde_json::Value;

use super::Judged;
use super::bench::Bench;
use super::catalogue::{Event, Moment, Run};
use super::hands::Deed;
use super::tool::{Ended, Running};

/// What is to happen, and whether it has.
pub struct Meanwhile<'b> {
    bench: &'b Bench,
    planned: Option<(Moment, Event)>,
    has_happened: bool,
    phase: Option<Phase>,
    /// Image bytes that were acknowledged in the write phase.
    acknowledged: BTreeMap<String, u64>,
    /// The command line, and the folder of a second run of it.
    pub words: Vec<String>,
    pub folder: PathBuf,
    /// How the second host ended.
    pub second: Option<Ended>,
}

impl<'b> Meanwhile<'b> {
    pub fn nothing(bench: &'b Bench) -> Self {
        Self::planned(None, bench)
    }

    pub fn of(run: &Run, bench: &'b Bench) -> Self {
        Self::planned(run.when.clone().zip(run.then), bench)
    }

    /// Something that is to happen when the run looks for the module.
    pub fn at_find(event: Option<Event>, bench: &'b Bench) -> Self {
        Self::planned(event.map(|event| (Moment::Phase(Phase::Find), event)), bench)
    }

    fn planned(planned: Option<(Moment, Event)>, bench: &'b Bench) -> Self {
        Meanwhile {
            bench,
            planned,
            has_happened: false,
            phase: None,
            acknowledged: BTreeMap::new(),
            words: Vec::new(),
            folder: PathBuf::new(),
            second: None,
        }
    }

    /// The run that is about to begin.
    pub fn begin(&mut self, words: &[String], folder: &Path) {
        say_on!("     ");
        self.words = words.to_vec();
        self.folder = folder.with_file_name(format!(
            "{}-second",
            folder.file_name().unwrap_or_default().to_string_lossy()
        ));
    }

    /// What was planned and has not happened.
    pub fn missed(&self) -> Option<Event> {
        self.planned
            .as_ref()
            .filter(|_| !self.has_happened)
            .map(|(_, event)| *event)
    }

    /// Hears an event of the run.
    pub fn hear(&mut self, event: &Value, running: &Running) -> Judged {
        if event["kind"] == "phase_started" {
            self.phase = Phase::ALL
                .into_iter()
                .find(|phase| event["phase"] == phase.name());
            say_on!(" {}", event["phase"].as_str().unwrap_or_default());
            if self.phase > Some(Phase::Find) {
                self.bench.hands.act(Deed::BootRelease)?;
            }
        }
        if self.phase == Some(Phase::Write)
            && let (Some(image), Some(done)) = (event["image"].as_str(), event["done"].as_u64())
        {
            self.acknowledged.insert(image.to_owned(), done);
        }
        match &self.planned {
            Some((moment, event)) if !self.has_happened && self.has_come(moment) => {
                self.has_happened = true;
                self.happen(*event, running)
            }
            _ => Ok(()),
        }
    }

    fn has_come(&self, moment: &Moment) -> bool {
        match moment {
            Moment::Phase(phase) => self.phase >= Some(*phase),
            Moment::Percent(percent) => {
                let done: u64 = self.acknowledged.values().sum();
                done > 0 && done * 100 >= self.bench.image_bytes * percent
            }
        }
    }

    fn happen(&mut self, event: Event, running: &Running) -> Judged {
        say_on!(" [now: {event:?}]");
        let hands = &self.bench.hands;
        match event {
            Event::CutPower => hands.act(Deed::PowerOff),
            Event::Unplug => hands.act(Deed::CableOut),
            Event::Kill => {
                running.kill();
                Ok(())
            }
            Event::Interrupt => {
                running.interrupt();
                Ok(())
            }
            Event::SecondHost => {
                let second = self.bench.tool.run(&self.words, &self.folder, |_, _| Ok(()))?;
                self.second = Some(second);
                Ok(())
            }
            Event::BootKey => {
                if self.bench.has_boot_key() {
                    hands.act(Deed::BootPress)?;
                }
                hands.power_cycle()
            }
        }
    }
}
