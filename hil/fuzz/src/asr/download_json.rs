//! No `download.json` makes the parser panic, and none makes it expand an image beyond what is there.

use std::sync::Arc;

use qpyflash_protocols::asr::Plan;

use crate::read;

/// One input.
pub fn run(bytes: &[u8]) {
    let Some(input) = read::<(&[u8], &[u8])>(bytes) else {
        return;
    };
    let (member, json) = input;
    let member: Arc<[u8]> = member.into();
    if let Ok(plan) = Plan::from_download_json(json, &mut |_| Some(member.clone())) {
        assert!(plan.images().iter().all(|image| !image.data.is_empty()));
        assert!(plan.check(false).is_ok() || plan.check(true).is_ok());
    }
}
