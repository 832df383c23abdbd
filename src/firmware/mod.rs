//! A file becomes a package.

mod name;
mod package;

pub use name::{FileName, Part, Version};
pub use package::{BuiltFor, Evidence, Image, Package, Plan};
