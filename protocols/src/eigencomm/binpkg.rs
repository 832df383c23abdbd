//! The `.binpkg` file: a header, then for each image an entry and its data, without padding or trailer.
//!
//! ```text
//! "106": header (52) | variants | { entry (364) | variants | data } ...
//! "105": header (40)            | { entry (352)            | data } ...
//! ```
//! All numbers are little-endian, all texts ASCII that end at the first NUL or with their field.
//! Source: specs/eigencomm-agentboot.md §2.1-§2.3.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::{FormatError, Platform};

/// Bytes `bpkg` at 8; "105" has none.
pub const MAGIC: [u8; 4] = *b"bpkg";
/// The only hash algorithm seen, in the field `crypt`.
pub const HASH_NAME: &[u8] = b"SHA256";
/// Images a package may have. Source: specs/eigencomm-agentboot.md §2.1, parser rules.
const IMAGE_COUNT: std::ops::RangeInclusive<usize> = 1..=64;
/// Bytes of one variant record of a header or an entry.
const VARIANT_BYTES: usize = 140;
/// The variant type that holds a name and a text.
const VARIANT_TEXT: u16 = 2;

/// The version of the container, in its first eight bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Without magic and flash sizes; addresses are raw.
    V105,
    /// EC618; addresses are raw.
    V106,
    /// "pkgmode" packages of EC7xx; addresses are those of the memory map.
    V111,
}

/// One image: the data, and where it goes.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `ap_bootloader`, `ap_at_command`, `cp-demo-flash`.
    pub name: String,
    /// `BL`, `AP`, `CP`, or one of the types of EC7xx packages.
    pub kind: String,
    /// Offset in its flash; in version 111 an address of the memory map.
    pub address: u32,
    /// Size of its partition in bytes; 0 in version 105, which does not say.
    pub flash_size: u32,
    /// The bytes, whose SHA-256 is the one of the entry.
    pub data: Arc<[u8]>,
}

/// A package whose bounds and hashes are right.
#[derive(Debug, Clone)]
pub struct Binpkg {
    /// Of the container.
    pub version: Version,
    /// When it was built, in seconds since 1970.
    pub built: u32,
    /// Name of the product, in version 111: `EC718P_PRD`.
    pub product: Option<String>,
    /// The images in file order, which is the order of writing.
    pub entries: Vec<Entry>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

impl Binpkg {
    /// Whether `head`, the first 24 bytes or more of a file, begins a package. Never decides by a name.
    pub fn begins(head: &[u8]) -> bool {
        let magic = head.get(8..12) == Some(&MAGIC[..]);
        let legacy = head.starts_with(b"105\0") && head.get(16..16 + HASH_NAME.len()) == Some(HASH_NAME);
        magic || legacy
    }

    /// Reads a whole `.binpkg` file and checks every bound and every hash.
    ///
    /// # Errors
    /// [`FormatError`] when the file is truncated, an image does not fit its partition or its hash differs.
    pub fn parse(file: &[u8]) -> Result<Binpkg, FormatError> {
        let mut reader = Reader { file, at: 0 };
        let version = version_of(&mut reader)?;
        let built = reader.word("the date")?;
        let count = reader.word("the number of images")? as usize;
        let crypt = text(reader.take(8, "the name of the hash")?);
        if crypt.as_bytes() != HASH_NAME {
            let why = format!("`{crypt}`, only `SHA256` is known");
            return Err(FormatError::Unsupported {
                what: "the hash of the .binpkg file".into(),
                why,
            });
        }
        if !IMAGE_COUNT.contains(&count) {
            let why = format!("{count} images, at least 1 and at most 64 were expected");
            return Err(corrupt("the header of the .binpkg file", why));
        }
        let product = match version {
            Version::V105 => reader.take(16, "the header").map(|_| None)?,
            Version::V106 | Version::V111 => header_variants(&mut reader)?,
        };
        let mut package = Binpkg {
            version,
            built,
            product,
            entries: Vec::new(),
            warnings: Vec::new(),
        };
        for number in 0..count {
            let entry = entry(&mut reader, version, number, &mut package.warnings)?;
            package.entries.push(entry);
        }
        match file.len() - reader.at {
            0 => Ok(package),
            rest => Err(corrupt(
                "the .binpkg file",
                format!("{rest} bytes follow its last image"),
            )),
        }
    }

    /// The platform it is for.
    ///
    /// # Errors
    /// [`FormatError::Unsupported`], which names the product, when it is for an EC7xx chip: those packages have
    /// version 111. Source: specs/eigencomm-agentboot.md §10.
    pub fn platform(&self) -> Result<Platform, FormatError> {
        if self.version != Version::V111 {
            return Ok(Platform::Eigencomm618);
        }
        let what = match &self.product {
            Some(product) => format!("the package for `{}`", product.escape_default()),
            None => "the package".into(),
        };
        Err(FormatError::Unsupported {
            what,
            why: format!(
                "it has version 111, which is for EC716 and EC718 chips, and qpyflash writes EC618; it holds {}",
                self.listed()
            ),
        })
    }
}

impl Binpkg {
    /// Every image with its type, address and size, for messages.
    fn listed(&self) -> String {
        let image = |entry: &Entry| {
            format!(
                "`{}` ({}, 0x{:x}, {} bytes)",
                entry.name.escape_default(),
                entry.kind.escape_default(),
                entry.address,
                entry.data.len()
            )
        };
        self.entries.iter().map(image).collect::<Vec<_>>().join(", ")
    }
}

fn version_of(reader: &mut Reader<'_>) -> Result<Version, FormatError> {
    let version = match text(reader.take(8, "the version")?).as_str() {
        "105" => return Ok(Version::V105),
        "106" => Version::V106,
        "111" => Version::V111,
        other => {
            return Err(FormatError::NotThis {
                what: "the file".into(),
                expected: "a .binpkg package of version 105, 106 or 111",
                found: format!("its version is `{}`", other.escape_default()),
            });
        }
    };
    let magic = reader.take(4, "the magic")?;
    if magic != MAGIC {
        return Err(FormatError::NotThis {
            what: "the file".into(),
            expected: "a .binpkg package",
            found: format!("`{}` stands at 8 instead of `bpkg`", magic.escape_ascii()),
        });
    }
    Ok(version)
}

/// Reads the rest of a header of 52 bytes and its variants; the text called `productname` is the product.
fn header_variants(reader: &mut Reader<'_>) -> Result<Option<String>, FormatError> {
    let count = usize::from(reader.half("the number of header variants")?);
    let size = usize::from(reader.half("the size of the header variants")?);
    reader.take(20, "the header")?;
    let variants = variants(reader, count, size, "the header of the .binpkg file")?;
    let named =
        |record: &&[u8]| record[..2] == VARIANT_TEXT.to_le_bytes() && text(&record[4..68]) == "productname";
    Ok(variants
        .chunks_exact(VARIANT_BYTES)
        .find(named)
        .map(|record| text(&record[68..132])))
}

fn variants<'a>(
    reader: &mut Reader<'a>,
    count: usize,
    size: usize,
    what: &str,
) -> Result<&'a [u8], FormatError> {
    if size != count * VARIANT_BYTES {
        return Err(corrupt(
            what,
            format!("{count} variants of {VARIANT_BYTES} bytes are not {size} bytes"),
        ));
    }
    reader.take(size, what)
}

fn entry(
    reader: &mut Reader<'_>,
    version: Version,
    number: usize,
    warnings: &mut Vec<String>,
) -> Result<Entry, FormatError> {
    let start = reader.at;
    let what = format!("entry {number} of the .binpkg file");
    let name = text(reader.take(64, &what)?);
    let address = reader.word(&what)?;
    let flash_size = if version == Version::V105 {
        0
    } else {
        reader.word(&what)?
    };
    let offset = reader.word(&what)?;
    let size = reader.word(&what)?;
    let hash = text(reader.take(256, &what)?);
    let kind = text(reader.take(16, &what)?);
    if version == Version::V105 {
        reader.take(4, &what)?;
    } else {
        let (count, bytes) = (reader.half(&what)?, reader.half(&what)?);
        reader.take(8, &what)?;
        variants(reader, count.into(), bytes.into(), &what)?;
    }
    if name.is_empty() || name.contains(['/', '\\']) || name.contains("..") {
        return Err(corrupt(&what, format!("its name is `{}`", name.escape_default())));
    }
    if offset as usize != start {
        warnings.push(format!(
            "`{name}` says it begins at {offset}, it begins at {start}"
        ));
    }
    if flash_size != 0 && size > flash_size {
        let place = format!("its partition at 0x{address:x}");
        return Err(FormatError::TooLarge {
            what: format!("`{name}`"),
            size: size.into(),
            place,
            limit: flash_size.into(),
        });
    }
    let data = reader.take(size as usize, &format!("`{name}` of the .binpkg file"))?;
    let found: String = Sha256::digest(data)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    if !hash.eq_ignore_ascii_case(&found) {
        let why = format!("its SHA-256 is {found}, its entry says {}", hash.escape_default());
        return Err(corrupt(&format!("`{name}` of the .binpkg file"), why));
    }
    Ok(Entry {
        name,
        kind,
        address,
        flash_size,
        data: data.into(),
    })
}

/// Walks the file; every field that runs past its end is an error that names the field.
struct Reader<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize, what: &str) -> Result<&'a [u8], FormatError> {
        let end = self.at.saturating_add(size);
        let field = self
            .file
            .get(self.at..end)
            .ok_or_else(|| FormatError::Truncated {
                what: what.into(),
                need: end as u64,
                have: self.file.len() as u64,
            })?;
        self.at = end;
        Ok(field)
    }

    fn word(&mut self, what: &str) -> Result<u32, FormatError> {
        let field = self.take(4, what)?;
        Ok(u32::from_le_bytes([field[0], field[1], field[2], field[3]]))
    }

    fn half(&mut self, what: &str) -> Result<u16, FormatError> {
        let field = self.take(2, what)?;
        Ok(u16::from_le_bytes([field[0], field[1]]))
    }
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

fn corrupt(what: &str, why: String) -> FormatError {
    FormatError::Corrupt {
        what: what.into(),
        why,
    }
}

#[cfg(test)]
#[path = "binpkg_tests.rs"]
mod tests;
