//! The script route: the lines are sent as they are. Source: specs/asr-aboot.md §5.4.

use super::{BOOT2, BOOT2_PRODUCTS, Calls, Session, differs};
use crate::asr::aboot::patience;
use crate::asr::script::{Expected, Line, Purpose, Script};
use crate::{Cause, Phase};

impl Session<'_, '_> {
    /// Sends every line, once it is clear that the script is for this chip.
    pub(super) fn run_script(&mut self, script: &Script) -> Result<(), Cause> {
        let actual = &self.chip.version_bootrom;
        if let Some(wanted) = script.version_bootrom().filter(|wanted| !wanted.contains(actual)) {
            return Err(differs(
                "version-bootrom",
                actual,
                &format!("requires `{}`", wanted.join("|")),
            ));
        }
        for line in &script.lines {
            let skipped = matches!(line.purpose, Purpose::Call(_)) && self.calls == Calls::Skip;
            if !skipped {
                self.run_line(script, line)?;
            }
        }
        Ok(())
    }

    fn run_line(&mut self, script: &Script, line: &Line) -> Result<(), Cause> {
        let plan = self.plan;
        let (phase, name) = match &line.purpose {
            Purpose::Ask => (self.account.phase(), ""),
            Purpose::Call(helper) | Purpose::Partition(helper) => (
                Phase::LoadHelper,
                plan.helpers.get(*helper).map_or("", |helper| &helper.name),
            ),
            Purpose::Erase(partition) => (Phase::Write, partition.as_str()),
            Purpose::Flash { image, .. } => (
                Phase::Write,
                plan.images.get(*image).map_or("", |image| &image.name),
            ),
        };
        let command = line.command.as_str();
        match name {
            "" => self.enter(phase, &format!("sending `{command}`")),
            name => self.enter(phase, &format!("sending `{command}` for `{name}`")),
        }
        match (
            command.split_once(':').map_or(command, |(word, _)| word),
            &line.payload,
        ) {
            (_, Some(place)) => {
                let payload = script.bytes.get(place.clone()).unwrap_or_default();
                self.load_payload(payload, &line.purpose)
            }
            ("getvar", _) => self.compare(command, &line.expected),
            ("call" | "nop", _) => self.start_helper(),
            ("verify", _) => self.link.command(command, patience::VERIFY).map(drop),
            ("partition", _) => self.link.command(command, patience::PARTITION).map(drop),
            ("erase" | "flash", _) => self.flash_line(command, name, &line.purpose),
            _ => self.link.command(command, patience::QUESTION).map(drop),
        }
    }

    fn load_payload(&mut self, payload: &[u8], purpose: &Purpose) -> Result<(), Cause> {
        let plan = self.plan;
        self.download(payload.len() as u32, std::iter::once(payload))?;
        if let Purpose::Call(helper) | Purpose::Partition(helper) = purpose
            && let Some(helper) = plan.helpers.get(*helper)
        {
            self.acknowledged(helper, payload.len() as u64);
        }
        Ok(())
    }

    fn flash_line(&mut self, command: &str, name: &str, purpose: &Purpose) -> Result<(), Cause> {
        let plan = self.plan;
        self.change(command, name)?;
        if let Purpose::Flash { image, bytes } = purpose
            && let Some(image) = plan.images.get(*image)
        {
            self.count(bytes.end - bytes.start);
            self.acknowledged(image, bytes.end);
        }
        Ok(())
    }

    /// Asks for a variable and compares it. Source: §5.4: aboot-tiny's rules.
    fn compare(&mut self, question: &str, expected: &Expected) -> Result<(), Cause> {
        let variable = question.trim_start_matches("getvar:");
        let actual = match variable {
            "max-download-size" => return self.compare_size(expected),
            _ => self.ask(variable)?,
        };
        let boot2_product = variable == "product" && self.chip.platform == BOOT2;
        match expected {
            Expected::OneOf(_) if boot2_product && BOOT2_PRODUCTS.split('|').any(|one| one == actual) => {
                Ok(())
            }
            Expected::OneOf(values) if !values.contains(&actual) => Err(differs(
                variable,
                &actual,
                &format!("requires `{}`", values.join("|")),
            )),
            _ => Ok(()),
        }
    }

    fn compare_size(&mut self, expected: &Expected) -> Result<(), Cause> {
        let most = self.max_download_size()?;
        match expected {
            Expected::AtLeast(least) if most < *least => Err(Cause::Unsupported(format!(
                "the module takes downloads of {most} bytes, {least} are needed"
            ))),
            _ => Ok(()),
        }
    }
}
