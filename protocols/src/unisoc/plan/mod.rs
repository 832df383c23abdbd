//! A package becomes a plan: what happens to each entry, in order, and every check that needs no module.
//!
//! The order is what makes a half-written module recoverable: the boot area is erased first and written last, so
//! that the mask ROM stays in download mode in between. A package that does otherwise is refused.
//! Source: specs/unisoc-pac-bsl.md §1.4, §1.6, §6.2, §9.3.

mod checks;
mod words;

use std::sync::Arc;

use super::bsl::address;
use super::pac::{Entry, Pac};
use super::xml::{File, KeptItem, Scheme};
use super::{corrupt, nv, unsupported};
use crate::{FormatError, Platform};
use checks::{check_loaders, check_order, check_overlaps};

/// Smallest unit that is erased, in bytes. Source: §5.4 (V).
const SECTOR_BYTES: u64 = 0x1000;
/// Operations by name: what they erase. Anything else that is selected is refused. Source: §1.6, §6.2 (V).
const OPERATIONS: [(&str, Place); 11] = [
    ("ERASE_BOOT", Place::Flash),
    ("ERASE_SPL", Place::Flash),
    ("ERASE_PY_FS_U", Place::Flash),
    ("ERASE_PY_FS_B", Place::Flash),
    ("ERASE_PY_FS_C", Place::Flash),
    ("FLASH", Place::At(address::RUNNING_NV)),
    ("DEL_APPIMG", Place::At(address::APPLICATION)),
    ("FMT_FSSYS", Place::FileSystem(*b"FSYS")),
    ("FMT_FSMOD", Place::FileSystem(*b"FMOD")),
    ("FMT_FSEXT", Place::FileSystem(*b"FEXT")),
    ("PhaseCheck", Place::Marker),
];

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A region of the NOR flash.
    Flash,
    /// A special address.
    At(u32),
    /// A file system by its name.
    FileSystem([u8; 4]),
    /// Nothing: it only drives the vendor's tool.
    Marker,
}

/// What happens to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Its code runs in the module's RAM and serves the run; flash never holds it.
    Load,
    /// ERASE_FLASH with this size, which for a file system is its name.
    Erase {
        /// Bytes, or the name of a file system as a number.
        size: u32,
    },
    /// Its bytes are written.
    Write,
    /// Its NV items are merged with the module's own, and written.
    MergeNv,
    /// Nothing is sent.
    Skip {
        /// Why.
        why: &'static str,
    },
}

impl Action {
    /// Whether the module's flash is changed.
    pub fn changes_flash(self) -> bool {
        matches!(self, Action::Erase { .. } | Action::Write | Action::MergeNv)
    }
}

/// One entry and what happens to it.
#[derive(Debug, Clone)]
pub struct Step {
    /// `AP`.
    pub id: String,
    /// What happens.
    pub action: Action,
    /// Flash address, load address, or one of the special addresses from 0xFE000001.
    pub address: u32,
    /// Bytes of the place it goes to, or 0 when it has no bounds.
    pub room: u32,
    /// The file; empty for an operation.
    pub data: Arc<[u8]>,
}

/// A package, validated down to what will be asked of the module.
#[derive(Debug, Clone)]
pub struct Plan {
    pac: Arc<Pac>,
    steps: Vec<Step>,
    kept_items: Vec<KeptItem>,
    warnings: Vec<String>,
}

impl Plan {
    /// Checks everything that can be checked without the module.
    ///
    /// # Errors
    /// [`FormatError`] when entries and XML contradict each other, an image does not fit its place, a selected
    /// operation is unknown, places overlap, or the order would leave a half-written module beyond recovery.
    pub fn from_pac(pac: Arc<Pac>) -> Result<Plan, FormatError> {
        let scheme = Scheme::parse(&pac.xml)?;
        let steps = scheme
            .files
            .iter()
            .map(|file| step(&pac, file))
            .collect::<Result<Vec<Step>, _>>()?;
        if let Some(entry) = pac.entries.iter().find(|entry| scheme.file(&entry.id).is_none()) {
            return Err(FormatError::Missing {
                what: format!("`{}` of the XML", entry.id),
            });
        }
        check_loaders(pac.platform, &steps)?;
        check_order(pac.platform, &steps)?;
        check_overlaps(&steps)?;
        Ok(Plan {
            warnings: warnings(&pac, &steps),
            kept_items: scheme.kept_items,
            steps,
            pac,
        })
    }

    /// The package.
    pub fn pac(&self) -> &Arc<Pac> {
        &self.pac
    }

    /// The chip.
    pub fn platform(&self) -> Platform {
        self.pac.platform
    }

    /// Every entry in the order of flashing, with what happens to it.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The NV items that the package's XML wants a module to keep.
    pub fn kept_items(&self) -> &[KeptItem] {
        &self.kept_items
    }

    /// What a person should know before writing it.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Checks a kept NV area: it must be whole, and fit a module of this chip.
    ///
    /// # Errors
    /// [`FormatError`] with what is wrong.
    pub fn check_nv(&self, area: &[u8]) -> Result<(), FormatError> {
        nv::check(area)?;
        let (size, limit) = (area.len() as u64, u64::from(self.nv_room()));
        match size <= limit {
            true => Ok(()),
            false => Err(FormatError::TooLarge {
                what: "the NV area".into(),
                size,
                place: format!("a {}", self.platform().title()),
                limit,
            }),
        }
    }

    pub(super) fn loader(&self, id: &str) -> Option<&Step> {
        self.steps
            .iter()
            .find(|step| step.id == id && step.action == Action::Load)
    }

    /// The package's own NV area, if it writes one.
    pub(super) fn nv(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.action == Action::MergeNv)
    }

    /// Bytes that the NV area of a module may have. Source: §1.6 (V), where the package does not say.
    pub(super) fn nv_room(&self) -> u32 {
        let by_chip = match self.pac.platform {
            Platform::Unisoc8850 => 0x28000,
            _ => 0x20000,
        };
        self.nv().map_or(by_chip, |step| step.room)
    }
}

/// Matches a file of the XML with its entry.
fn step(pac: &Pac, file: &File) -> Result<Step, FormatError> {
    let entry = pac
        .entries
        .iter()
        .find(|entry| entry.id == file.id)
        .ok_or_else(|| FormatError::Missing {
            what: format!("the entry `{}`", file.id),
        })?;
    if entry.address != file.base {
        let why = format!(
            "the entry says 0x{:08x}, the XML 0x{:08x}",
            entry.address, file.base
        );
        return Err(corrupt(format!("the address of `{}`", file.id), why));
    }
    if file.has_file == entry.data.is_empty() {
        return Err(match file.has_file {
            true => FormatError::Missing {
                what: format!("the file of `{}`", file.id),
            },
            false => corrupt(
                format!("`{}`", file.id),
                "the XML calls it an operation, and it has a file",
            ),
        });
    }
    Ok(Step {
        id: file.id.clone(),
        action: action(entry, file)?,
        address: entry.address,
        room: file.size,
        data: Arc::clone(&entry.data),
    })
}

/// Selected is what the entry ticks by default, what nobody may leave out, and what the XML insists on.
/// Source: §6.2: the vendor's tools agree on that, except one that looks at no flag at all (V).
fn action(entry: &Entry, file: &File) -> Result<Action, FormatError> {
    let insisted = file.check_flag == 1 || (file.has_file && !entry.can_omit);
    let selected = entry.selected || insisted;
    let action = match file.has_file {
        true => file_action(entry, file),
        false => operation(entry, file),
    };
    match (selected, action) {
        (true, action) => action,
        (false, _) => Ok(Action::Skip {
            why: "the package does not select it",
        }),
    }
}

fn file_action(entry: &Entry, file: &File) -> Result<Action, FormatError> {
    let size = entry.data.len() as u64;
    if file.size != 0 && size > file.size.into() {
        return Err(FormatError::TooLarge {
            what: format!("`{}`", entry.id),
            size,
            place: format!("its place at 0x{:08x}", file.base),
            limit: file.size.into(),
        });
    }
    let elsewhere = |wanted: &str| {
        let why = format!("it goes to 0x{:08x}, {wanted}", file.base);
        Err(unsupported(
            format!("`{}` of type `{}`", entry.id, file.kind),
            why,
        ))
    };
    match (file.kind.as_str(), file.base) {
        ("HOST_FDL" | "FDL" | "FDL2", _) if file.kind == entry.id => Ok(Action::Load),
        ("NV", address::NV) if file.size == 0 => elsewhere("which has no size"),
        ("NV", address::NV) => nv::items(&entry.data).map(|_| Action::MergeNv),
        ("NV", _) => elsewhere("and no NV area is there"),
        ("CODE", address::CPIO) => Ok(Action::Write),
        ("CODE", base) => match within_flash(base.into(), size) {
            true => Ok(Action::Write),
            false => elsewhere("which is outside of the flash"),
        },
        _ => elsewhere("and nothing is known of such a type"),
    }
}

fn operation(entry: &Entry, file: &File) -> Result<Action, FormatError> {
    let refuse = |why: String| Err(unsupported(format!("the operation `{}`", entry.id), why));
    let Some((_, place)) = OPERATIONS.iter().find(|(id, _)| *id == entry.id) else {
        return refuse("nothing is known of it, and the package selects it".into());
    };
    let erases = file.kind == "EraseFlash";
    let (base, size) = (u64::from(file.base), u64::from(file.size));
    let fits = match *place {
        Place::Marker => true,
        Place::At(address) => erases && file.base == address,
        Place::FileSystem(name) => {
            erases && file.base == address::FILE_SYSTEM && file.size == u32::from_le_bytes(name)
        }
        // The module erases whole sectors before it refuses the rest. Source: §5.4 (V).
        Place::Flash => {
            let whole = base.is_multiple_of(SECTOR_BYTES) && size.is_multiple_of(SECTOR_BYTES);
            erases && size > 0 && whole && within_flash(base, size)
        }
    };
    match (*place, fits) {
        (Place::Marker, _) => Ok(Action::Skip {
            why: "a marker for the vendor's tool; the module's record of production stays",
        }),
        (_, true) => Ok(Action::Erase { size: file.size }),
        (_, false) => refuse(format!(
            "type `{}`, 0x{:x} bytes at 0x{:08x}, is not what it is known for",
            file.kind, file.size, file.base
        )),
    }
}

fn within_flash(base: u64, size: u64) -> bool {
    base >= address::NOR.start && base + size <= address::NOR.end
}

fn warnings(pac: &Pac, steps: &[Step]) -> Vec<String> {
    let mut warnings = pac.warnings.clone();
    let formats = steps.iter().filter(|step| {
        matches!(step.action, Action::Erase { .. })
            && (step.address == address::FILE_SYSTEM || step.address == address::APPLICATION)
    });
    warnings.extend(formats.map(|step| {
        format!(
            "`{}` is selected: what it names will be empty afterwards",
            step.id
        )
    }));
    if !steps.iter().any(|step| step.action == Action::MergeNv) {
        warnings.push("it writes no NV items: the module keeps all of its own".into());
    }
    warnings
}
