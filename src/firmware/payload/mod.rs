//! A candidate becomes images, helpers and a plan; every check its format offers is made here.

mod asr;
mod companions;
mod eigencomm;
mod unisoc;
mod unisoc_parts;

use std::sync::Arc;

use qpyflash_protocols::unisoc::Contents;
use qpyflash_protocols::{FormatError, Platform};
use sha2::{Digest, Sha256};

use super::error::PackageError;
use super::package::{Image, Plan};
use super::survey::{Candidate, Shape};

/// A validated payload, before it is known what it is built for.
#[derive(Debug)]
pub(crate) struct Payload {
    pub platform: Platform,
    pub images: Vec<Image>,
    pub helpers: Vec<Image>,
    pub plan: Plan,
    pub warnings: Vec<String>,
    /// Names the build wrote into the payload, where a revision may stand.
    pub inner_names: Vec<String>,
    /// Names of the images that speak for the module: the system and the application.
    pub speakers: Vec<String>,
    /// SHA-256 of everything the payload consists of: the same for the same payload in another wrapping.
    pub fingerprint: String,
}

impl Payload {
    /// Reads and checks a candidate.
    pub fn load(candidate: &Candidate) -> Result<Payload, PackageError> {
        match candidate.shape {
            Shape::AsrJson => asr::load_json(candidate),
            Shape::AsrScript => asr::load_script(candidate),
            Shape::Pac => unisoc::load(candidate),
            Shape::Binpkg => eigencomm::load(candidate),
        }
    }

    /// What a `.pac` can be used for; nothing for other formats.
    pub fn pac_contents(&self) -> Option<Contents> {
        match &self.plan {
            Plan::Unisoc(plan) => Some(plan.pac().contents()),
            Plan::Asr(_) | Plan::Eigencomm(_) => None,
        }
    }
}

pub(crate) use unisoc_parts::parts as pac_parts;

/// SHA-256 in lower-case hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}

pub(crate) fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn image(name: &str, target: String, data: &Arc<[u8]>) -> Image {
    Image {
        name: name.to_owned(),
        target,
        data: Arc::clone(data),
    }
}

fn format_error(candidate: &Candidate, source: FormatError) -> PackageError {
    PackageError::Format {
        place: candidate.place(),
        source,
    }
}
