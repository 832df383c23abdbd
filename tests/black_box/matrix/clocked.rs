//! The same cases without program, terminal and waiting: the session writes to the module's loader directly, and the
//! clock is turned to the next thing that happens.

use std::sync::Mutex;
use std::time::Duration;

use qpyflash::firmware::{self, Package, Plan};
use qpyflash::flash::{Carrier, ErrorReport, Job, Story};
use qpyflash_protocols::{Failure, Progress, Wire, WireError, Written, asr, eigencomm, unisoc};
use qpyflash_virtual::{Away, BareModule, Platform};
use serde_json::json;

use super::grid::Case;
use super::{Memory, Subject};
use crate::bench::Bench;
use crate::harness::each_of;

/// What lies between program and module takes so much more than the module does, in bytes: the buffers of a terminal.
const TAKEN_AHEAD: usize = 16 * 1024;
/// A write that blocks is given up after this. Source: specs/usb-and-hosts.md §3.4.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Cases in work at once: nothing is waited for.
const AT_ONCE: usize = 2;
/// An answer that comes so much before or after the host's time-out.
const MOMENT: Duration = Duration::from_millis(1);

/// The session's end of a bare module.
struct Clocked<'m, P: Platform> {
    module: &'m mut BareModule<P>,
    began: Duration,
    ahead: usize,
}

impl<'m, P: Platform> Clocked<'m, P> {
    fn new(module: &'m mut BareModule<P>) -> Self {
        Clocked {
            began: module.elapsed(),
            module,
            ahead: 0,
        }
    }
}

impl<P: Platform> Wire for Clocked<'_, P> {
    fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.ahead += bytes.len() - self.module.hear(bytes).map_err(|Away| WireError::Gone)?;
        if self.ahead <= TAKEN_AHEAD {
            return Ok(());
        }
        self.module.pass(WRITE_TIMEOUT);
        Err(WireError::Stalled {
            waited: WRITE_TIMEOUT,
        })
    }

    fn receive(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        self.module.say(into, within).map_err(|Away| WireError::Gone)
    }

    fn set_baud(&mut self, _: u32) -> Result<(), WireError> {
        Ok(())
    }

    fn now(&self) -> Duration {
        self.module.elapsed() - self.began
    }

    fn pause(&mut self, how_long: Duration) -> Result<(), WireError> {
        self.module.pass(how_long);
        Ok(())
    }

    fn report(&mut self, _: Progress<'_>) {}
}

/// What a session has handed over.
#[derive(Debug, Default, PartialEq)]
struct Kept(Vec<Vec<u8>>);

impl unisoc::Keeper for Kept {
    fn keep(&mut self, what: unisoc::Kept<'_>) -> Result<(), String> {
        self.0.push(what.nv.to_vec());
        self.0.extend(what.phase_check.map(<[u8]>::to_vec));
        Ok(())
    }
}

impl eigencomm::Keeper for Kept {
    fn keep(&mut self, rf: &[u8]) -> Result<(), String> {
        self.0.push(rf.to_vec());
        Ok(())
    }
}

/// What the program does between permit and restart.
fn write(wire: &mut dyn Wire, plan: &Plan, arguments: &str, kept: &mut Kept) -> Result<Written, Failure> {
    match plan {
        Plan::Asr(plan) => asr::write(wire, plan, &asr::Options::default()).map(|report| report.written),
        Plan::Unisoc(plan) => {
            let mut options = unisoc::Options::default();
            if let Some(frame) = arguments.strip_prefix("--frame 0x") {
                options.frame = u16::from_str_radix(frame, 16).expect("a number");
            }
            unisoc::write(wire, plan, &options, kept).map(|report| report.written)
        }
        Plan::Eigencomm(plan) => {
            let options = eigencomm::Options::default();
            eigencomm::write(wire, plan, &options, kept).map(|report| report.written)
        }
    }
}

/// Runs every case of a subject by its session.
pub(super) fn runs<S: Subject>(subject: &S) {
    let bench = Bench::bare();
    let (file, bytes) = subject.package();
    let package = firmware::resolve(&bench.file(file, bytes)).expect("a good package");
    let module = subject.bare();
    let before = module.flash().clone();
    let court = Court {
        subject,
        package: &package,
        before,
        module: Mutex::new(module),
        kept: kept_by_a_good_run(subject, package.plan()),
    };
    let cases: Vec<Case> = subject.way().grids.iter().flat_map(|grid| grid.cases()).collect();
    each_of(AT_ONCE, &cases, |case| court.run(case));
}

/// What all cases of a subject begin with.
struct Court<'s, S: Subject> {
    subject: &'s S,
    package: &'s Package,
    module: Mutex<BareModule<S::Platform>>,
    before: Memory<S>,
    kept: Kept,
}

fn kept_by_a_good_run<S: Subject>(subject: &S, plan: &Plan) -> Kept {
    let mut kept = Kept::default();
    let written = write(&mut Clocked::new(&mut subject.bare()), plan, "", &mut kept);
    assert_eq!(written, Ok(Written::Complete));
    kept
}

impl<S: Subject> Court<'_, S> {
    fn run(&self, case: &Case) {
        let (subject, plan, mut kept) = (self.subject, self.package.plan(), Kept::default());
        let fault = case.fault(case.wait + MOMENT, case.wait - MOMENT).parse();
        let fault = fault.unwrap_or_else(|why| panic!("{why}"));
        let mut module = self.module.lock().unwrap().twin(fault).unwrap();
        let result = write(
            &mut Clocked::new(&mut module),
            plan,
            case.grid.arguments,
            &mut kept,
        );
        assert!(module.faults_have_struck(), "{result:#?}");
        assert!(
            module.elapsed() <= subject.way().longest,
            "{:?}: {result:#?}",
            module.elapsed()
        );
        self.assert_ends(&result, case);
        assert!(
            self.kept.0.starts_with(&kept.0),
            "what was kept is not the module's own"
        );
        let (written, phase) = match &result {
            Ok(written) => (written, ""),
            Err(failure) => (&failure.written, failure.phase.name()),
        };
        subject.assert_promise(&json!(written), phase, &module.flash(), &self.before);
        module.power_cycle();
        let again = write(&mut Clocked::new(&mut module), plan, "", &mut kept);
        assert_eq!(again, Ok(Written::Complete), "the second run");
        subject.assert_written(&module.flash(), &self.before);
    }

    /// Asserts how the session ends, in the program's words; what that makes of a module that does not come back is not
    /// the session's matter.
    fn assert_ends(&self, result: &Result<Written, Failure>, case: &Case) {
        let Err(failure) = result else {
            assert_eq!(case.ending.written, "complete", "the run succeeds");
            return;
        };
        let story = Story {
            job: Job::Write,
            platform: self.package.platform(),
            ordering_code: &self.subject.label().parse().expect("an ordering code"),
            backups: &[],
            place: "1-4.2",
            carrier: Carrier::Tty,
        };
        let error = story.explain(failure.clone());
        let outcome = json!({"exit_code": error.exit_code(), "written": error.written, "error": ErrorReport::of(&error)});
        super::assert_ends(&outcome, case.ending);
    }
}
