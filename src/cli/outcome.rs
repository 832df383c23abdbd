//! A run's end, plainly.

use qpyflash::Written;
use qpyflash::flash::{Outcome, Proof, Verdict};
use qpyflash::identity::Identity;

use super::printer::{Form, Printer};
use super::progress::size;

/// Shows how a run ended and returns its exit code.
pub fn show(outcome: &Outcome, printer: &Printer) -> u8 {
    match printer.form {
        // The last event has said it all.
        Form::JsonLines => {}
        Form::Json => printer.json(outcome),
        Form::Text => text(outcome, printer),
    }
    outcome.exit_code
}

fn text(outcome: &Outcome, printer: &Printer) {
    for backup in &outcome.backups {
        printer.say(&format!("  backup: {}", backup.display()));
    }
    if let Some(error) = &outcome.error {
        printer.failed_run(error, outcome);
        return;
    }
    let place = outcome.module.as_deref().unwrap_or("no module");
    let file = outcome
        .package
        .as_ref()
        .and_then(|package| package.origin.last())
        .map_or("", String::as_str);
    let words = match outcome.verdict {
        Verdict::Clear if outcome.module.is_none() => match &outcome.ordering_code {
            Some(code) => format!("`{file}` may be written to an {code}; no module was asked"),
            None => format!("`{file}` is sound; no module is attached"),
        },
        Verdict::Clear => format!("`{file}` may be written to the module on {place}; nothing was written"),
        Verdict::Done => format!("done on {place}, {:.1} s in all", outcome.seconds),
        Verdict::NvRestored => format!(
            "restored: the NV items of the backup are in the module on {place} and read back the same, {:.1} s in all",
            outcome.seconds
        ),
        Verdict::Erased => format!(
            "erased: the module on {place} has no firmware now; its NV items and record of production were written \
             back and read back the same, {:.1} s in all\nit stays in download mode until it is written: \
             `qpyflash write FILE --oc {}`",
            outcome.seconds,
            outcome.ordering_code.as_deref().unwrap_or("OC")
        ),
        Verdict::WrittenPowerCycle => format!(
            "written: `{file}`, {}; the module on {place} stays in download mode: now power-cycle it",
            rate(outcome)
        ),
        _ => format!("written: `{file}` to the module on {place}, {}", rate(outcome)),
    };
    printer.result(&words);
    rf(outcome, printer);
    if let Some(proof) = outcome.proof {
        printer.result(match proof {
            Proof::BulkRead | Proof::MemoryRead => {
                "verified: every image was read back from flash and is what the package says"
            }
            Proof::ModuleOnly => {
                "not read back, as asked for: the module itself compared each block it wrote"
            }
        });
    }
    revisions(outcome, printer);
}

/// What was read of the RF data, and whether it is what it was compared with.
fn rf(outcome: &Outcome, printer: &Printer) {
    let Some(rf) = &outcome.rf else {
        return;
    };
    for part in &rf.parts {
        let state = if part.blank { "blank" } else { "present" };
        let (name, address) = (part.name, part.address);
        printer.result(&format!(
            "  CP 0x{address:x}  {:>9}  {state:<7}  {name}",
            size(part.size as u64)
        ));
    }
    printer.result(&format!("  sha256 {}", rf.sha256));
    if let Some(file) = &rf.compared_with {
        printer.result(&format!("the same as `{file}`"));
    }
}

fn revisions(outcome: &Outcome, printer: &Printer) {
    let revision = |identity: &Option<Identity>| {
        identity
            .as_ref()
            .and_then(|identity| identity.revision_text.clone())
            .unwrap_or_else(|| "unknown".into())
    };
    match outcome.verdict {
        Verdict::Confirmed => printer.result(&format!(
            "confirmed: the module was `{}` and reports `{}` now",
            revision(&outcome.before),
            revision(&outcome.after)
        )),
        Verdict::WrittenUnasked if outcome.written == Written::Complete => {
            printer.result("the module acknowledged the whole write; it was not asked again what it is");
        }
        _ => {}
    }
}

fn rate(outcome: &Outcome) -> String {
    let writing: f64 = outcome
        .phases
        .iter()
        .filter(|time| time.phase == qpyflash::Phase::Write)
        .map(|time| time.seconds)
        .sum();
    let rate = if writing > 0.0 {
        format!(" at {}/s", size((outcome.bytes as f64 / writing) as u64))
    } else {
        String::new()
    };
    format!("{}{rate}, {:.1} s in all", size(outcome.bytes), outcome.seconds)
}
