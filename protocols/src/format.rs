//! What can be wrong with a file.

/// A file that does not keep its format's promises. Nothing has been sent to any module when this is found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The bytes are not of this format at all.
    #[error("{what} is not {expected}: {found}")]
    NotThis {
        /// The file or member that was read.
        what: String,
        /// The format it should have been in.
        expected: &'static str,
        /// What was found instead.
        found: String,
    },
    /// The file ends before its own tables say it does.
    #[error("{what} is truncated: {need} bytes needed, {have} present")]
    Truncated {
        /// The file or field that was read.
        what: String,
        /// Bytes that the format asks for.
        need: u64,
        /// Bytes that are there.
        have: u64,
    },
    /// A check sum, a hash or a field contradicts the contents.
    #[error("{what} is corrupt: {why}")]
    Corrupt {
        /// The file or field that was read.
        what: String,
        /// The contradiction, with both values.
        why: String,
    },
    /// The package names something that is not in it.
    #[error("{what} is named by the package but missing from it")]
    Missing {
        /// The missing image or field.
        what: String,
    },
    /// An image does not fit where the package wants to put it.
    #[error("{what} does not fit: {size} bytes, {place} holds {limit}")]
    TooLarge {
        /// The image.
        what: String,
        /// Its size in bytes.
        size: u64,
        /// The partition or area that must hold it.
        place: String,
        /// The size of that place in bytes.
        limit: u64,
    },
    /// The package asks for something qpyflash refuses or cannot do.
    #[error("{what} is not supported: {why}")]
    Unsupported {
        /// The command, field or chip.
        what: String,
        /// Why it is refused.
        why: String,
    },
}
