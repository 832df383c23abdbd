//! The loader's command layer. Source: specs/asr-aboot.md §4, §8.1, §9.

use std::time::{Duration, Instant};

use crate::asr::builder::Variant;
use crate::asr::fip;
use crate::asr::loader::{Incoming, Loader, Waiting};
use crate::asr::programmer::{Generation, Job};
use crate::asr::tables::{self, PartitionTable};
use crate::fault::Point;
use crate::outbox::Outbox;
use crate::port::Ending;

/// Download blocks of the queued flasher with 4 MiB of PSRAM. Source: specs/asr-aboot.md §4.5.
const BLOCKS: usize = 3;
/// Time from the answer to `disconnect` until the module leaves the bus.
const LEAVES_AFTER: Duration = Duration::from_millis(30);
/// A boot2 of this date or later knows `nop`. Source: specs/asr-aboot.md §4.4 [V-win].
const NOP_SINCE: &str = "2021.01.17";
const UNKNOWN: &str = "FAILunknown command";

impl Loader {
    /// Does what a command says. An answer that must wait for the worker is sent by [`Loader::answer_waiting`].
    pub(super) fn execute(&mut self, command: &str, now: Instant, out: &mut Outbox) {
        self.log("INFO", "Aboot", &format!("cmd: {command}"), now, out);
        if self.incoming.take().is_some() {
            return self.answer("FAILcommand within data", now, out);
        }
        let (verb, argument) = command.split_once(':').unwrap_or((command, ""));
        let answer = match verb {
            "getvar" => Some(format!("OKAY{}", self.variable(argument))),
            "progress" => Some(self.progress(argument)),
            "download" => self.download(argument),
            "verify" => Some(self.verify()),
            "call" => return self.call(now, out),
            "nop" => Some(self.nop()),
            "boot" | "continue" | "oem" => Some(UNKNOWN.into()),
            _ if !self.is_flasher() => Some(UNKNOWN.into()),
            "partition" => Some(self.partition(now, out)),
            "erase" => self.queue(Job::Erase {
                partition: argument.into(),
            }),
            "flash" => {
                let image = std::mem::take(&mut self.buffer);
                self.queue(Job::Flash {
                    partition: argument.into(),
                    image,
                })
            }
            "fuse" => {
                self.shared.count(|counters| counters.fuse_requests += 1);
                Some("OKAY".into())
            }
            "loadpt" => Some(self.load_table()),
            "useflash" => Some(self.use_flash(argument)),
            "enable" | "go" => Some("OKAY".into()),
            "reboot" => {
                self.reboots = true;
                Some("OKAY".into())
            }
            "complete" => {
                self.waiting = Some(Waiting::Queue);
                None
            }
            "disconnect" => {
                if self.reboots {
                    self.end(now + LEAVES_AFTER, Ending::Restart);
                }
                Some("OKAY".into())
            }
            _ => Some(UNKNOWN.into()),
        };
        match answer {
            Some(answer) => self.answer(&answer, now, out),
            None => self.work(now, out),
        }
    }

    /// Answers a command that was waiting for the worker, as soon as it has got so far.
    pub(super) fn answer_waiting(&mut self, now: Instant, out: &mut Outbox) {
        match self.waiting {
            Some(Waiting::Block(size)) if self.programmer.blocks_in_use() < BLOCKS => {
                self.waiting = None;
                let answer = self.announce(size);
                self.answer(&answer, now, out);
            }
            // After a failure the queue is never complete.
            Some(Waiting::Queue) if self.programmer.is_idle() && !self.programmer.is_dead() => {
                self.waiting = None;
                self.flash().commit();
                self.say("PROG100", now, out);
                self.answer("OKAY", now, out);
            }
            _ => {}
        }
    }

    /// A variable; one that is not known is empty. Source: specs/asr-aboot.md §4.1-4.2, §9.
    fn variable(&self, name: &str) -> String {
        let partition = |name| self.table.as_ref().and_then(|table| table.find(name));
        let number = |number: u32| format!("\t 0x{number:x}");
        match (name.split_once(':'), name) {
            (Some(("partition-type", name)), _) => partition(name).map(|found| found.kind.clone()),
            (Some(("partition-size", name)), _) => partition(name).map(|found| number(found.size)),
            (Some(("partition-start", name)), _) => partition(name).map(|found| number(found.start)),
            (Some(("partition-vstart", name)), _) => partition(name).map(|found| number(found.vstart)),
            (_, "product") => Some(match self.settings.variant {
                Variant::Rom1601 => "arom".into(),
                _ => "arom-tiny".into(),
            }),
            (_, "version") => Some("0.5".into()),
            (_, "version-bootrom") => Some(match self.settings.variant {
                Variant::Rom1603 => "2020.07.30".into(),
                _ => "2019.01.15".into(),
            }),
            (_, "version-boot2") => match &self.settings.variant {
                Variant::Boot2Of1601(date) => Some(date.clone()),
                _ => None,
            },
            (_, "platform") => Some(match self.settings.variant {
                Variant::Boot2Of1601(_) => "AROM-TINY-BOOT2".into(),
                _ => "SILICON".into(),
            }),
            (_, "max-download-size") => Some(number(self.max_download())),
            _ => None,
        }
        .unwrap_or_default()
    }

    fn max_download(&self) -> u32 {
        if self.is_flasher() {
            self.settings.max_download_b
        } else {
            self.settings.max_download_a
        }
    }

    fn progress(&mut self, argument: &str) -> String {
        match u32::from_str_radix(argument, 16) {
            Ok(weight) => {
                self.programmer.set_weight(weight.into());
                "OKAY".into()
            }
            Err(_) => "FAILinvalid weight".into(),
        }
    }

    fn download(&mut self, argument: &str) -> Option<String> {
        let size = u32::from_str_radix(argument, 16).ok().filter(|size| *size > 0);
        let Some(size) = size else {
            return Some("FAILinvalid size".into());
        };
        if size > self.max_download() {
            return Some("FAILdata too large".into());
        }
        if self.programmer.blocks_in_use() >= BLOCKS {
            self.waiting = Some(Waiting::Block(size as usize));
            return None;
        }
        Some(self.announce(size as usize))
    }

    fn announce(&mut self, size: usize) -> String {
        self.downloads += 1;
        self.buffer.clear();
        self.buffer.reserve_exact(size);
        self.verified = false;
        self.incoming = Some(Incoming {
            expected: size,
            received: 0,
        });
        format!("DATA{size:08x}")
    }

    fn verify(&mut self) -> String {
        match fip::check(&self.buffer) {
            Ok(()) => {
                self.verified = true;
                "OKAY".into()
            }
            Err(reason) => format!("FAIL{reason}"),
        }
    }

    /// Runs the verified image; boot2 cannot, as it would overwrite itself.
    fn call(&mut self, now: Instant, out: &mut Outbox) {
        if matches!(self.settings.variant, Variant::Boot2Of1601(_)) {
            return self.answer("FAILcall is not supported by boot2", now, out);
        }
        if !std::mem::take(&mut self.verified) {
            return self.answer("FAILno verified image", now, out);
        }
        self.called += 1;
        self.say("INFOimage is running", now, out);
        self.answer_after(self.settings.call_time, "OKAY", now, out);
    }

    fn nop(&mut self) -> String {
        match &self.settings.variant {
            Variant::Boot2Of1601(date) if date.as_str() >= NOP_SINCE => {
                if std::mem::take(&mut self.verified) {
                    "OKAY".into()
                } else {
                    "FAILno verified image".into()
                }
            }
            _ => UNKNOWN.into(),
        }
    }

    /// Reads the last download as flash information or partition table.
    fn partition(&mut self, now: Instant, out: &mut Outbox) -> String {
        if self.buffer.starts_with(tables::FLASH_INFO_MAGIC) {
            let chips = tables::flash_chips(&self.buffer).unwrap_or_default();
            if !chips.contains(&self.settings.flash_chip) {
                return "FAILparse flash information table failed".into();
            }
            self.knows_flash = true;
            self.say("INFOparse flash information table successfully.", now, out);
        } else if self.buffer.starts_with(tables::PARTITION_MAGIC) {
            match PartitionTable::read(&self.buffer) {
                Ok(table) if self.knows_flash => self.use_table(table),
                Ok(_) => return "FAILno flash information".into(),
                Err(reason) => {
                    self.log("ERR", "Flasher", reason, now, out);
                    return "FAILparse partition information table failed".into();
                }
            }
            self.say("INFOparse partition table successfully.", now, out);
        } else {
            return "FAILunknown partition command file format".into();
        }
        "OKAY".into()
    }

    fn use_table(&mut self, table: PartitionTable) {
        self.flash().set_layout(table.clone());
        self.table = Some(table);
    }

    fn load_table(&mut self) -> String {
        let found = {
            let flash = self.flash();
            let mut sectors = flash
                .bytes()
                .chunks(0x1000)
                .filter(|sector| sector.starts_with(tables::PARTITION_MAGIC));
            sectors.find_map(|sector| PartitionTable::read(sector).ok())
        };
        match found {
            Some(table) => {
                self.use_table(table);
                "OKAY".into()
            }
            None => "FAILload partition table failed".into(),
        }
    }

    fn use_flash(&self, name: &str) -> String {
        let named = self
            .table
            .as_ref()
            .and_then(|table| table.find(name))
            .is_some_and(|found| found.kind == "flash");
        if named || name == "external" {
            "OKAY".into()
        } else {
            format!("FAILflash name \"{name}\" not found")
        }
    }

    /// Queues work. The 2020 generation answers at once, the 2019 generation when the work is done.
    fn queue(&mut self, job: Job) -> Option<String> {
        let fault = self.shared.state().faults.strike(Point::Programming);
        self.programmer.push(job, fault);
        match self.settings.variant.generation() {
            Generation::Queued2020 => Some("OKAY".into()),
            Generation::Direct2019 => {
                self.waiting = Some(Waiting::Job);
                None
            }
        }
    }
}
