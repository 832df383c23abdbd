//! A file becomes a package: whatever a person has downloaded, found by its content and checked as far as it
//! can be without a module.
//!
//! ```text
//! resolve(path)
//!   archive    file, folder or zip in a zip -> tree of members, bounded
//!   survey     members -> candidates, by content
//!   payload    candidate -> images, helpers, plan, all checks of the format
//!   evidence   names and revisions -> what it is built for
//! ```
//! Nothing here decides whether a module may take a package: that is the gate's.

mod archive;
mod error;
mod evidence;
pub mod inspect;
mod name;
mod package;
mod payload;
mod platform_config;
mod resolve;
mod steps;
mod survey;
mod unpack;

pub use archive::{EXPANDED_LIMIT, MEMBER_LIMIT, NESTING_LIMIT};
pub use error::PackageError;
pub use name::{FileName, Part, Version};
pub use package::{BuiltFor, Evidence, Image, Package, Plan};
pub(crate) use payload::sha256;
pub use resolve::resolve;
pub use steps::{Action, Step};
pub(crate) use survey::{is_byproduct, looks_like_heart, looks_like_package};
pub use unpack::unpack;
