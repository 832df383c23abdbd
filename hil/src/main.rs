//! The bench of qpyflash.
fn main() {}
