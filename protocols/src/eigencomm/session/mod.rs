//! One module is written. Read from [`Session::run`] downwards, this is the protocol's page:
//! specs/eigencomm-agentboot.md §3.5 and §4.6, §9 for a whole transcript.

mod agent;
mod burn;
mod options;
mod read;
mod rom;

use super::commands::{Command, patience};
use super::link::{Link, Trouble};
use super::plan::Plan;
use super::{Settings, Transport};
use crate::account::Account;
use crate::{Cause, Failure, Phase, Progress, Wire, WireError};
pub use options::{After, Keeper, Options, Pacing, Proof, Report};

/// Writes a package to the module at the other end of `wire`, which must be in download mode: in its boot ROM, or
/// with the plan's own agent running.
///
/// The module's RF and calibration data are handed to `keeper` before anything is erased. Nothing of them is
/// written.
///
/// # Errors
/// [`Failure`] with the phase, what was being done, what came back instead of the expected answer, and how much
/// of the flash has been changed. After a failure that has changed flash the agent is left running, so that the
/// next run needs no boot pin.
pub fn write(
    wire: &mut dyn Wire,
    plan: &Plan,
    options: &Options,
    keeper: &mut dyn Keeper,
) -> Result<Report, Failure> {
    Session::new(wire, plan, options).finish(|session| session.run(keeper))
}

/// Reads the module's RF and calibration data: the CP flash from 0xC0000 to its end. The plan gives the agent;
/// nothing of it is written.
///
/// # Errors
/// [`Failure`].
pub fn read_rf(wire: &mut dyn Wire, plan: &Plan, options: &Options) -> Result<Vec<u8>, Failure> {
    let mut rf = Vec::new();
    Session::new(wire, plan, options).finish(|session| {
        session.start()?;
        rf = session.read_rf()?;
        session.part()
    })?;
    Ok(rf)
}

struct Session<'w, 'p> {
    link: Link<'w>,
    plan: &'p Plan,
    options: &'p Options,
    account: Account,
    proof: Proof,
    /// An agent is running, and in its command loop unless an image is being sent.
    agent_runs: bool,
    /// The agent in the module's RAM may not be the plan's, byte for byte.
    agent_doubted: bool,
    /// The agent answers BULK_READ, as far as we know.
    bulk_reads: bool,
    agent_noted: bool,
}

impl<'w, 'p> Session<'w, 'p> {
    fn new(wire: &'w mut dyn Wire, plan: &'p Plan, options: &'p Options) -> Self {
        Session {
            link: Link::new(wire, options.pacing),
            plan,
            options,
            account: Account::begin(&Phase::ALL, "checking the options"),
            proof: Proof::AgentOnly,
            agent_runs: false,
            agent_doubted: false,
            bulk_reads: true,
            agent_noted: false,
        }
    }

    /// Runs `work`, and states exactly what has become of the module.
    fn finish(mut self, work: impl FnOnce(&mut Self) -> Result<(), Cause>) -> Result<Report, Failure> {
        let ready = self.options.check();
        match ready.and_then(|()| work(&mut self)) {
            Ok(()) => Ok(Report {
                bytes: self.account.bytes(),
                written: self.account.written(),
                proof: self.proof,
            }),
            Err(cause) => {
                self.abandon(&cause);
                Err(self.account.failure(cause, self.link.log_lines()))
            }
        }
    }

    fn run(&mut self, keeper: &mut dyn Keeper) -> Result<(), Cause> {
        self.start()?;
        let rf = self.read_rf()?;
        self.account.doing = "keeping the module's RF data".to_owned();
        keeper.keep(&rf).map_err(Cause::NotKept)?;
        let plan = self.plan;
        for burn in plan.burns() {
            self.clear_rest(burn)?;
        }
        for burn in plan.burns() {
            self.write_image(burn)?;
        }
        self.verify(&rf)?;
        self.account.complete();
        self.part()
    }

    /// From download mode to an agent in its command loop.
    fn start(&mut self) -> Result<(), Cause> {
        let agent = self.plan.agent(self.options.transport)?;
        self.enter(Phase::Sync, "waiting for the module's boot ROM");
        if self.find()? {
            self.enter(Phase::LoadHelper, "loading the agent into RAM");
            self.load_agent(agent)?;
            self.start_agent()?;
        }
        self.account.ram_changes();
        self.agent_runs = true;
        self.enter(Phase::CheckChip, "asking the agent who it is");
        if self.agent_doubted {
            self.check_agent(agent)?;
        }
        Ok(())
    }

    /// Everything that was written is read back, and what must survive is still there.
    fn verify(&mut self, rf: &[u8]) -> Result<(), Cause> {
        if !self.options.verify {
            return Ok(());
        }
        self.enter(Phase::Verify, "reading back what was written");
        self.loop_sync(patience::AGENT_SYNCS)?;
        let plan = self.plan;
        for burn in plan.burns() {
            self.compare_image(burn)?;
        }
        self.compare_rf(rf)?;
        self.proof = if self.bulk_reads {
            Proof::BulkRead
        } else {
            Proof::MemoryRead
        };
        Ok(())
    }

    /// Lets the module go. Whatever it does now, what was to be done is done.
    fn part(&mut self) -> Result<(), Cause> {
        if self.options.after == After::Stay {
            return Ok(());
        }
        self.enter(Phase::Reset, "letting the module restart");
        match self.reset() {
            Err(Trouble::Fatal(cause @ Cause::Wire(WireError::Cancelled))) => Err(cause),
            Err(Trouble::Fatal(Cause::Wire(WireError::Gone))) | Ok(()) => Ok(()),
            Err(why) => {
                let why = Cause::from(why);
                self.link
                    .note(&format!("{why}: if the module does not restart, power-cycle it"));
                Ok(())
            }
        }
    }

    fn reset(&mut self) -> Result<(), Trouble> {
        self.loop_sync(patience::SYNCS_BETWEEN_SILENCES)?;
        self.link.ask(Command::SYS_RST, 0, &[], patience::RESET)
    }

    /// After a failure. A module whose flash is untouched is let go; one that is half-written keeps its agent, which
    /// another run finds, while its boot ROM might want the boot pin. Source: §7.4.
    fn abandon(&mut self, cause: &Cause) {
        let reachable = self.agent_runs && !matches!(cause, Cause::Wire(_));
        if !reachable {
            return;
        }
        if self.account.is_half_written() {
            self.link
                .note("the agent keeps running in the module: leave it powered and run again");
        } else if self.options.after == After::Reset && self.reset().is_ok() {
            self.link.note("the module has been reset");
        }
    }
}

/// Book-keeping.
impl Session<'_, '_> {
    /// What the agent is told.
    fn settings(&self) -> Settings {
        let settings = self.plan.settings(self.options.transport);
        Settings {
            agent_baud: self.options.agent_baud.unwrap_or(settings.agent_baud),
            ..settings
        }
    }

    fn is_uart(&self) -> bool {
        self.options.transport == Transport::Uart
    }

    /// Phases only go forward.
    fn enter(&mut self, phase: Phase, doing: &str) {
        if self.account.enter(phase, doing) {
            self.link.report(Progress::Phase(phase));
        }
    }

    /// `done` of `total` bytes of an image for flash are acknowledged; `before` is the count without them.
    fn image_bytes(&mut self, image: &str, before: u64, done: u64, total: u64) {
        self.account.acknowledged(before + done);
        self.link.report(Progress::Bytes { image, done, total });
    }
}
