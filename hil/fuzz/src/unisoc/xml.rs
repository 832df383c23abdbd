//! The XML of a package: a scheme within its limits, or a refusal.

use qpyflash_protocols::unisoc::xml::Scheme;

/// One input.
pub fn run(xml: &[u8]) {
    if let Ok(scheme) = Scheme::parse(xml) {
        assert!(scheme.files.len() <= 256 && scheme.kept_items.len() <= 1024);
        assert!(
            scheme
                .files
                .iter()
                .all(|file| scheme.file(&file.id) == Some(file))
        );
    }
}
