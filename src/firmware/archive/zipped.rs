//! The members of a zip, of which nothing is believed before it was counted.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use crc::{CRC_32_ISO_HDLC, Crc, Table};
use zip::read::{ArchiveOffset, Config, ZipArchiveMetadata, ZipFile, ZipFileEntry};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive, ZipReadOptions};

use super::{Bytes, CHUNK_BYTES, Handle, Member, ReadSeek, Spent, names};
use crate::firmware::error::PackageError;

const CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);

/// Bytes that may be read to list an archive. A directory of 4,096 members is far smaller.
const DIRECTORY_LIMIT: u64 = 8 << 20;
/// Bytes set aside for a member before any of it was seen.
const TRUSTED_CAPACITY: u64 = 16 << 20;
/// The bits of a Unix mode that say what kind of file it is.
const TYPE_MASK: u32 = 0o170_000;
const TYPE_LINK: u32 = 0o120_000;
const TYPE_FILE: u32 = 0o100_000;
const TYPE_FOLDER: u32 = 0o040_000;

/// The directory of a zip, and where its bytes lie.
#[derive(Debug)]
pub(super) struct Archive {
    bytes: Bytes,
    directory: Arc<ZipArchiveMetadata>,
}

impl Archive {
    /// Lists an archive. Every name, kind and size is checked before any member is read.
    pub fn open(
        bytes: Bytes,
        place: &str,
        spent: &mut Spent,
    ) -> Result<(Archive, Vec<Member>), PackageError> {
        let directory = directory(&bytes, place)?;
        spent.members(place, directory.len())?;
        if directory.has_duplicate_names() {
            return Err(PackageError::Twice {
                place: place.into(),
                member: "one of its names".into(),
            });
        }
        let mut members = Vec::new();
        for number in 0..directory.len() {
            let entry = directory.entry(number).map_err(|why| broken(place, why))?;
            if let Some(name) = file_name(&entry, place)? {
                spent.bytes(place, entry.size())?;
                members.push(Member {
                    name,
                    size: entry.size(),
                    handle: Handle::Zip(number),
                });
            }
        }
        refuse_twins(&members, place)?;
        Ok((Archive { bytes, directory }, members))
    }

    /// Reads a member, which must have exactly its declared size and check sum.
    pub fn read(&self, number: usize, member: &Member, place: &str) -> Result<Vec<u8>, PackageError> {
        let mut bytes = Vec::with_capacity(member.size.min(TRUSTED_CAPACITY) as usize);
        self.copy(number, member, place, |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Copies a member, which must have exactly its declared size and check sum, to a file without a name that is
    /// gone when it is closed.
    pub fn spool(&self, number: usize, member: &Member, place: &str) -> Result<File, PackageError> {
        let unwritable = |source| PackageError::Unwritable {
            place: std::env::temp_dir().display().to_string(),
            source,
        };
        let mut file = tempfile::tempfile().map_err(unwritable)?;
        self.copy(number, member, place, |chunk| {
            file.write_all(chunk).map_err(unwritable)
        })?;
        Ok(file)
    }

    /// Hands a member on piece by piece; only at the end is it known to be whole.
    fn copy(
        &self,
        number: usize,
        member: &Member,
        place: &str,
        mut take: impl FnMut(&[u8]) -> Result<(), PackageError>,
    ) -> Result<(), PackageError> {
        let mut source = self.bytes.reader().map_err(|source| unreadable(place, source))?;
        let mut file = self.member(number, &mut source, member, place)?;
        let damaged = |why: String| PackageError::BrokenMember {
            place: place.into(),
            member: member.name.clone(),
            why,
        };
        let mut left = member.size;
        let mut digest = CRC32.digest();
        let mut chunk = vec![0; CHUNK_BYTES];
        while left > 0 {
            let wanted = left.min(CHUNK_BYTES as u64) as usize;
            let count = file
                .read(&mut chunk[..wanted])
                .map_err(|why| damaged(why.to_string()))?;
            if count == 0 {
                let (had, size) = (member.size - left, member.size);
                return Err(damaged(format!("it ends after {had} of {size} bytes")));
            }
            left -= count as u64;
            digest.update(&chunk[..count]);
            take(&chunk[..count])?;
        }
        match file.read(&mut chunk[..1]) {
            Ok(0) => {}
            Err(why) if why.kind() == io::ErrorKind::InvalidInput => return Err(damaged(why.to_string())),
            // The library stops at the declared size, too, and calls it invalid data.
            Ok(_) | Err(_) => {
                let (place, member, size) = (place.into(), member.name.clone(), member.size);
                return Err(PackageError::Overgrown { place, member, size });
            }
        }
        let (found, stored) = (digest.finalize(), file.crc32());
        if found != stored {
            return Err(damaged(format!(
                "its CRC-32 is 0x{found:08x}, the archive says 0x{stored:08x}"
            )));
        }
        Ok(())
    }

    /// Reads the first bytes of a member.
    pub fn head(
        &self,
        number: usize,
        member: &Member,
        limit: usize,
        place: &str,
    ) -> Result<Vec<u8>, PackageError> {
        let mut source = self.bytes.reader().map_err(|source| unreadable(place, source))?;
        let file = self.member(number, &mut source, member, place)?;
        let mut bytes = Vec::new();
        let limit = member.size.min(limit as u64);
        file.take(limit)
            .read_to_end(&mut bytes)
            .map_err(|why| PackageError::BrokenMember {
                place: place.into(),
                member: member.name.clone(),
                why: why.to_string(),
            })?;
        Ok(bytes)
    }

    fn member<'s, 'a>(
        &'s self,
        number: usize,
        source: &'s mut Box<dyn ReadSeek + 'a>,
        member: &Member,
        place: &str,
    ) -> Result<ZipFile<'s, Box<dyn ReadSeek + 'a>>, PackageError> {
        // The check sum is ours to compare, so that a wrong one and an overgrown member are told apart.
        let options = ZipReadOptions::new().ignore_crc32(true);
        let entry = self.directory.entry(number).map_err(|why| broken(place, why))?;
        entry.with_reader(source, options).map_err(|why| match why {
            ZipError::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
                unreadable(place, source)
            }
            other => PackageError::BrokenMember {
                place: place.into(),
                member: member.name.clone(),
                why: other.to_string(),
            },
        })
    }
}

fn directory(bytes: &Bytes, place: &str) -> Result<Arc<ZipArchiveMetadata>, PackageError> {
    let inner = bytes.reader().map_err(|source| unreadable(place, source))?;
    let metered = Metered {
        inner,
        left: DIRECTORY_LIMIT,
    };
    // The archive begins with its first byte, or it would not have been taken for one.
    let config = Config {
        archive_offset: ArchiveOffset::Known(0),
    };
    let archive = ZipArchive::with_config(config, metered).map_err(|why| broken(place, why))?;
    Ok(archive.metadata())
}

/// The checked name of a file, or nothing for a folder.
fn file_name(entry: &ZipFileEntry<'_>, place: &str) -> Result<Option<String>, PackageError> {
    let raw = names::decode(entry.name_raw());
    let place = || place.to_owned();
    let is_folder = raw.ends_with('/');
    let name = names::checked(raw.strip_suffix('/').unwrap_or(&raw));
    let name = name.map_err(|why| PackageError::BadName {
        place: place(),
        member: raw.clone(),
        why,
    })?;
    match entry.unix_mode().unwrap_or_default() & TYPE_MASK {
        0 | TYPE_FILE => {}
        TYPE_FOLDER if is_folder || entry.size() == 0 => return Ok(None),
        TYPE_LINK => {
            return Err(PackageError::Link {
                place: place(),
                member: name,
            });
        }
        _ => {
            return Err(PackageError::NotRegular {
                place: format!("{} > {name}", place()),
                kind: "a special file",
            });
        }
    }
    if is_folder {
        return Ok(None);
    }
    if entry.encrypted() {
        return Err(PackageError::Encrypted {
            place: place(),
            member: name,
        });
    }
    if !matches!(
        entry.compression(),
        CompressionMethod::Stored | CompressionMethod::Deflated
    ) {
        let method = entry.compression().to_string();
        return Err(PackageError::Compression {
            place: place(),
            member: name,
            method,
        });
    }
    Ok(Some(name))
}

/// No two names may mean the same file, not even where capitals do not count, and no file may be a folder too.
fn refuse_twins(members: &[Member], place: &str) -> Result<(), PackageError> {
    let twice = |name: &str| PackageError::Twice {
        place: place.into(),
        member: format!("`{name}`"),
    };
    let mut seen = HashSet::new();
    for member in members {
        if !seen.insert(names::folded(&member.name)) {
            return Err(twice(&member.name));
        }
    }
    for member in members {
        let lower = names::folded(&member.name);
        let above = lower
            .match_indices('/')
            .find(|(at, _)| seen.contains(&lower[..*at]));
        if let Some((at, _)) = above {
            return Err(twice(&lower[..at]));
        }
    }
    Ok(())
}

fn broken(place: &str, why: ZipError) -> PackageError {
    match why {
        ZipError::Io(source) if source.kind() == io::ErrorKind::QuotaExceeded => PackageError::TooMany {
            place: place.into(),
            count: super::MEMBER_LIMIT + 1,
        },
        ZipError::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => unreadable(place, source),
        other => PackageError::BrokenArchive {
            place: place.into(),
            why: other.to_string(),
        },
    }
}

fn unreadable(place: &str, source: io::Error) -> PackageError {
    PackageError::Unreadable {
        place: place.into(),
        source,
    }
}

/// A reader that gives up after so many bytes: an archive must not make us list millions of members.
struct Metered<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !into.is_empty() {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let most = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.inner.read(&mut into[..most])?;
        self.left -= count as u64;
        Ok(count)
    }
}

impl<R: Seek> Seek for Metered<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
