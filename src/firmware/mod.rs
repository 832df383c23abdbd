//! A file becomes a package.

mod package;

pub use package::{BuiltFor, Evidence, Image, Package, Plan};
