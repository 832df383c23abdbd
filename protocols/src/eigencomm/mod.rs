//! Eigencomm EC618: the `.binpkg` package and the settings beside it.
//!
//! The folder's `README.md` describes the formats as we read them. Source: specs/eigencomm-agentboot.md §2.

pub mod binpkg;
mod extras;

pub use binpkg::{Binpkg, Entry, Version};
pub use extras::{Extra, extras};
