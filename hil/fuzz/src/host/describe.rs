//! What bytes mean: no bytes of either side make a describer fail or its words long, whatever protocol is spoken.

use qpyflash_protocols::Platform;
use qpyflash_protocols::describe::{Describer, Side, platform_of};

use crate::read;

/// One input.
pub fn run(bytes: &[u8]) {
    let Some(said) = read::<Vec<(bool, &[u8])>>(bytes) else {
        return;
    };
    for platform in Platform::ALL {
        let mut describer = Describer::of(platform);
        for (host, bytes) in &said {
            let side = if *host { Side::Host } else { Side::Module };
            assert!(describer.describe(side, bytes).len() < 8000);
            platform_of(bytes);
        }
    }
}
