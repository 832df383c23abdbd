//! What all steps together must keep to, so that a half-written module can always be written again.

use super::{Action, SECTOR_BYTES, Step};
use crate::unisoc::bsl::address;
use crate::unisoc::{corrupt, uimage, unsupported};
use crate::{FormatError, Platform};

/// The loaders must be there and lie where the chip takes them: a loader that is given anything else stops, and
/// only a power cycle helps. Source: §1.6, §5.3 (V).
pub(super) fn check_loaders(platform: Platform, steps: &[Step]) -> Result<(), FormatError> {
    let wanted: &[(&str, u32, usize)] = match platform {
        Platform::Unisoc8910 => &[("HOST_FDL", 0x0080_00C0, 0xFF40), ("FDL2", 0x0081_0000, 0x30000)],
        _ => &[("FDL", 0x5080_0000, 0x14000)],
    };
    for step in steps.iter().filter(|step| step.action == Action::Load) {
        let place = wanted.iter().find(|(id, ..)| *id == step.id);
        let Some(&(_, address, limit)) = place.filter(|(_, address, _)| *address == step.address) else {
            let why = format!("a {} has none at 0x{:08x}", platform.title(), step.address);
            return Err(unsupported(format!("the loader `{}`", step.id), why));
        };
        if step.data.len() > limit {
            return Err(FormatError::TooLarge {
                what: format!("`{}`", step.id),
                size: step.data.len() as u64,
                place: format!("the RAM at 0x{address:08x}"),
                limit: limit as u64,
            });
        }
        if platform == Platform::Unisoc8910 && !uimage::has_magic(&step.data) {
            let why = "it is no uImage, and the module would not start it";
            return Err(corrupt(format!("the loader `{}`", step.id), why));
        }
    }
    match wanted.iter().find(|(id, ..)| {
        !steps
            .iter()
            .any(|step| step.id == *id && step.action == Action::Load)
    }) {
        Some((id, ..)) => Err(FormatError::Missing {
            what: format!("the loader `{id}`"),
        }),
        None => Ok(()),
    }
}

/// The boot area is erased before anything else is changed, and written after everything else.
/// Source: §6.3 step 10, §6.4 (V).
pub(super) fn check_order(platform: Platform, steps: &[Step]) -> Result<(), FormatError> {
    let (erase, image) = match platform {
        Platform::Unisoc8910 => ("ERASE_BOOT", "BOOTLOADER"),
        _ => ("ERASE_SPL", "SPL"),
    };
    let mut changes = steps.iter().filter(|step| step.action.changes_flash());
    let (first, last) = (changes.next(), changes.next_back());
    let sound = first.zip(last).is_some_and(|(first, last)| {
        let whole = u64::from(first.room) >= last.data.len() as u64;
        let boot = u64::from(first.address) == address::NOR.start;
        first.id == erase && last.id == image && first.address == last.address && whole && boot
    });
    if sound {
        return Ok(());
    }
    let name = |step: Option<&Step>| step.map_or("nothing".to_owned(), |step| format!("`{}`", step.id));
    Err(unsupported(
        "the order of the package",
        format!(
            "it begins with {} and ends with {}; only when `{erase}` comes first and `{image}` last does a module \
             stay in download mode while it is half-written",
            name(first),
            name(last)
        ),
    ))
}

/// No image may share a sector with another, and none may be erased after it was written. Source: §11 no. 19.
pub(super) fn check_overlaps(steps: &[Step]) -> Result<(), FormatError> {
    let in_flash = |step: &&Step| address::NOR.contains(&step.address.into());
    let extent = |step: &Step| {
        let size = match step.action {
            Action::Erase { size } => size.into(),
            _ => step.data.len() as u64,
        };
        let base = u64::from(step.address);
        base / SECTOR_BYTES..(base + size).div_ceil(SECTOR_BYTES)
    };
    let mut written: Vec<&Step> = Vec::new();
    for step in steps
        .iter()
        .filter(|step| step.action.changes_flash())
        .filter(in_flash)
    {
        let mine = extent(step);
        let hit = written.iter().find(|other| {
            let other = extent(other);
            other.start < mine.end && mine.start < other.end
        });
        if let Some(other) = hit {
            let why = format!("it overlaps `{}`, which has been written by then", other.id);
            return Err(corrupt(format!("the place of `{}`", step.id), why));
        }
        if step.action == Action::Write {
            written.push(step);
        }
    }
    Ok(())
}
