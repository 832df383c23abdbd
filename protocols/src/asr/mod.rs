//! ASR Cat.1 modules.

/// What a package asks to be done, validated.
#[derive(Debug)]
pub struct Plan {}
