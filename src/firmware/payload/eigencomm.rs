//! A `.binpkg` with the agents, settings and files beside it.

use std::sync::Arc;

use qpyflash_protocols::FormatError;
use qpyflash_protocols::eigencomm::{Binpkg, extras};
use sha2::{Digest, Sha256};

use super::{Payload, format_error, hex, image};
use crate::firmware::error::PackageError;
use crate::firmware::package::{Image, Plan};
use crate::firmware::survey::Candidate;

/// The agents, as JSON and people call them, and where they lie.
const AGENTS: [(&str, &str); 2] = [
    ("agentboot_usb", "agentboot_usb/agentboot.bin"),
    ("agentboot_uart", "agentboot_uart/agentboot.bin"),
];
/// Addresses and sizes of the files beside the `.binpkg`.
const SETTINGS: &str = "quec_download_config.ini";

pub(super) fn load(candidate: &Candidate) -> Result<Payload, PackageError> {
    let wrong = |source| format_error(candidate, source);
    let file = candidate.tree.read(candidate.index)?;
    let package = Binpkg::parse(&file).map_err(wrong)?;
    let platform = package.platform().map_err(wrong)?;
    let mut digest = Sha256::new();
    digest.update(&file);
    drop(file);

    let mut warnings = package.warnings.clone();
    let target = |address| format!("0x{address:x}");
    let mut images: Vec<Image> = package
        .entries
        .iter()
        .map(|e| image(&e.name, target(e.address), &e.data))
        .collect();
    images.extend(beside(candidate, &mut warnings)?);
    let helpers = agents(candidate, &mut warnings)?;
    for part in images.iter().chain(&helpers) {
        digest.update(part.target.as_bytes());
        digest.update(&part.data);
    }
    let speakers = package
        .entries
        .iter()
        .filter(|entry| entry.kind == "AP")
        .map(|entry| entry.name.clone());
    Ok(Payload {
        platform,
        images,
        helpers,
        warnings,
        inner_names: Vec::new(),
        speakers: speakers.collect(),
        fingerprint: hex(digest.finalize()),
        plan: Plan::Eigencomm(Arc::new(package)),
    })
}

/// The file systems and the application that the settings name. Source: specs/eigencomm-agentboot.md §2.6.
fn beside(candidate: &Candidate, warnings: &mut Vec<String>) -> Result<Vec<Image>, PackageError> {
    let wrong = |source| format_error(candidate, source);
    let Some(settings) = read(candidate, SETTINGS)? else {
        warnings.push(format!(
            "`{SETTINGS}` is not beside it, so the files of the QuecPython application have no address: give \
             the whole package"
        ));
        return Ok(Vec::new());
    };
    let mut images = Vec::new();
    for extra in extras(&settings).map_err(wrong)? {
        let missing = || {
            wrong(FormatError::Missing {
                what: format!("`{}`", extra.file),
            })
        };
        let data = read(candidate, extra.file)?.ok_or_else(missing)?;
        if data.len() as u64 > u64::from(extra.limit) {
            return Err(wrong(FormatError::TooLarge {
                what: format!("`{}`", extra.file),
                size: data.len() as u64,
                place: format!("its area at 0x{:x}", extra.address),
                limit: extra.limit.into(),
            }));
        }
        images.push(image(extra.file, format!("0x{:x}", extra.address), &data));
    }
    Ok(images)
}

fn agents(candidate: &Candidate, warnings: &mut Vec<String>) -> Result<Vec<Image>, PackageError> {
    let mut helpers = Vec::new();
    for (name, path) in AGENTS {
        match read(candidate, path)? {
            Some(data) => helpers.push(image(name, String::new(), &data)),
            None => warnings.push(format!(
                "`{path}` is not beside it: without its agent it cannot be written"
            )),
        }
    }
    Ok(helpers)
}

/// A file of the folder that holds the `.binpkg`. Beside a file that was given alone there is nothing.
fn read(candidate: &Candidate, path: &str) -> Result<Option<Arc<[u8]>>, PackageError> {
    let found = candidate.tree.find(candidate.folder(), path);
    found
        .map(|index| Ok(candidate.tree.read(index)?.into()))
        .transpose()
}
