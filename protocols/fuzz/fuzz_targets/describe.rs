//! What bytes mean: no bytes of either side make a describer fail or its words long, whatever protocol is spoken.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qpyflash_protocols::Platform;
use qpyflash_protocols::describe::{Describer, Side, platform_of};

fuzz_target!(|said: Vec<(bool, &[u8])>| {
    for platform in Platform::ALL {
        let mut describer = Describer::of(platform);
        for (host, bytes) in &said {
            let side = if *host { Side::Host } else { Side::Module };
            assert!(describer.describe(side, bytes).len() < 8000);
            platform_of(bytes);
        }
    }
});
