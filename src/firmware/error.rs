//! What can be wrong with a package, before any module is touched.

use std::io;

use qpyflash_protocols::FormatError;

use super::archive::{EXPANDED_LIMIT, MEMBER_LIMIT, NESTING_LIMIT};
use crate::{Error, Kind};

/// A file or folder that is no package we would write. Places name the chain of archives: `a.zip > b.bin`.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The operating system does not give us the bytes.
    #[error("`{place}` cannot be read: {source}")]
    Unreadable {
        /// File or folder.
        place: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A member needs a password.
    #[error("`{member}` in `{place}` is encrypted")]
    Encrypted {
        /// The archive.
        place: String,
        /// The member.
        member: String,
    },
    /// A member is packed in a way we cannot undo.
    #[error("`{member}` in `{place}` is compressed with {method}, only deflate is known")]
    Compression {
        /// The archive.
        place: String,
        /// The member.
        member: String,
        /// The method.
        method: String,
    },
    /// A zip whose directory cannot be read.
    #[error("`{place}` is a truncated or damaged zip archive: {why}")]
    BrokenArchive {
        /// The archive.
        place: String,
        /// What does not fit.
        why: String,
    },
    /// A member whose bytes are not those that were packed.
    #[error("`{member}` in `{place}` is damaged: {why}")]
    BrokenMember {
        /// The archive.
        place: String,
        /// The member.
        member: String,
        /// What does not fit.
        why: String,
    },
    /// A member's name could reach outside the place it is unpacked to.
    #[error("`{place}` holds a member with a dangerous name, `{}`: {why}", .member.escape_debug())]
    BadName {
        /// The archive.
        place: String,
        /// The name.
        member: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two members claim one name.
    #[error("`{place}` holds {member} twice")]
    Twice {
        /// The archive.
        place: String,
        /// The name.
        member: String,
    },
    /// A symbolic link.
    #[error("`{member}` in `{place}` is a symbolic link")]
    Link {
        /// The archive or folder.
        place: String,
        /// The link.
        member: String,
    },
    /// A pipe, a socket, a device.
    #[error("`{place}` is {kind}")]
    NotRegular {
        /// The file.
        place: String,
        /// What it is.
        kind: &'static str,
    },
    /// Too many archives inside archives.
    #[error("`{place}` is an archive nested more than {NESTING_LIMIT} deep")]
    TooDeep {
        /// The archive.
        place: String,
    },
    /// Too many members.
    #[error("`{place}` brings the package to {count} members or more, at most {MEMBER_LIMIT} are read")]
    TooMany {
        /// The archive or folder.
        place: String,
        /// Members seen so far.
        count: usize,
    },
    /// Too many bytes.
    #[error("`{place}` brings the package to {size} bytes, at most {EXPANDED_LIMIT} are read")]
    TooLarge {
        /// The archive, folder or file.
        place: String,
        /// Bytes so far, as declared.
        size: u64,
    },
    /// A member does not end where its archive says.
    #[error("`{member}` in `{place}` expands beyond its declared {size} bytes")]
    Overgrown {
        /// The archive.
        place: String,
        /// The member.
        member: String,
        /// Declared bytes.
        size: u64,
    },
    /// The payload breaks its format.
    #[error("in `{place}`: {source}")]
    Format {
        /// The file, or the archive that holds it.
        place: String,
        /// What is wrong.
        source: FormatError,
    },
    /// Two parts of the package contradict each other.
    #[error("`{place}` contradicts itself: {why}")]
    Contradiction {
        /// The package.
        place: String,
        /// Both sides.
        why: String,
    },
    /// Nothing in it is a firmware we know.
    #[error("`{place}` holds no QuecPython firmware: {found}")]
    Unknown {
        /// The file or folder.
        place: String,
        /// What it holds instead.
        found: String,
    },
    /// Recognised, and not ours to write.
    #[error("`{place}` cannot be written: {why}")]
    Unsupported {
        /// The package.
        place: String,
        /// Why.
        why: String,
    },
    /// Several payloads that differ.
    #[error("`{place}` holds {} firmware packages that differ:\n  {}", .candidates.len(), .candidates.join("\n  "))]
    Ambiguous {
        /// The file or folder.
        place: String,
        /// What each is.
        candidates: Vec<String>,
    },
    /// Unpacking failed.
    #[error("cannot write the file `{place}`: {source}")]
    Unwritable {
        /// The file or folder.
        place: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Unpacking would replace a file.
    #[error("`{place}` exists already and is not replaced")]
    Exists {
        /// The file.
        place: String,
    },
}

impl PackageError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unreadable { .. } | Self::Encrypted { .. } | Self::Compression { .. } => {
                Kind::PackageUnreadable
            }
            Self::BrokenArchive { .. } | Self::BrokenMember { .. } | Self::Contradiction { .. } => {
                Kind::PackageCorrupt
            }
            Self::BadName { .. }
            | Self::Twice { .. }
            | Self::Link { .. }
            | Self::NotRegular { .. }
            | Self::TooDeep { .. }
            | Self::TooMany { .. }
            | Self::TooLarge { .. }
            | Self::Overgrown { .. } => Kind::PackageHostile,
            Self::Format {
                source: FormatError::Unsupported { .. },
                ..
            }
            | Self::Unsupported { .. } => Kind::PackageUnsupported,
            Self::Format { .. } => Kind::PackageCorrupt,
            Self::Unknown { .. } => Kind::PackageUnknown,
            Self::Ambiguous { .. } => Kind::PackageAmbiguous,
            Self::Exists { .. } | Self::Unwritable { .. } => Kind::Usage,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Encrypted { .. } => "unpack it with its password, then give the folder",
            Self::Compression { .. } => "unpack it, then give the folder",
            Self::BrokenArchive { .. } | Self::BrokenMember { .. } => "download the package again",
            Self::Format {
                source: FormatError::Unsupported { .. },
                ..
            } => return None,
            Self::Format { .. } => "download the package again",
            Self::BadName { .. } | Self::Twice { .. } | Self::Overgrown { .. } => {
                "no published package looks like this: get it from the vendor's site"
            }
            Self::Link { .. } | Self::NotRegular { .. } => "give a folder or an archive of plain files",
            Self::TooDeep { .. } => "give the inner archive",
            Self::TooMany { .. } | Self::TooLarge { .. } => "give the package alone",
            Self::Ambiguous { .. } => "give one of them: `unpack` the archive, then name the file",
            Self::Unknown { .. } => {
                "`inspect` the file that came from the vendor's site, without unpacking it"
            }
            Self::Exists { .. } => "unpack into an empty folder",
            Self::Unreadable { .. }
            | Self::Unwritable { .. }
            | Self::Contradiction { .. }
            | Self::Unsupported { .. } => return None,
        })
    }
}

impl From<PackageError> for Error {
    fn from(error: PackageError) -> Error {
        let plain = Error::new(error.kind(), error.to_string());
        let hinted = match error.hint() {
            Some(hint) => plain.hint(hint),
            None => plain,
        };
        hinted
            .in_phase(qpyflash_protocols::Phase::Resolve)
            .caused_by(error)
    }
}
