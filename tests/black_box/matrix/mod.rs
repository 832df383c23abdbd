//! The fault matrix: every fault at every request of a download dialogue, as grids of text whose cells say how the
//! run must end.
//!
//! Each case is run twice: by the program, over a pseudo-terminal, with time-outs made shorter; and by the session
//! alone against a clock that is turned instead of waited for, where every time-out has its true length. After each
//! run the flash is what `written` promises. Then a plain second run, after a power cycle unless the module has
//! restarted by itself, makes the module whole.

mod asr;
mod asr_grids;
mod clocked;
mod eigencomm;
mod grid;
mod report;
mod unisoc;

use std::fmt::Debug;
use std::time::{Duration, Instant};

use qpyflash_virtual::{BareModule, Fault, Mode, Platform, VirtualModule, VirtualModuleBuilder};
use serde_json::Value;

use crate::bench::{Bench, PATIENCE};
use crate::harness::each_of;
use grid::{Case, Ending, Runs, Way};

/// The time-outs of a run that waits for something in vain.
const HASTE: f64 = 0.15;
/// An answer comes late when the host has waited so many times.
const LATE: f64 = 1.5;
/// No run waits for less than this.
const IN_TIME: Duration = Duration::from_millis(150);
/// No fault may hold a run up for longer then, on a busy machine.
const BOUND: Duration = Duration::from_secs(40);
/// Cases in work at once.
const AT_ONCE: usize = 20;

/// A module and the package that it is to get.
trait Subject: Sync + Debug {
    type Platform: Platform;

    /// Whether a half-written module shows up without the boot pin.
    const SHOWS_UP_HALF_WRITTEN: bool = true;

    fn way(&self) -> Way;

    /// The module as it is made.
    fn builder(&self) -> VirtualModuleBuilder<Self::Platform>;

    /// Plugs the module in, in download mode.
    fn attach(&self, bench: &Bench, fault: Fault) -> VirtualModule<Self::Platform> {
        bench.attach(self.builder().fault(fault).starts_in_download())
    }

    /// The same module on no bus.
    fn bare(&self) -> BareModule<Self::Platform> {
        self.builder().bare().unwrap()
    }

    /// Whether these commands have told the module to restart.
    fn let_go(&self, commands: &[String]) -> bool;

    /// The package as a file, and the name it must have.
    fn package(&self) -> (&str, &[u8]);

    /// The ordering code on the label.
    fn label(&self) -> &str;

    /// Asserts that the module holds the package and has kept what only it has.
    fn assert_written(&self, now: &Memory<Self>, before: &Memory<Self>);

    /// Asserts that nothing of it has changed.
    fn assert_unchanged(&self, now: &Memory<Self>, before: &Memory<Self>);

    /// Asserts that what comes before `image` in the package is in flash, and that what comes after it is as it was.
    fn assert_partly_written(&self, now: &Memory<Self>, before: &Memory<Self>, phase_and_image: (&str, &str));

    /// What a run sends to flash, in its order: names, and how many image bytes each has.
    fn order(&self) -> Vec<(String, u64)>;

    /// Asserts that so many image bytes can have been acknowledged when `image` was in work.
    fn assert_acknowledged(&self, bytes: u64, (_, image): (&str, &str)) {
        assert_in_order(&self.order(), image, bytes);
    }

    /// Asserts that the flash is what `written` promises.
    fn assert_promise(&self, written: &Value, phase: &str, now: &Memory<Self>, before: &Memory<Self>) {
        match written["state"].as_str() {
            Some("complete") => self.assert_written(now, before),
            Some("partial") => {
                let image = written["image"].as_str().unwrap();
                self.assert_acknowledged(written["bytes"].as_u64().unwrap(), (phase, image));
                self.assert_partly_written(now, before, (phase, image));
            }
            _ => self.assert_unchanged(now, before),
        }
    }
}

/// Asserts that all before `image` has been acknowledged, and nothing behind it.
fn assert_in_order(order: &[(String, u64)], image: &str, bytes: u64) {
    let in_work = order.iter().position(|(name, _)| name == image);
    let (before, from) = order.split_at(in_work.unwrap_or_else(|| panic!("`{image}`: {order:?}")));
    let before: u64 = before.iter().map(|(_, size)| size).sum();
    let range = before..=before + from[0].1;
    assert!(range.contains(&bytes), "{bytes} bytes at `{image}`: {range:?}");
}

type Memory<S> = <<S as Subject>::Platform as Platform>::Memory;

/// Runs every case of a subject by the program.
fn runs<S: Subject>(subject: &S) {
    let before = subject.bare().flash().clone();
    let grids = subject.way().grids.iter().filter(|grid| grid.runs == Runs::Both);
    let mut cases: Vec<Case> = grids
        .flat_map(|grid| grid.cases())
        .filter(Case::is_for_the_program)
        .collect();
    // The longest first, so that none of them is waited for alone.
    cases.sort_by_key(|case| std::cmp::Reverse(case.makes_wait().then_some(case.wait)));
    each_of(AT_ONCE, &cases, |case| run(subject, &before, case));
}

fn run<S: Subject>(subject: &S, before: &Memory<S>, case: &Case) {
    let bench = Bench::bare();
    let (file, package) = subject.package();
    bench.file(file, package);
    let fault = case.fault(case.wait.mul_f64(HASTE * LATE), IN_TIME).parse();
    let module = subject.attach(&bench, fault.unwrap_or_else(|why| panic!("{why}")));
    let boots = module.counters().boots;
    let label = subject.label();
    let write = |place: &str| format!("write {file} --json --backup-dir kept --path {place} --oc {label}");
    let faulty = bench.say(&format!("{} {}", write(module.topology()), case.grid.arguments));
    let scale = if case.makes_wait() { HASTE } else { 1.0 };
    let ended = faulty.scale(&scale.to_string()).end();
    assert!(ended.took < BOUND, "{:?}", ended.took);
    assert!(module.faults_have_struck(), "{ended:#?}");
    let outcome = ended.outcome();
    assert_ends(&outcome, case.ending);
    let phase = outcome["error"]["phase"].as_str().unwrap_or_default();
    subject.assert_promise(&outcome["written"], phase, &module.memory(), before);
    revive(subject, &module, case, boots);
    let place = match case.effect() {
        "move" => ELSEWHERE,
        _ => module.topology(),
    };
    bench
        .say(&write(place))
        .scale("1")
        .end()
        .expect_written("confirmed");
    subject.assert_written(&module.memory(), before);
}

/// Where a module that is moved comes back.
const ELSEWHERE: &str = "1-4.7";

/// Asserts exit code, verdict or error, what was written, and that a hint helps.
#[track_caller]
fn assert_ends(outcome: &Value, ending: Ending) {
    let error = &outcome["error"];
    let said = error["code"].as_str().or(outcome["verdict"].as_str());
    let found = (&outcome["exit_code"], said, &outcome["written"]["state"]);
    let wanted = (&ending.exit.into(), Some(ending.said), &ending.written.into());
    assert_eq!(found, wanted, "{outcome:#}");
    let says = |text: &Value, part: &str| text.as_str().is_some_and(|text| text.contains(part));
    let hints = error["hints"].as_array();
    let helps = hints.is_some_and(|hints| hints.iter().any(|hint| says(hint, ending.hint)));
    assert!(
        error.is_null() || (says(&error["message"], ending.message) && helps),
        "{outcome:#}"
    );
}

/// Powers the module anew, unless it has restarted by itself.
fn revive<S: Subject>(subject: &S, module: &VirtualModule<S::Platform>, case: &Case, boots: u64) {
    let needs_boot_pin = case.ending.written == "partial" && !S::SHOWS_UP_HALF_WRITTEN;
    let restarts = matches!(case.effect(), "power-loss" | "move") || subject.let_go(&module.commands());
    if case.effect() == "vanish" {
        module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
        module.set_boot_pin(needs_boot_pin);
        module.attach();
    } else if restarts && needs_boot_pin {
        await_boot(module, boots);
        return revive_at_boot_pin(module);
    } else if !restarts || case.ending.said == "written-power-cycle" {
        module.set_boot_pin(needs_boot_pin);
        module.power_cycle();
    }
    await_boot(module, boots);
    assert_ne!(module.wait_while_mode(Mode::Off, PATIENCE), Mode::Off);
    module.set_boot_pin(false);
}

/// A module that has restarted, and is dead.
fn revive_at_boot_pin<P: Platform>(module: &VirtualModule<P>) {
    let boots = module.counters().boots;
    module.set_boot_pin(true);
    module.power_cycle();
    await_boot(module, boots);
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    module.set_boot_pin(false);
}

/// Waits until the module has booted once more.
fn await_boot<P: Platform>(module: &VirtualModule<P>, boots: u64) {
    let began = Instant::now();
    while module.counters().boots == boots {
        assert!(began.elapsed() < PATIENCE, "it does not restart");
        std::thread::sleep(Duration::from_millis(5));
    }
}
