//! The `qpyflash` command.
fn main() {}
