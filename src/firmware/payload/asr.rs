//! A `download.json` with its images, or a `firmware.bin` script.

use std::sync::Arc;

use qpyflash_protocols::{Platform, asr};
use sha2::{Digest, Sha256};

use super::{Payload, format_error, hex, image};
use crate::firmware::error::PackageError;
use crate::firmware::package::Plan;
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
    let plan = asr::Plan::from_download_json(&json, &mut read);
    if let Some(why) = failed {
        return Err(why);
    }
    let plan = plan.map_err(|source| format_error(candidate, source))?;
    Ok(payload(plan, hex(digest.finalize())))
}

pub(super) fn load_script(candidate: &Candidate) -> Result<Payload, PackageError> {
    let script = candidate.tree.read(candidate.index)?;
    let fingerprint = super::sha256(&script);
    let plan = asr::Plan::from_script(script.into()).map_err(|source| format_error(candidate, source))?;
    Ok(payload(plan, fingerprint))
}

fn payload(plan: asr::Plan, fingerprint: String) -> Payload {
    let shared = |of: &asr::Image| image(&of.name, of.target.clone(), &of.data);
    Payload {
        platform: Platform::Asr,
        images: plan.images().iter().map(shared).collect(),
        helpers: plan.helpers().iter().map(shared).collect(),
        warnings: plan.warnings().to_vec(),
        inner_names: Vec::new(),
        speakers: ["system.img", "customer_app.bin"].map(str::to_owned).into(),
        fingerprint,
        plan: Plan::Asr(Arc::new(plan)),
    }
}
