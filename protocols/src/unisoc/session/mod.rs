//! One module is written. Read from [`Session::run`] downwards, this is the protocol's page:
//! specs/unisoc-pac-bsl.md §6.3 for the UIS8910, §6.4 for the UIS8850, §10 for a whole transcript.

mod loaders;
mod nv_area;
mod objects;
mod options;

use super::bsl::{Code, Command, patience};
use super::hdlc::Check;
use super::link::{Link, Trouble};
use super::nv;
use super::plan::{Action, Plan, Step};
use crate::account::Account;
use crate::{Cause, Failure, Phase, Platform, Progress, Wire, WireError};
pub use options::{After, Keeper, Kept, Options, Report, Transport};

/// Writes a package to the module at the other end of `wire`, which must be in download mode.
///
/// The module's own NV area is handed to `keeper` before anything is erased, and its calibration and identity
/// survive the run; see [`Options::earlier_nv`] for a module that has lost them.
///
/// # Errors
/// [`Failure`] with the phase, what was being done, what came back instead of the expected answer, and how much
/// of the flash has been changed.
pub fn write(
    wire: &mut dyn Wire,
    plan: &Plan,
    options: &Options,
    keeper: &mut dyn Keeper,
) -> Result<Report, Failure> {
    Session::new(wire, plan, options).finish(|session| session.run(keeper))
}

/// Reads the NV area of the module at the other end of `wire`, which must be in download mode. The plan gives the
/// loaders; nothing of it is written.
///
/// # Errors
/// [`Failure`]; a module without an NV area refuses.
pub fn read_nv(wire: &mut dyn Wire, plan: &Plan, options: &Options) -> Result<Vec<u8>, Failure> {
    let mut area = Vec::new();
    Session::new(wire, plan, options).finish(|session| {
        session.start()?;
        let held = session.read_nv()?;
        area = held.ok_or_else(|| Cause::Refused {
            sent: Command::ReadFlash.name().into(),
            answer: format!("{}: it holds no NV items", Code::INCOMPATIBLE_PARTITION),
        })?;
        session.part()
    })?;
    Ok(area)
}

/// Writes a kept NV area back as it is, and reads it back. What the module has is handed to `keeper` before; items
/// that only the module has stay.
///
/// # Errors
/// [`Failure`]; an area that is damaged, or too long for the chip, is refused before anything is sent, and that of
/// another module before anything is written: see [`Options::label_imei`].
pub fn restore_nv(
    wire: &mut dyn Wire,
    plan: &Plan,
    options: &Options,
    area: &[u8],
    keeper: &mut dyn Keeper,
) -> Result<Report, Failure> {
    Session::new(wire, plan, options).finish(|session| {
        session.plan.check_nv(area)?;
        session.start()?;
        let own = session.read_own()?;
        session.check_owner(area)?;
        session.keep(&own, keeper)?;
        session.imei = nv::imei(area);
        session.enter(Phase::Write, "writing the kept NV area");
        let kept = nv::ids(area)?;
        session.write_nv("NV", area, &kept)?;
        session.verify(Some((area, &kept)))?;
        session.part()
    })
}

/// Erases the whole flash, and writes the NV area and the record of production back. The module stays in
/// download mode until a package is written.
///
/// # Errors
/// [`Failure`]; a module without an NV area is erased only when [`Options::earlier_nv`] is given.
pub fn erase_all(
    wire: &mut dyn Wire,
    plan: &Plan,
    options: &Options,
    keeper: &mut dyn Keeper,
) -> Result<Report, Failure> {
    Session::new(wire, plan, options).finish(|session| session.erase_everything(keeper))
}

struct Session<'w, 'p> {
    link: Link<'w>,
    plan: &'p Plan,
    options: &'p Options,
    account: Account,
    imei: Option<String>,
    /// A loader that knows NORMAL_RESET is running.
    loader_runs: bool,
}

impl<'w, 'p> Session<'w, 'p> {
    fn new(wire: &'w mut dyn Wire, plan: &'p Plan, options: &'p Options) -> Self {
        let check = match plan.platform() {
            Platform::Unisoc8850 => Check::Crc16,
            _ => Check::Sum16,
        };
        Session {
            link: Link::new(wire, options.transport, check),
            plan,
            options,
            account: Account::begin(&Phase::ALL, "checking the options"),
            imei: None,
            loader_runs: false,
        }
    }

    /// Runs `work`, and states exactly what has become of the module.
    fn finish(mut self, work: impl FnOnce(&mut Self) -> Result<(), Cause>) -> Result<Report, Failure> {
        let result = self
            .options
            .check(self.plan.platform())
            .and_then(|()| work(&mut self));
        match result {
            Ok(()) => Ok(Report {
                bytes: self.account.bytes(),
                written: self.account.written(),
                imei: self.imei,
            }),
            Err(cause) => {
                self.abandon(&cause);
                Err(self.account.failure(cause, self.link.log_lines()))
            }
        }
    }

    fn run(&mut self, keeper: &mut dyn Keeper) -> Result<(), Cause> {
        self.start()?;
        let own = self.read_own()?;
        self.keep(&own, keeper)?;
        let earlier = self.earlier_nv(&own)?;
        let merged = self.merge(&own, earlier)?;
        let plan = self.plan;
        for step in plan.steps() {
            match step.action {
                Action::Load | Action::Skip { .. } => {}
                Action::Erase { size } => self.erase(step, size)?,
                Action::Write => self.write_image(step)?,
                Action::MergeNv => {
                    if let Some(area) = earlier {
                        self.enter(Phase::Write, "writing the earlier NV items back");
                        self.write_nv(&step.id, area, &nv::ids(area)?)?;
                    }
                    if let Some(merged) = &merged {
                        self.enter(Phase::Write, "writing the merged NV items");
                        self.write_nv(&step.id, &merged.area, &merged.kept)?;
                    }
                }
            }
        }
        self.verify(merged.as_ref().map(|merged| (&merged.area[..], &merged.kept[..])))?;
        self.part()
    }

    /// From download mode to a loader that can erase and write.
    fn start(&mut self) -> Result<(), Cause> {
        self.enter(Phase::Sync, "waiting for the module's boot ROM");
        self.link.quiet()?;
        match self.plan.platform() {
            Platform::Unisoc8850 => self.load_8850()?,
            _ => self.load_8910()?,
        }
        self.loader_runs = true;
        self.enter(Phase::CheckChip, "greeting the loader");
        Ok(self.link.connect(patience::FIRST_COMMAND)?)
    }

    /// What was written has been read back by the loader at every END_DATA. What remains is the NV area, and that
    /// no refusal comes late.
    fn verify(&mut self, nv: Option<(&[u8], &[u16])>) -> Result<(), Cause> {
        self.enter(Phase::Verify, "comparing what the module holds");
        if let Some((area, kept)) = nv
            && let Some(differs) = self.nv_difference(area, kept)?
        {
            return Err(nv_differs(&differs));
        }
        self.link.connect(patience::CONNECT)?;
        self.link.quiet()?;
        self.account.complete();
        Ok(())
    }

    /// Lets the module go. Whatever it does now, what was to be done is done.
    fn part(&mut self) -> Result<(), Cause> {
        if self.options.after == After::Stay {
            return Ok(());
        }
        self.enter(Phase::Reset, "letting the module restart");
        match self.link.command(Command::NormalReset, &[], patience::RESET) {
            Err(Trouble::Fatal(cause @ Cause::Wire(WireError::Cancelled))) => Err(cause),
            _ => Ok(()),
        }
    }

    /// After a failure: a loader that still listens is asked to reset the module, which then starts its firmware,
    /// or stays in its boot ROM while the boot area is blank. Source: §9.3, §11 no. 15 (?); a power cycle does the
    /// same.
    fn abandon(&mut self, cause: &Cause) {
        let pipe_holds = !matches!(cause, Cause::Wire(_) | Cause::Silent { .. });
        if self.loader_runs && pipe_holds && self.options.after == After::Reset {
            let answer = self.link.command(Command::NormalReset, &[], patience::RESET);
            if answer.is_ok() {
                self.link.note("the module has been reset");
            }
        }
    }

    fn erase_everything(&mut self, keeper: &mut dyn Keeper) -> Result<(), Cause> {
        self.start()?;
        let own = self.read_own()?;
        self.keep(&own, keeper)?;
        // What is left of the module's own first, then the earlier area over it.
        let earlier = self.earlier_nv(&own)?;
        let areas: Vec<&[u8]> = own.nv.as_deref().into_iter().chain(earlier).collect();
        let Some(&last) = areas.last() else {
            return Err(no_nv(
                "erasing all would make its IMEI and calibration lost for good, unless an earlier NV area of this \
                 very module is given",
            ));
        };
        self.erase_all_flash()?;
        if let Some(record) = &own.phase_check {
            self.enter(Phase::Write, "writing the record of production back");
            self.write_phase_check(record)?;
        }
        for area in areas {
            self.enter(Phase::Write, "writing the NV area back");
            self.write_nv("NV", area, &nv::ids(area)?)?;
        }
        self.verify_phase_check(own.phase_check.as_deref())?;
        self.verify(Some((last, &nv::ids(last)?)))?;
        self.part()
    }
}

/// Book-keeping.
impl Session<'_, '_> {
    /// Phases only go forward, whatever the order of the package.
    fn enter(&mut self, phase: Phase, doing: &str) {
        if self.account.enter(phase, doing) {
            self.link.report(Progress::Phase(phase));
        }
    }

    /// A command that changes flash is about to be sent, unless a refusal has come late: then nothing more has changed.
    fn flash_changes(&mut self, image: &str) -> Result<(), Trouble> {
        self.link.hush()?;
        self.account.flash_changes(image);
        Ok(())
    }

    /// `done` of `total` bytes of an image for flash are acknowledged; `before` is the count without them.
    fn image_bytes(&mut self, image: &str, before: u64, done: u64, total: u64) {
        self.account.acknowledged(before + done);
        self.link.report(Progress::Bytes { image, done, total });
    }
}

/// The module has no NV area. Source: §6.3 step 8, §9.4.
fn no_nv(consequence: &str) -> Cause {
    Cause::WouldLose(format!(
        "the module answers `{}` with {}: it holds no NV items, since it has been erased or an earlier run was \
         broken off, and {consequence}",
        Command::ReadFlash.name(),
        Code::INCOMPATIBLE_PARTITION
    ))
}

fn nv_differs(how: &str) -> Cause {
    Cause::Malformed {
        sent: Command::ReadFlash.name().into(),
        answer: format!("an NV area that is not what was written: {how}"),
    }
}

impl From<crate::FormatError> for Cause {
    fn from(error: crate::FormatError) -> Self {
        Cause::Unsupported(error.to_string())
    }
}
