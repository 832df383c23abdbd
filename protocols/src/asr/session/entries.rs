//! The `download.json` route: what each entry becomes on the wire. Source: specs/asr-aboot.md §5.2 (V).

use super::{BOOT2, BOOT2_PRODUCTS, Calls, Session, differs, named};
use crate::asr::aboot::patience;
use crate::asr::plan::{Action, Condition, Entry, Image, rehearse, selection};
use crate::asr::sparse::Segments;
use crate::{Cause, FormatError, Phase};

/// Partition types that must be erased before they are written. Source: §5.2 (V).
const ERASED_FIRST: [&str; 2] = ["ubi", "ext4"];

impl Session<'_, '_> {
    /// Runs the entries for this boot ROM, in the order of the file.
    pub(super) fn run_entries(&mut self, entries: &[Entry]) -> Result<(), Cause> {
        let bootrom = self.chip.version_bootrom.clone();
        let selected = || selection(entries, Some(&bootrom), self.options.production);
        rehearse(selected()).map_err(|why| wrong_chip(&bootrom, &why))?;
        let selected: Vec<&Entry> = selected().collect();
        for entry in selected {
            match &entry.action {
                Action::Require(condition) => self.require(condition)?,
                Action::Reject(condition) => self.reject(condition)?,
                Action::Progress(weight) => self.plain(&format!("progress:{weight:08x}"))?,
                Action::Call(image) => self.call(image)?,
                Action::Partition(image, _) => self.partition(image)?,
                Action::Erase(partition) => self.erase(partition)?,
                Action::Flash(image) => self.flash(image)?,
                Action::Go => self.plain("go")?,
                Action::Enable => self.plain("enable")?,
            }
        }
        Ok(())
    }

    fn require(&mut self, wanted: &Condition) -> Result<(), Cause> {
        let actual = self.ask(&wanted.variable)?;
        let wanted = match wanted.variable.as_str() {
            "product" if self.chip.platform == BOOT2 => &Condition {
                value: BOOT2_PRODUCTS.into(),
                ..wanted.clone()
            },
            _ => wanted,
        };
        match wanted.matches(&actual) {
            true => Ok(()),
            false => Err(differs(
                &wanted.variable,
                &actual,
                &format!("requires `{}`", wanted.value),
            )),
        }
    }

    fn reject(&mut self, unwanted: &Condition) -> Result<(), Cause> {
        let actual = self.ask(&unwanted.variable)?;
        match unwanted.matches(&actual) {
            false => Ok(()),
            true => Err(differs(
                &unwanted.variable,
                &actual,
                &format!("rejects `{}`", unwanted.value),
            )),
        }
    }

    fn call(&mut self, image: &Image) -> Result<(), Cause> {
        self.enter(Phase::LoadHelper, &format!("loading `{}` into RAM", image.name));
        if self.calls == Calls::Skip {
            self.link
                .note(&format!("`{}` is not needed: boot2 serves", image.name));
            return Ok(());
        }
        self.load(image)?;
        self.link.command("verify", patience::VERIFY)?;
        self.account.doing = format!("starting `{}`", image.name);
        self.start_helper()
    }

    fn partition(&mut self, image: &Image) -> Result<(), Cause> {
        self.enter(
            Phase::LoadHelper,
            &format!("handing `{}` to the flasher", image.name),
        );
        self.load(image)?;
        self.link.command("partition", patience::PARTITION).map(drop)
    }

    /// Downloads an image to RAM.
    fn load(&mut self, image: &Image) -> Result<(), Cause> {
        let most = self.max_download_size()?;
        let size = image.data.len() as u64;
        let len = u32::try_from(size)
            .ok()
            .filter(|&len| len <= most)
            .ok_or_else(|| {
                Cause::Unsupported(format!(
                    "not enough download area: `{}` has {size} bytes, {most} fit",
                    image.name
                ))
            })?;
        self.download(len, std::iter::once(&image.data[..]))?;
        self.acknowledged(image, size);
        Ok(())
    }

    fn erase(&mut self, partition: &str) -> Result<(), Cause> {
        self.enter(Phase::Write, &format!("erasing `{partition}`"));
        self.change(&format!("erase:{partition}"), partition)
    }

    fn flash(&mut self, image: &Image) -> Result<(), Cause> {
        let partition = image.target.as_str();
        self.enter(
            Phase::Write,
            &format!("preparing to write `{}` to `{partition}`", image.name),
        );
        let most = self.max_download_size()?;
        let mut segments = Segments::new(&image.data, most).ok_or_else(|| Cause::Malformed {
            sent: "getvar:max-download-size".into(),
            answer: format!("{most} bytes, in which no block fits"),
        })?;
        let question = format!("getvar:partition-type:{partition}");
        let kind = self.link.optional(&question, self.work_is_queued())?;
        if kind.is_some_and(|kind| ERASED_FIRST.contains(&kind.as_str())) {
            self.erase(partition)?;
        }
        self.acknowledged(image, 0);
        let (mut start, mut next) = (0, segments.next());
        while let Some(segment) = next {
            self.account.doing = format!("writing `{}` to `{partition}` at {start:#x}", image.name);
            let pieces = segment.pieces.iter().map(|piece| &piece[..]);
            self.stream(segment.len, pieces)?;
            // Built while the last bytes are on their way: the line must not wait for a CRC.
            next = segments.next();
            self.link.stored(segment.len)?;
            self.change(&format!("flash:{partition}"), &image.name)?;
            self.count(segment.image_end - start);
            start = segment.image_end;
            self.acknowledged(image, start);
        }
        Ok(())
    }
}

fn wrong_chip(bootrom: &str, why: &FormatError) -> Cause {
    Cause::WrongChip {
        why: format!("nothing in it can be run on boot ROM {}: {why}", named(bootrom)),
    }
}
