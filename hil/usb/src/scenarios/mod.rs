//! The scenarios: each plugs virtual modules in, lets the real `qpyflash` work on them, and judges what came of it.

mod writes;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::stage::{Judged, Stage};

/// A scenario.
pub struct Scenario {
    pub name: &'static str,
    /// What it shows, for the table.
    pub shows: &'static str,
    play: fn(&Stage) -> Judged,
}

/// Every scenario, in the order in which they are played.
pub const SCENARIOS: &[Scenario] = &[Scenario {
    name: "write-asr",
    shows: "ASR over ttyUSB and ttyACM, from run mode to the new revision",
    play: writes::asr,
}];

/// What came of a scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    pub scenario: String,
    pub passed: bool,
    pub seconds: f64,
    pub figures: Vec<String>,
    /// Why it failed.
    pub why: Option<String>,
}

/// Plays the scenarios whose names begin with one of `names`, or all; reports each as it ends.
pub fn play(stage: &Stage, names: &[String], mut report: impl FnMut(Report)) {
    let is_wanted = |scenario: &&Scenario| {
        names.is_empty() || names.iter().any(|name| scenario.name.starts_with(name.as_str()))
    };
    for scenario in SCENARIOS.iter().filter(is_wanted) {
        let began = Instant::now();
        let judged = catch_unwind(AssertUnwindSafe(|| (scenario.play)(stage)))
            .unwrap_or_else(|_| Err("the scenario panicked".into()));
        report(Report {
            scenario: scenario.name.to_owned(),
            passed: judged.is_ok(),
            seconds: began.elapsed().as_secs_f64(),
            figures: stage.take_figures(),
            why: judged.err(),
        });
    }
}
