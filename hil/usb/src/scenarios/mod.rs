//! The scenarios: each plugs virtual modules in, lets the real `qpyflash` work on them, and judges what came of it.

mod neighbours;
mod owners;
mod raw;
mod unplugged;
mod writes;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::stage::{Judged, Stage};

/// A scenario.
pub struct Scenario {
    /// Its name, by whose beginning it is chosen.
    pub name: &'static str,
    /// What it shows, for the table.
    pub shows: &'static str,
    play: fn(&Stage) -> Judged,
}

const fn scenario(name: &'static str, shows: &'static str, play: fn(&Stage) -> Judged) -> Scenario {
    Scenario { name, shows, play }
}

/// Every scenario, in the order in which they are played. `option` forgets no id that it was given, so what is to be
/// seen without comes first.
pub const SCENARIOS: &[Scenario] = &[
    scenario(
        "raw-without-driver",
        "UIS8850 and EC618 whose interfaces no driver takes are asked and sent to download mode over raw USB",
        raw::without_driver,
    ),
    scenario(
        "rules-new-id",
        "2c7c:0904 and 0903 have no ports until the installed rules give them to option",
        owners::new_id,
    ),
    scenario(
        "write-asr1603",
        "ASR1603, from run mode through re-enumeration to the new revision",
        writes::asr1603,
    ),
    scenario(
        "write-asr1601-boot2",
        "ASR1601 served by boot2, likewise",
        writes::asr1601_boot2,
    ),
    scenario(
        "write-uis8910",
        "UIS8910, high speed in run mode, full speed in download mode",
        writes::uis8910,
    ),
    scenario(
        "write-uis8850",
        "UIS8850 with ids that option has to be told",
        writes::uis8850,
    ),
    scenario("write-ec618", "EC618, both flash chips", writes::ec618),
    scenario(
        "raw-auto-takes-ports",
        "where there are ports, they carry the write",
        raw::auto_takes_ports,
    ),
    scenario(
        "raw-gives-back",
        "option and cdc_acm have their interfaces again after raw USB",
        raw::gives_back,
    ),
    scenario(
        "raw-leaves-what-is-in-use",
        "a port that another program has open is not taken from it",
        raw::leaves_what_is_in_use,
    ),
    scenario(
        "raw-denied",
        "an ordinary user without rules is told the node and its owner",
        raw::denied,
    ),
    scenario(
        "hub-of-four",
        "of four equal modules only the one named by path is written; then three at once",
        neighbours::hub_of_four,
    ),
    scenario(
        "two-in-download",
        "two platforms in download mode, each gets its own package",
        neighbours::two_in_download,
    ),
    scenario(
        "another-path",
        "a module that returns at another path is not followed",
        neighbours::another_path,
    ),
    scenario(
        "stranger",
        "a Linux serial gadget with the UIS8910's id is left alone",
        neighbours::stranger,
    ),
    scenario(
        "unplugged-asr1603",
        "the cable is pulled in each phase of an ASR write",
        unplugged::asr1603,
    ),
    scenario(
        "unplugged-uis8910",
        "the cable is pulled in each phase of a Unisoc write",
        unplugged::uis8910,
    ),
    scenario(
        "unplugged-on-the-way",
        "the cable is pulled between run mode and download mode",
        unplugged::on_the_way,
    ),
    scenario(
        "nobody-without-rules",
        "an ordinary user without rules: exit 8 and what to do",
        owners::without_rules,
    ),
    scenario(
        "nobody-with-rules",
        "the same user with the installed rules writes; ModemManager is told off",
        owners::with_rules,
    ),
];

/// What came of a scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The hub on which it was played.
    pub hub: String,
    /// Its name.
    pub scenario: String,
    /// Whether everything was as it should be.
    pub passed: bool,
    /// How long it took.
    pub seconds: f64,
    /// What was measured, as text.
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
            hub: stage.hub.name().to_owned(),
            scenario: scenario.name.to_owned(),
            passed: judged.is_ok(),
            seconds: began.elapsed().as_secs_f64(),
            figures: stage.take_figures(),
            why: judged.err(),
        });
    }
}
