//! A package is read or refused, and what is read lies inside the file; so with its settings.

use qpyflash_protocols::eigencomm::{Binpkg, extras};

/// One input.
pub fn run(bytes: &[u8]) {
    if let Ok(package) = Binpkg::parse(bytes) {
        let size: usize = package.entries.iter().map(|entry| entry.data.len()).sum();
        assert!(size <= bytes.len());
        let _ = package.platform();
    }
    let _ = extras(bytes);
}
