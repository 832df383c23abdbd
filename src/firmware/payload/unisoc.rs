//! A `.pac`.

use std::sync::Arc;

use qpyflash_protocols::unisoc::{self, Contents, Pac};

use super::{Payload, format_error, image, sha256};
use crate::firmware::error::PackageError;
use crate::firmware::package::Plan;
use crate::firmware::survey::Candidate;

pub(super) fn load(candidate: &Candidate) -> Result<Payload, PackageError> {
    let file = candidate.tree.read(candidate.index)?;
    let pac = Pac::parse(&file).map_err(|source| format_error(candidate, source))?;
    let mut warnings = pac.warnings.clone();
    let refuse = |found: &str| PackageError::Unknown {
        place: candidate.place(),
        found: found.into(),
    };
    match pac.contents() {
        Contents::Whole => {}
        Contents::CoreOnly => warnings.push(
            "it holds the core without an application (no `APPIMG`): the module will start, but without \
             QuecPython; the firmware of such a build is the file that ends in `_merge.pac`"
                .into(),
        ),
        Contents::ApplicationOnly => {
            return Err(refuse(
                "it is an application alone; the firmware is the `_merge.pac` of the same build",
            ));
        }
        Contents::Tool => {
            return Err(refuse(
                "it only erases; the firmware is the `_merge.pac` of the same build",
            ));
        }
    }
    let files = || pac.entries.iter().filter(|entry| !entry.data.is_empty());
    let (mut images, mut helpers) = (Vec::new(), Vec::new());
    for entry in files() {
        if entry.is_loader() {
            helpers.push(image(&entry.id, String::new(), &entry.data));
        } else {
            images.push(image(&entry.id, format!("0x{:08x}", entry.address), &entry.data));
        }
    }
    let (platform, inner_names) = (
        pac.platform,
        files().map(|entry| entry.file_name.clone()).collect(),
    );
    let plan = unisoc::Plan::from_pac(Arc::new(pac)).map_err(|source| format_error(candidate, source))?;
    for warning in plan.warnings() {
        if !warnings.contains(warning) {
            warnings.push(warning.clone());
        }
    }
    Ok(Payload {
        platform,
        images,
        helpers,
        warnings,
        inner_names,
        speakers: ["APPIMG", "AP", "AP2"].map(str::to_owned).into(),
        fingerprint: sha256(&file),
        plan: Plan::Unisoc(Arc::new(plan)),
    })
}
