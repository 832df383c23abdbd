//! One module is written. Read from [`Session::run`] downwards, this is the protocol's page:
//! specs/asr-aboot.md §5.2 for what each entry becomes on the wire, §10 for a whole transcript.

mod entries;
mod script;

use std::time::Duration;

use super::aboot::{chip_name, number, patience};
use super::link::Link;
use super::plan::{Image, Plan, Route};
use super::preamble::Transport;
use crate::account::Account;
use crate::{Cause, Failure, FormatError, Phase, Progress, Wire, WireError, Written};

/// The value of `platform` when the download is served by the second stage in flash instead of the boot ROM.
/// Source: specs/asr-aboot.md §4.4 (V-win).
const BOOT2: &str = "AROM-TINY-BOOT2";
/// From this `version-boot2` on, boot2 takes helpers for form's sake. Compared as text. Source: §4.4 (V-win).
const BOOT2_TAKES_NOP: &str = "2021.01.17";
/// What a required `product` is replaced by on boot2. Source: §4.4 (V-win).
const BOOT2_PRODUCTS: &str = "arom|arom-tiny";
/// The boot ROM for which scripts say `nop` instead of `call`, if it speaks SMUX: then it is boot2. Source: §4.4 (V-lin, V-tiny).
const SCRIPT_NOP_BOOTROM: &str = "2019.01.15";
/// The phases of a session, in order.
const ORDER: [Phase; 6] = [
    Phase::Sync,
    Phase::CheckChip,
    Phase::LoadHelper,
    Phase::Write,
    Phase::Verify,
    Phase::Reset,
];
/// Between `complete` and `disconnect`. Source: §5.2 (V-win).
const BEFORE_DISCONNECT: Duration = Duration::from_millis(30);

/// How a package is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether the groups for production only are run too.
    pub production: bool,
    /// What becomes of the module afterwards.
    pub after: After,
    /// How long the preamble is repeated for an answer.
    pub sync_within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            production: false,
            after: After::Reset,
            sync_within: Duration::from_secs(10),
        }
    }
}

/// What becomes of the module when everything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It restarts.
    Reset,
    /// It stays in download mode.
    Stay,
}

/// What a complete write has achieved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Always [`Written::Complete`].
    pub written: Written,
    /// Bytes of all images, as the package has them.
    pub bytes: u64,
    /// What the module has said of its chip.
    pub chip: Chip,
}

/// What a module in download mode says of itself: the chip, never the module. Source: §9.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chip {
    /// Date of the boot ROM: `2020.07.30`.
    pub version_bootrom: String,
    /// Date of the second stage loader, or empty.
    pub version_boot2: String,
    /// Who serves the download: `SILICON`, `AROM-TINY-BOOT2`, or empty.
    pub platform: String,
    /// Loader family, if the package asked for it: `arom-tiny`.
    pub product: Option<String>,
    /// Version of the protocol, if the package asked for it: `0.5`.
    pub version: Option<String>,
}

/// What a `call` becomes on this module. Source: §4.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Calls {
    /// The helper runs.
    Run,
    /// The stage is there already; the helper is taken for form's sake.
    Nop,
    /// The stage is there already and wants no helper.
    Skip,
}

/// Writes a package to the module at the other end of `wire`, which must be in download mode.
///
/// # Errors
/// [`Failure`] with the phase, what was being done, what came back instead of the expected answer, and how much
/// of the flash has been changed.
pub fn write(wire: &mut dyn Wire, plan: &Plan, options: &Options) -> Result<Report, Failure> {
    let mut session = Session {
        link: Link::new(wire),
        plan,
        options,
        account: Account::begin(&ORDER, "checking the package"),
        chip: Chip::default(),
        calls: Calls::Run,
        just_called: false,
    };
    match session.run() {
        Ok(()) => Ok(Report {
            bytes: session.account.bytes(),
            written: session.account.written(),
            chip: session.chip,
        }),
        Err(cause) => Err(session.account.failure(cause, session.link.log_lines())),
    }
}

struct Session<'w, 'p> {
    link: Link<'w>,
    plan: &'p Plan,
    options: &'p Options,
    account: Account,
    chip: Chip,
    calls: Calls,
    /// Helper code has just been started: the link may have to be opened anew.
    just_called: bool,
}

impl Session<'_, '_> {
    fn run(&mut self) -> Result<(), Cause> {
        let plan = self.plan;
        plan.check(self.options.production).map_err(refused)?;
        self.enter(Phase::Sync, "opening the link");
        self.link.synchronise(self.options.sync_within)?;
        self.enter(Phase::CheckChip, "asking the module for its chip");
        self.ask_chip()?;
        match &plan.route {
            Route::Entries(entries) => self.run_entries(entries)?,
            Route::Script(script) => self.run_script(script)?,
        }
        self.prove()?;
        self.part()
    }

    /// The three questions every session begins with. Source: §5.2, §4.1.
    fn ask_chip(&mut self) -> Result<(), Cause> {
        self.chip.version_bootrom = self.link.variable("version-bootrom")?;
        self.chip.version_boot2 = self
            .link
            .optional("getvar:version-boot2", false)?
            .unwrap_or_default();
        self.chip.platform = self.link.optional("getvar:platform", false)?.unwrap_or_default();
        let script = matches!(self.plan.route, Route::Script(_)) && self.link.transport() == Transport::Smux;
        self.calls = match (&self.chip.platform, &self.chip.version_boot2) {
            (platform, boot2) if platform == BOOT2 && boot2.as_str() >= BOOT2_TAKES_NOP => Calls::Nop,
            (platform, _) if platform == BOOT2 => Calls::Skip,
            _ if script && self.chip.version_bootrom == SCRIPT_NOP_BOOTROM => Calls::Nop,
            _ => Calls::Run,
        };
        Ok(())
    }

    fn ask(&mut self, variable: &str) -> Result<String, Cause> {
        self.account.doing = format!("asking the module for `{variable}`");
        let value = self.link.variable(variable)?;
        match variable {
            "product" => self.chip.product = Some(value.clone()),
            "version" => self.chip.version = Some(value.clone()),
            _ => {}
        }
        Ok(value)
    }

    fn plain(&mut self, command: &str) -> Result<(), Cause> {
        self.account.doing = format!("sending `{command}`");
        self.link.command(command, patience::QUESTION).map(drop)
    }

    fn start_helper(&mut self) -> Result<(), Cause> {
        if self.calls == Calls::Nop {
            return self.link.optional("nop", false).map(drop);
        }
        self.link.command_across_silence("call", patience::CALL, false)?;
        self.just_called = true;
        Ok(())
    }

    fn max_download_size(&mut self) -> Result<u32, Cause> {
        let question = "getvar:max-download-size";
        let answer = match std::mem::take(&mut self.just_called) {
            true => self
                .link
                .command_across_silence(question, patience::QUESTION, true)?,
            false => self.link.value(question, patience::QUESTION)?,
        };
        number(&answer).ok_or(Cause::Malformed {
            sent: question.into(),
            answer: format!("`{}`", answer.escape_debug()),
        })
    }

    /// Only the answer to `complete` proves that everything is written. Source: §4.5 (V).
    fn prove(&mut self) -> Result<(), Cause> {
        self.enter(Phase::Verify, "waiting for the proof that everything is written");
        if self.options.after == After::Reset {
            self.link.command("reboot", patience::QUESTION)?;
        }
        self.link.settle(patience::SETTLED)?;
        self.link.command("complete", patience::WORK)?;
        self.account.complete();
        Ok(())
    }

    /// Lets the module go. Whatever it does now, it has been written.
    fn part(&mut self) -> Result<(), Cause> {
        if self.options.after == After::Stay {
            return Ok(());
        }
        self.enter(Phase::Reset, "letting the module restart");
        match self
            .link
            .pause(BEFORE_DISCONNECT)
            .and_then(|()| self.link.disconnect())
        {
            Err(cause @ Cause::Wire(WireError::Cancelled)) => Err(cause),
            _ => Ok(()),
        }
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

    /// Downloads bytes to RAM.
    fn download<'d>(&mut self, len: u32, pieces: impl Iterator<Item = &'d [u8]>) -> Result<(), Cause> {
        self.stream(len, pieces)?;
        self.link.stored(len)
    }

    /// The first half of a download: announced and sent, while the last bytes may still be on their way. From the
    /// first byte on the module is no longer as it was.
    fn stream<'d>(&mut self, len: u32, pieces: impl Iterator<Item = &'d [u8]>) -> Result<(), Cause> {
        let queued = self.work_is_queued();
        let patience = if queued {
            patience::FLASHER_DATA
        } else {
            patience::ROM_DATA
        };
        self.link.announce(len, patience)?;
        self.account.ram_changes();
        self.link.send_data(len as usize, pieces)
    }

    /// Sends a command that changes flash. From then on flash is no longer as it was.
    fn change(&mut self, command: &str, image: &str) -> Result<(), Cause> {
        self.link.clear_to_send(command)?;
        self.account.flash_changes(image);
        self.link.command_now(command, patience::WORK).map(drop)
    }

    fn work_is_queued(&self) -> bool {
        self.account.is_half_written()
    }

    /// Bytes of images were acknowledged.
    fn count(&mut self, more: u64) {
        self.account.acknowledged(self.account.bytes() + more);
    }

    fn acknowledged(&mut self, image: &Image, done: u64) {
        self.link.report(Progress::Bytes {
            image: &image.name,
            done,
            total: image.data.len() as u64,
        });
    }
}

fn refused(why: FormatError) -> Cause {
    Cause::Unsupported(why.to_string())
}

fn differs(variable: &str, actual: &str, wants: &str) -> Cause {
    Cause::WrongChip {
        why: format!("`{variable}` is {}, the package {wants}", named(actual)),
    }
}

/// A value with the chip it is known for.
fn named(value: &str) -> String {
    match chip_name(value) {
        Some(chip) => format!("`{value}` ({chip})"),
        None => format!("`{value}`"),
    }
}
