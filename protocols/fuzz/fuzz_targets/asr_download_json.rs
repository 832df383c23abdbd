//! No `download.json` makes the parser panic, and none makes it expand an image beyond what is there.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use qpyflash_protocols::asr::Plan;

fuzz_target!(|input: (&[u8], &[u8])| {
    let (member, json) = input;
    let member: Arc<[u8]> = member.into();
    if let Ok(plan) = Plan::from_download_json(json, &mut |_| Some(member.clone())) {
        assert!(plan.images().iter().all(|image| !image.data.is_empty()));
        assert!(plan.check(false).is_ok() || plan.check(true).is_ok());
    }
});
