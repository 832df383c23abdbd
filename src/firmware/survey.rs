//! Finds everything in a file or folder that looks like a payload, by content.
//!
//! The published layouts differ only in how deep the payload lies and what lies beside it, so one walk finds
//! them all. Source: specs/identity.md §5.3; the vendor's firmware guide.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use qpyflash_protocols::eigencomm::Binpkg;
use qpyflash_protocols::unisoc::pac;

use super::archive::{Spent, Tree, base_name, folder_of, is_junk};
use super::error::PackageError;
use super::name::{FileName, Part};

/// What a candidate looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A folder with `download.json`.
    AsrJson,
    /// A `firmware.bin` script.
    AsrScript,
    /// A `.pac`.
    Pac,
    /// A `.binpkg`.
    Binpkg,
}

/// A member that is a payload, or the heart of one.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub shape: Shape,
    pub tree: Rc<Tree>,
    /// `download.json`, the script, the `.pac` or the `.binpkg`.
    pub index: usize,
}

impl Candidate {
    /// The heart's path inside its tree.
    pub fn name(&self) -> &str {
        self.tree
            .members
            .get(self.index)
            .map_or("", |member| &member.name)
    }

    /// The folder that holds the heart; empty for the root of its tree.
    pub fn folder(&self) -> &str {
        folder_of(self.name())
    }

    /// The chain of files it came out of, itself included when it is one file.
    pub fn origin(&self) -> Vec<String> {
        let mut origin = self.tree.origin.clone();
        if self.shape != Shape::AsrJson {
            origin.push(base_name(self.name()).to_owned());
        } else if origin.is_empty() {
            origin.push(self.name().to_owned());
        }
        origin
    }

    /// The candidate in words, with its whole path.
    pub fn place(&self) -> String {
        let mut place = self.tree.origin.clone();
        let path = if self.shape == Shape::AsrJson {
            self.folder()
        } else {
            self.name()
        };
        if !path.is_empty() {
            place.push(path.to_owned());
        }
        if place.is_empty() {
            self.name().to_owned()
        } else {
            place.join(" > ")
        }
    }

    /// Every folder round the candidate, innermost first: its own, those above it, and then those round the
    /// archive it lies in.
    pub fn surroundings(&self) -> Vec<(Rc<Tree>, String)> {
        let mut round = Vec::new();
        let mut tree = Rc::clone(&self.tree);
        let mut folder = self.folder().to_owned();
        loop {
            round.push((Rc::clone(&tree), folder.clone()));
            if !folder.is_empty() {
                folder = folder_of(&folder).to_owned();
                continue;
            }
            let Some((above, index)) = &tree.parent else {
                return round;
            };
            folder = above
                .members
                .get(*index)
                .map_or(String::new(), |member| folder_of(&member.name).to_owned());
            tree = Rc::clone(above);
        }
    }
}

/// What the walk has met.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub candidates: Vec<Candidate>,
    /// Files that tell why there is no candidate, in words.
    pub others: Vec<String>,
    /// Files looked at, archives and by-products not counted.
    pub files: usize,
}

/// Walks a tree and every archive in it.
pub(crate) fn survey(
    tree: &Rc<Tree>,
    spent: &mut Spent,
    findings: &mut Findings,
) -> Result<(), PackageError> {
    let given_alone = tree.origin.is_empty();
    for (index, member) in tree.members.iter().enumerate() {
        if is_junk(&member.name) {
            continue;
        }
        if !given_alone && is_byproduct(&member.name) {
            findings
                .others
                .push(format!("`{}` is a by-product of a build", member.name));
            continue;
        }
        let shape = if !given_alone && is_image_beside_binpkg(&member.name) {
            None
        } else if base_name(&member.name).eq_ignore_ascii_case("download.json") {
            Some(Shape::AsrJson)
        } else {
            match content(&tree.head(index, pac::HEADER_BYTES)?) {
                Content::Payload(shape) => Some(shape),
                Content::Zip => {
                    survey(&tree.open(index, spent)?, spent, findings)?;
                    continue;
                }
                Content::OtherArchive(kind) => {
                    findings
                        .others
                        .push(format!("`{}` is {kind}: unpack it first", member.name));
                    None
                }
                Content::Other => None,
            }
        };
        findings.files += 1;
        findings.candidates.extend(shape.map(|shape| Candidate {
            shape,
            tree: Rc::clone(tree),
            index,
        }));
    }
    Ok(())
}

/// Whether a file on disk is worth being resolved: a payload or a zip by its first bytes.
pub(crate) fn looks_like_package(path: &Path) -> bool {
    matches!(content_of(path), Some(Content::Payload(_) | Content::Zip))
}

/// Whether a file on disk makes its folder an unpacked package.
pub(crate) fn looks_like_heart(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    name.eq_ignore_ascii_case("download.json")
        || (!is_byproduct(name) && matches!(content_of(path), Some(Content::Payload(Shape::Binpkg))))
}

fn content_of(path: &Path) -> Option<Content> {
    let mut head = Vec::new();
    let limit = pac::HEADER_BYTES as u64;
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut head))
        .ok()?;
    Some(content(&head))
}

enum Content {
    Payload(Shape),
    Zip,
    OtherArchive(&'static str),
    Other,
}

/// Tells by its first bytes what a file is.
fn content(head: &[u8]) -> Content {
    let pac_version: Vec<u8> = "BP_R".encode_utf16().flat_map(u16::to_le_bytes).collect();
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        Content::Zip
    } else if head.starts_with(&pac_version) || head.get(pac::MAGIC_AT) == Some(&pac::MAGIC[..]) {
        Content::Payload(Shape::Pac)
    } else if Binpkg::begins(head) {
        Content::Payload(Shape::Binpkg)
    } else if head.starts_with(b"!CRANE! ") {
        Content::Payload(Shape::AsrScript)
    } else if head.starts_with(b"Rar!\x1a\x07") {
        Content::OtherArchive("a rar archive")
    } else if head.starts_with(b"7z\xbc\xaf\x27\x1c") {
        Content::OtherArchive("a 7z archive")
    } else {
        Content::Other
    }
}

/// What builds leave beside the payload and the guide says never to flash.
pub(crate) fn is_byproduct(name: &str) -> bool {
    let base = base_name(name).to_ascii_lowercase();
    let in_folder = |folder: &str| {
        folder_of(name)
            .split('/')
            .any(|part| part.eq_ignore_ascii_case(folder))
    };
    let release_pack = matches!(
        FileName::parse(name).map(|name| name.part()),
        Some(Part::ReleasePack)
    );
    in_folder("DBG")
        || in_folder("single_pkg")
        || release_pack
        || base.ends_with("_release_pack.zip")
        || base.ends_with("_qdownload_image.bin")
        || base == "quec_usb_prog_pkg.bin"
}

/// `ap_application.bin`, `ap_updater.bin`: parts of a package, never one themselves.
fn is_image_beside_binpkg(name: &str) -> bool {
    let base = base_name(name).to_ascii_lowercase();
    base.starts_with("ap_") && base.ends_with(".bin")
}
