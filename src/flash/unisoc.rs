//! The jobs of a Unisoc module.

use qpyflash_protocols::unisoc::{self, Keeper, Kept, Options, Plan, Report, Transport};
use qpyflash_protocols::{Cause, Failure, Phase, Wire, Written};

use super::session::{Achieved, Context};
use super::{After, Carrier, Job, Request};
use crate::error::{Error, Kind};

/// What can be found wrong without a module.
pub(super) fn check(plan: &Plan, request: &Request) -> Result<(), Error> {
    if let Some(backup) = &request.nv_backup {
        plan.check_nv(&backup.area).map_err(|why| {
            let text = format!("the backup `{}` cannot be used: {why}", backup.name);
            Error::new(Kind::BackupCorrupt, text).hint(
                "give another backup of this module; every run that could harm its NV items has made one",
            )
        })?;
    }
    options(request)
        .check(plan.platform())
        .map_err(|why| Error::new(Kind::Usage, why.to_string()))
}

/// What does not depend on the module.
fn options(request: &Request) -> Options {
    let defaults = Options::default();
    Options {
        frame: request.frame.unwrap_or(defaults.frame),
        baud: request.flash_baud,
        after: match request.after {
            After::Reset => unisoc::After::Reset,
            After::Stay => unisoc::After::Stay,
        },
        earlier_nv: request.nv_backup.as_ref().map(|backup| backup.area.clone()),
        label_imei: request.label_imei.clone(),
        take_missing_items: request.fill_missing_nv,
        ..defaults
    }
}

/// Carries the job out.
pub(super) fn run(
    wire: &mut dyn Wire,
    plan: &Plan,
    context: &mut Context<'_>,
) -> Result<Achieved, Box<Failure>> {
    let options = Options {
        transport: match context.carrier {
            Carrier::Uart | Carrier::Network => Transport::Uart,
            Carrier::Tty => Transport::Tty,
            Carrier::Usb => Transport::RawUsb,
        },
        imei: context.imei.clone(),
        ..options(context.request)
    };
    let keep = &mut context.keep;
    let report = match context.job {
        Job::Write => unisoc::write(wire, plan, &options, keep)?,
        Job::EraseAll => unisoc::erase_all(wire, plan, &options, keep)?,
        Job::RestoreNv => {
            let backup = context.request.nv_backup.as_ref();
            let none = "there is no backup to write back";
            let backup = backup.ok_or_else(|| failed(Phase::Clear, Cause::Unsupported(none.into())))?;
            unisoc::restore_nv(wire, plan, &options, &backup.area, keep)?
        }
        Job::ReadRf => {
            let why = "a Unisoc module keeps its RF data among its NV items";
            return Err(failed(Phase::Clear, Cause::Unsupported(why.into())));
        }
        Job::ReadNv => {
            let nv = unisoc::read_nv(wire, plan, &options)?;
            let imei = unisoc::nv::imei(&nv);
            let kept = Kept {
                nv: &nv,
                phase_check: None,
                imei: imei.as_deref(),
            };
            keep.keep(kept)
                .map_err(|why| failed(Phase::Verify, Cause::NotKept(why)))?;
            Report {
                written: Written::HelpersOnly,
                bytes: 0,
                imei,
            }
        }
    };
    Ok(Achieved::new(report.bytes, report.written))
}

fn failed(phase: Phase, cause: Cause) -> Box<Failure> {
    let written = match phase {
        Phase::Clear => Written::Nothing,
        _ => Written::HelpersOnly,
    };
    Box::new(Failure {
        phase,
        doing: "keeping the module's NV items".into(),
        cause,
        written,
        log: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_reaches_the_session() {
        let mut request = Request::new("fw.pac");
        assert_eq!(options(&request), Options::default());
        request.frame = Some(0x1000);
        request.flash_baud = Some(921_600);
        request.after = After::Stay;
        request.label_imei = Some("866327040830317".into());
        request.fill_missing_nv = true;
        let wanted = Options {
            frame: 0x1000,
            baud: Some(921_600),
            after: unisoc::After::Stay,
            label_imei: Some("866327040830317".into()),
            take_missing_items: true,
            ..Options::default()
        };
        assert_eq!(options(&request), wanted);
    }
}
