//! Unisoc UIS8910 and UIS8850: the `.pac` package.
//!
//! The folder's `README.md` describes the format as we read it. Source: specs/unisoc-pac-bsl.md §1.

pub mod pac;
mod uimage;

pub use pac::{Contents, Entry, Pac};
