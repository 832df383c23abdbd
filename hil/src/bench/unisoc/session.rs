//! The session that is measured, and the packages it writes.

use std::sync::Arc;

use qpyflash::event::{EventKind, Events};
use qpyflash::link::{Line, Pipe, Settings};
use qpyflash_protocols::unisoc::{self, After, Keeper, Kept, Options, Pac, Plan};
use qpyflash_virtual::{Scale, UnisocChip, UnisocPackage};

use crate::bench::{Outcome, rig};

/// What the generated firmware calls itself.
pub fn revision(chip: UnisocChip) -> &'static str {
    match chip {
        UnisocChip::Uis8910 => "EC600UCNLBR03A04M08_OCPU_QPY",
        UnisocChip::Uis8850 => "EC800GCNLDR02A02M04_OCPU_QPY",
    }
}

/// The image that is measured.
pub const IMAGE: &str = "AP";
/// What else a package with no NV items must have.
const BESIDES: [&str; 3] = ["FDL", "ERASE_SPL", "SPL"];

/// The generated package of realistic structure.
pub fn realistic(chip: UnisocChip) -> Outcome<Plan> {
    plan(&UnisocPackage::generate(revision(chip), chip, Scale::Realistic))
}

/// A package for a UIS8850 whose one image has so many bytes.
pub fn of_one_image(bytes: usize) -> Outcome<Plan> {
    let chip = UnisocChip::Uis8850;
    let package = UnisocPackage::generate(revision(chip), chip, Scale::Realistic)
        .with_entries(|entries| {
            entries.retain(|entry| entry.id == IMAGE || BESIDES.contains(&entry.id.as_str()));
        })
        .with_entry(IMAGE, |entry| {
            entry.data = rig::firmware().into_iter().cycle().take(bytes).collect();
            entry.region = bytes as u32;
        });
    plan(&package)
}

fn plan(package: &UnisocPackage) -> Outcome<Plan> {
    Ok(Plan::from_pac(Arc::new(Pac::parse(&package.bytes())?))?)
}

/// Writes over `pipe`. `watch` hears of each image how many bytes of how many are acknowledged, first of none.
pub fn write(
    pipe: impl Pipe + 'static,
    plan: &Plan,
    frame: u16,
    mut watch: impl FnMut(&str, u64, u64) + Send + 'static,
) -> Outcome<()> {
    let mut events = Events::new(Box::new(move |event| {
        if let EventKind::Bytes { image, done, total } = &event.kind {
            watch(image, *done, *total);
        }
    }));
    let settings = Settings::default();
    let mut wire = Line::new(Box::new(pipe), &mut events, &settings);
    let options = Options {
        frame,
        after: After::Stay,
        ..Options::default()
    };
    unisoc::write(&mut wire, plan, &options, &mut Nowhere)?;
    Ok(())
}

/// The module's own items are nobody's here.
struct Nowhere;

impl Keeper for Nowhere {
    fn keep(&mut self, _: Kept<'_>) -> Result<(), String> {
        Ok(())
    }
}
