//! From a session's failure to words for a person.

use qpyflash_protocols::{Cause, Failure, WireError, Written};

use crate::error::{Error, Kind};
use crate::gate::WritePermit;

/// The module's own last words, shown with `-v`.
#[derive(Debug, thiserror::Error)]
#[error("the module's last words:\n{}", .0.join("\n"))]
struct LastWords(Vec<String>);

/// Image bytes acknowledged before the session ended.
pub(super) fn acknowledged(written: &Written) -> u64 {
    match written {
        Written::Partial { bytes, .. } => *bytes,
        _ => 0,
    }
}

/// What was attempted, what came back, what was written, what to do next.
pub(super) fn explain(failure: Failure, permit: &WritePermit, place: &str) -> Error {
    let kind = match &failure.cause {
        // Everything is in the flash; what is missing is the module's own word.
        _ if failure.written == Written::Complete => Kind::NotConfirmed,
        Cause::Wire(WireError::Gone) => Kind::ModuleGone,
        Cause::Wire(WireError::Cancelled) => Kind::Interrupted,
        Cause::Wire(WireError::Failed(_)) => Kind::LinkFailed,
        Cause::Wire(WireError::Stalled { .. }) | Cause::Silent { .. } => Kind::ModuleSilent,
        Cause::Refused { .. } => Kind::ModuleRefused,
        Cause::Malformed { .. } => Kind::ModuleGarbage,
        Cause::WrongChip { .. } => Kind::RefusedChip,
        Cause::NotKept(_) => Kind::RefusedUnsafe,
        Cause::Unsupported(_) => Kind::ModuleUnsupported,
    };
    let again = format!("`--before none --oc {}`", permit.ordering_code());
    let mut error = Error::new(kind, failure.to_string())
        .in_phase(failure.phase)
        .at(place);
    error = match &failure.written {
        Written::Nothing | Written::HelpersOnly => error.hint(format!(
            "power-cycle the module: it starts its old firmware; if it shows up in download mode, write with {again}"
        )),
        Written::Partial { .. } => error.hint(format!(
            "the module is half-written and will not start: power-cycle it (with the BOOT key if it does not show \
             up), then run again from the start with {again}"
        )),
        Written::Complete => error.hint("power-cycle the module, then ask it with `qpyflash identify`"),
    };
    error = error.written(failure.written.clone());
    if failure.log.is_empty() {
        error
    } else {
        error.caused_by(LastWords(failure.log))
    }
}
