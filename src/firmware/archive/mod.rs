//! A file, a zip, a zip inside a zip or an unpacked folder: always a tree of members, read on demand and checked.
//!
//! What a package may cost this host is bounded here, and a member's name never reaches the file system before
//! it was checked. The outermost archive is read from disk; an inner one is copied to a file without a name for as
//! long as its tree lives.

mod folder;
mod names;
mod zipped;

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::firmware::error::PackageError;
pub(crate) use names::{base_name, checked, folded, folder_of, is_junk, stem};

/// Archives inside archives, the outermost included.
pub const NESTING_LIMIT: usize = 4;
/// Members of all archives and folders together.
pub const MEMBER_LIMIT: usize = 4096;
/// Bytes of all members together, as their archives declare them.
pub const EXPANDED_LIMIT: u64 = 512 << 20;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// What one package has cost so far, over all its archives.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    members: usize,
    expanded: u64,
}

impl Spent {
    fn members(&mut self, place: &str, count: usize) -> Result<(), PackageError> {
        self.members = self.members.saturating_add(count);
        if self.members <= MEMBER_LIMIT {
            return Ok(());
        }
        Err(PackageError::TooMany {
            place: place.into(),
            count: self.members,
        })
    }

    fn bytes(&mut self, place: &str, size: u64) -> Result<(), PackageError> {
        self.expanded = self.expanded.saturating_add(size);
        if self.expanded <= EXPANDED_LIMIT {
            return Ok(());
        }
        Err(PackageError::TooLarge {
            place: place.into(),
            size: self.expanded,
        })
    }
}

/// One file of a tree.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Path inside the tree, components joined by `/`.
    pub name: String,
    /// Bytes, as declared; reading checks it.
    pub size: u64,
    /// Where the tree's source finds it.
    handle: Handle,
}

#[derive(Debug, Clone)]
enum Handle {
    Disk(PathBuf),
    Zip(usize),
}

/// The members of one file, folder or archive.
#[derive(Debug)]
pub(crate) struct Tree {
    /// What the tree was taken out of, and which member it was.
    pub parent: Option<(Rc<Tree>, usize)>,
    /// The chain of files that led here, outermost first; empty for a single file.
    pub origin: Vec<String>,
    /// Its members, in the order of the archive or sorted by name.
    pub members: Vec<Member>,
    nesting: usize,
    archive: Option<zipped::Archive>,
}

impl Tree {
    /// The file or folder a person gave.
    pub fn at(path: &Path, spent: &mut Spent) -> Result<Rc<Tree>, PackageError> {
        let place = path.display().to_string();
        let unreadable = |source| PackageError::Unreadable {
            place: place.clone(),
            source,
        };
        let meta = std::fs::metadata(path).map_err(unreadable)?;
        let name = names::of_path(path);
        if meta.is_dir() {
            let members = folder::members(path, spent)?;
            return Ok(Rc::new(Tree {
                parent: None,
                origin: vec![name],
                members,
                nesting: 0,
                archive: None,
            }));
        }
        if !meta.is_file() {
            return Err(PackageError::NotRegular {
                place,
                kind: "neither a file nor a folder",
            });
        }
        if meta.len() > EXPANDED_LIMIT {
            return Err(PackageError::TooLarge {
                place,
                size: meta.len(),
            });
        }
        spent.members(&place, 1)?;
        let members = vec![Member {
            name,
            size: meta.len(),
            handle: Handle::Disk(path.to_owned()),
        }];
        Ok(Rc::new(Tree {
            parent: None,
            origin: Vec::new(),
            members,
            nesting: 0,
            archive: None,
        }))
    }

    /// Opens the zip that is member `index`.
    pub fn open(self: &Rc<Tree>, index: usize, spent: &mut Spent) -> Result<Rc<Tree>, PackageError> {
        let member = self.member(index)?;
        let mut origin = self.origin.clone();
        origin.push(base_name(&member.name).to_owned());
        let place = origin.join(" > ");
        let nesting = self.nesting + 1;
        if nesting > NESTING_LIMIT {
            return Err(PackageError::TooDeep { place });
        }
        let bytes = match &member.handle {
            Handle::Disk(path) => Bytes::Disk(path.clone()),
            Handle::Zip(_) => Bytes::Spooled(self.spool(index)?),
        };
        let (archive, members) = zipped::Archive::open(bytes, &place, spent)?;
        let parent = Some((Rc::clone(self), index));
        Ok(Rc::new(Tree {
            parent,
            origin,
            members,
            nesting,
            archive: Some(archive),
        }))
    }

    /// Reads a member whole; its size and check sum are right, or it is an error.
    pub fn read(&self, index: usize) -> Result<Vec<u8>, PackageError> {
        let member = self.member(index)?;
        match (&member.handle, &self.archive) {
            (Handle::Disk(path), _) => folder::read(path, member.size),
            (Handle::Zip(number), Some(archive)) => archive.read(*number, member, &self.place()),
            (Handle::Zip(_), None) => Err(self.unknown_member()),
        }
    }

    /// Copies a member of an archive to a file without a name, checked as when it is read.
    fn spool(&self, index: usize) -> Result<File, PackageError> {
        let member = self.member(index)?;
        match (&member.handle, &self.archive) {
            (Handle::Zip(number), Some(archive)) => archive.spool(*number, member, &self.place()),
            _ => Err(self.unknown_member()),
        }
    }

    /// Reads at most the first `limit` bytes of a member, without checking the rest.
    pub fn head(&self, index: usize, limit: usize) -> Result<Vec<u8>, PackageError> {
        let member = self.member(index)?;
        match (&member.handle, &self.archive) {
            (Handle::Disk(path), _) => folder::head(path, limit),
            (Handle::Zip(number), Some(archive)) => archive.head(*number, member, limit, &self.place()),
            (Handle::Zip(_), None) => Err(self.unknown_member()),
        }
    }

    /// The member of that folder (empty for the root) and that name, in any capitals.
    pub fn find(&self, folder: &str, name: &str) -> Option<usize> {
        let exact = |member: &Member| {
            let rest = member.name.strip_prefix(folder)?;
            let rest = if folder.is_empty() {
                rest
            } else {
                rest.strip_prefix('/')?
            };
            rest.eq_ignore_ascii_case(name).then_some(())
        };
        self.members.iter().position(|member| exact(member).is_some())
    }

    /// The tree in words, for messages.
    pub fn place(&self) -> String {
        self.origin.join(" > ")
    }

    fn member(&self, index: usize) -> Result<&Member, PackageError> {
        self.members.get(index).ok_or_else(|| self.unknown_member())
    }

    fn unknown_member(&self) -> PackageError {
        PackageError::BrokenArchive {
            place: self.place(),
            why: "a member is asked for that is not in it".into(),
        }
    }
}

/// Where the bytes of an archive lie.
#[derive(Debug)]
enum Bytes {
    Disk(PathBuf),
    /// In a file without a name: an archive may be as large as all that it holds.
    Spooled(File),
}

trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

impl Bytes {
    fn reader(&self) -> std::io::Result<Box<dyn ReadSeek + '_>> {
        Ok(match self {
            Bytes::Disk(path) => Box::new(BufReader::with_capacity(CHUNK_BYTES, File::open(path)?)),
            Bytes::Spooled(file) => {
                let mut file = file;
                file.rewind()?;
                Box::new(BufReader::with_capacity(CHUNK_BYTES, file))
            }
        })
    }
}
