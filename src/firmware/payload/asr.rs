//! A `download.json` with its images, or a `firmware.bin` script.

use std::sync::Arc;

use qpyflash_protocols::{FormatError, Platform, asr};
use sha2::{Digest, Sha256};

use super::{Payload, format_error, hex, image};
use crate::firmware::error::PackageError;
use crate::firmware::package::{Image, Plan};
use crate::firmware::survey::Candidate;

pub(super) fn load_json(candidate: &Candidate) -> Result<Payload, PackageError> {
    let json = candidate.tree.read(candidate.index)?;
    let mut digest = Sha256::new();
    digest.update(&json);
    // Why a member could not be read tells more than that it is missing.
    let mut failed = None;
    let mut read = |name: &str| {
        let index = candidate.tree.find(candidate.folder(), name)?;
        match candidate.tree.read(index) {
            Ok(bytes) => {
                digest.update(name.as_bytes());
                digest.update(&bytes);
                Some(Arc::<[u8]>::from(bytes))
            }
            Err(why) => {
                failed = Some(why);
                None
            }
        }
    };
    let images = interim(&json, &mut read);
    if let Some(why) = failed {
        return Err(why);
    }
    let images = images.map_err(|source| format_error(candidate, source))?;
    Ok(payload(images, asr::Plan {}, hex(digest.finalize())))
}

pub(super) fn load_script(candidate: &Candidate) -> Result<Payload, PackageError> {
    let script = candidate.tree.read(candidate.index)?;
    let fingerprint = super::sha256(&script);
    Ok(payload(Vec::new(), asr::Plan {}, fingerprint))
}

fn payload(images: Vec<Image>, plan: asr::Plan, fingerprint: String) -> Payload {
    let (helpers, images) = images.into_iter().partition(|image| image.target.is_empty());
    Payload {
        platform: Platform::Asr,
        images,
        helpers,
        warnings: Vec::new(),
        inner_names: Vec::new(),
        speakers: ["system.img", "customer_app.bin"].map(str::to_owned).into(),
        fingerprint,
        plan: Plan::Asr(Arc::new(plan)),
    }
}

fn interim(json: &[u8], read: &mut dyn FnMut(&str) -> Option<Arc<[u8]>>) -> Result<Vec<Image>, FormatError> {
    let wrong = |why: String| FormatError::Corrupt {
        what: "`download.json`".into(),
        why,
    };
    let commands: Vec<serde_json::Value> = serde_json::from_slice(json).map_err(|e| wrong(e.to_string()))?;
    let mut images = Vec::new();
    for command in &commands {
        let Some(name) = command["image"].as_str() else {
            continue;
        };
        let missing = || FormatError::Missing {
            what: format!("`{name}`"),
        };
        let data = read(name).ok_or_else(missing)?;
        images.push(image(
            name,
            command["partition"].as_str().unwrap_or_default().into(),
            &data,
        ));
    }
    Ok(images)
}
