//! A package and the files beside it become a plan: what is burnt where, in order, and every check that needs no
//! module.
//!
//! The agent checks next to nothing: it takes images of any model, of any size, to nearly any place. So a plan
//! knows, sector by sector, what the agent will erase, and a package that erases anything twice, or anything that
//! nobody can replace, is refused here. Source: specs/eigencomm-agentboot.md §2.4, §4.4, §4.6, §5, Appendix B.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use super::binpkg::{Binpkg, Entry};
use super::map::{self, Flash, Region, SECTOR_BYTES, overlap, sectors};
use super::regions::{self, Named, regions};
use super::{Extra, Settings, Transport};
use crate::FormatError;

/// Bytes an agent may have, and the unit they come in. Source: Appendix B item 6 (?).
const AGENT_BYTES: RangeInclusive<usize> = 4..=0x10000;
const AGENT_UNIT: usize = 4;

/// The files that lie beside a `.binpkg`, as far as they are there.
#[derive(Debug, Clone, Default)]
pub struct Companions {
    /// `agentboot_usb/agentboot.bin`.
    pub usb_agent: Option<Arc<[u8]>>,
    /// `agentboot_uart/agentboot.bin`.
    pub uart_agent: Option<Arc<[u8]>>,
    /// The files that `quec_download_config.ini` names.
    pub extras: Vec<(Extra, Arc<[u8]>)>,
    /// `quec_download_usb.ini`.
    pub usb_settings: Option<Arc<[u8]>>,
    /// `quec_download_uart.ini`.
    pub uart_settings: Option<Arc<[u8]>>,
    /// `format_ec618.json`.
    pub format: Option<Arc<[u8]>>,
}

/// What an image is to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `BL`: has a header in sectors of its own, and always the same place.
    Bootloader,
    /// `AP`: has a header in sectors of its own.
    System,
    /// `CP`: goes to the CP flash.
    Modem,
    /// A file beside the package: goes to the AP flash, and its whole partition is cleared.
    File,
}

impl Kind {
    /// Of the types a package may use, those that are written. Source: §2.1, §2.3.
    fn of(entry: &Entry) -> Option<Kind> {
        match entry.kind.as_str() {
            "BL" => Some(Kind::Bootloader),
            "AP" => Some(Kind::System),
            "CP" => Some(Kind::Modem),
            _ => None,
        }
    }

    /// The chip it goes to. Source: §4.6 (V*).
    pub const fn flash(self) -> Flash {
        match self {
            Kind::Modem => Flash::Cp,
            Kind::Bootloader | Kind::System | Kind::File => Flash::Ap,
        }
    }

    /// The sectors in which the agent stores the image's header, raw in the AP flash. Source: §4.6 (V*).
    pub const fn header(self) -> Option<Range<u32>> {
        match self {
            Kind::Bootloader => Some(map::BOOTLOADER_HEADER),
            Kind::System => Some(map::SYSTEM_HEADER),
            Kind::Modem | Kind::File => None,
        }
    }
}

/// One image and its place.
#[derive(Debug, Clone)]
pub struct Burn {
    /// `ap_at_command`, `customer_fs.bin`.
    pub name: String,
    /// What it is to the agent.
    pub kind: Kind,
    /// The chip it goes to.
    pub flash: Flash,
    /// Where its first byte goes, raw.
    pub address: u32,
    /// The image.
    pub data: Arc<[u8]>,
    /// Bytes of its partition; 0 when a package of version 105 does not say.
    pub limit: u32,
    /// Everything that will be erased for it, in whole sectors, raw: its body or partition, then its header.
    pub erased: Vec<Range<u32>>,
}

impl Burn {
    fn new(name: &str, kind: Kind, address: u32, limit: u32, data: &Arc<[u8]>) -> Result<Burn, FormatError> {
        let size = data.len() as u64;
        if data.is_empty() {
            return Err(FormatError::Corrupt {
                what: format!("`{name}`"),
                why: "it is empty".into(),
            });
        }
        let is_limited = limit != 0 || kind == Kind::File;
        if is_limited && size > limit.into() {
            return Err(FormatError::TooLarge {
                what: format!("`{name}`"),
                size,
                place: format!("its partition at 0x{address:x}"),
                limit: limit.into(),
            });
        }
        let misplaced = |why: String| FormatError::Unsupported {
            what: format!("`{name}` at 0x{address:x} of the {}", kind.flash().name()),
            why,
        };
        if !address.is_multiple_of(SECTOR_BYTES) {
            return Err(misplaced("no sector begins there".into()));
        }
        if kind == Kind::Bootloader && address != map::BOOTLOADER_AT {
            let why = format!(
                "the module puts a boot loader at 0x{:x} in any case",
                map::BOOTLOADER_AT
            );
            return Err(misplaced(why));
        }
        let needed = match kind {
            Kind::File => limit,
            _ => size as u32,
        };
        let room = kind.flash().images();
        let body = sectors(address, needed)
            .filter(|body| room.start <= body.start && body.end <= room.end)
            .ok_or_else(|| {
                misplaced(format!(
                    "its {needed} bytes must lie between 0x{:x} and 0x{:x}",
                    room.start, room.end
                ))
            })?;
        Ok(Burn {
            name: name.into(),
            kind,
            flash: kind.flash(),
            address,
            data: Arc::clone(data),
            limit,
            erased: [body].into_iter().chain(kind.header()).collect(),
        })
    }

    /// The part of its partition behind the image, in whole sectors: cleared by a command of its own, because the
    /// agent erases only what it writes. Source: §5 step 7.
    pub fn rest(&self) -> Range<u32> {
        let body = self.erased.first().cloned().unwrap_or_default();
        let written = sectors(self.address, self.data.len() as u32).map_or(body.end, |written| written.end);
        written.min(body.end)..body.end
    }
}

/// A package with its companions, validated down to what will be asked of the module.
#[derive(Debug, Clone)]
pub struct Plan {
    binpkg: Arc<Binpkg>,
    burns: Vec<Burn>,
    kept: Vec<Region>,
    warnings: Vec<String>,
    agents: [Option<Arc<[u8]>>; 2],
    settings: [Settings; 2],
}

impl Plan {
    /// Checks everything that can be checked without the module.
    ///
    /// # Errors
    /// [`FormatError`] when the package is not for the EC618, holds a type of image nobody knows, an image does not
    /// fit its place or cannot start there, places overlap, or anything irreplaceable would be erased.
    pub fn new(binpkg: Arc<Binpkg>, companions: Companions) -> Result<Plan, FormatError> {
        binpkg.platform()?;
        let mut warnings = binpkg.warnings.clone();
        let burns = burns(&binpkg, &companions)?;
        check_overlaps(&burns)?;
        let named = companions
            .format
            .as_deref()
            .map_or(Ok(Vec::new()), regions)
            .unwrap_or_else(|why| {
                warnings.push(format!("{why}: the regions it names are not known"));
                Vec::new()
            });
        let kept = kept(&burns, named)?;
        for (kind, name) in [
            (Kind::Bootloader, "boot loader"),
            (Kind::System, "system"),
            (Kind::Modem, "modem"),
        ] {
            if !burns.iter().any(|burn| burn.kind == kind) {
                warnings.push(format!(
                    "it holds no {name} image: the module keeps the one it has"
                ));
            }
        }
        let settings = |transport, file: &Option<Arc<[u8]>>| {
            file.as_deref()
                .map_or(Ok(Settings::default()), |file| Settings::parse(transport, file))
        };
        let settings = [
            settings(Transport::Usb, &companions.usb_settings)?,
            settings(Transport::Uart, &companions.uart_settings)?,
        ];
        let agents = [companions.usb_agent, companions.uart_agent];
        for (transport, agent) in Transport::ALL.iter().zip(&agents) {
            agent
                .as_ref()
                .map_or(Ok(()), |agent| check_agent(*transport, agent))?;
        }
        Ok(Plan {
            binpkg,
            burns,
            kept,
            warnings,
            agents,
            settings,
        })
    }

    /// The package.
    pub fn binpkg(&self) -> &Arc<Binpkg> {
        &self.binpkg
    }

    /// Every image in the order of writing: the package's, then the files beside it.
    pub fn burns(&self) -> &[Burn] {
        &self.burns
    }

    /// The named regions that no image touches.
    pub fn kept(&self) -> &[Region] {
        &self.kept
    }

    /// What a person should know before writing it.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The program that a module on that transport must be given.
    ///
    /// # Errors
    /// [`FormatError::Missing`] when it does not lie beside the package; the other transport's does not do.
    pub fn agent(&self, transport: Transport) -> Result<&Arc<[u8]>, FormatError> {
        self.agents[transport as usize]
            .as_ref()
            .ok_or_else(|| FormatError::Missing {
                what: format!("the agent `{}`", transport.agent_file()),
            })
    }

    /// What the agent of that transport is told when it is started.
    pub fn settings(&self, transport: Transport) -> Settings {
        self.settings[transport as usize]
    }
}

fn burns(binpkg: &Binpkg, companions: &Companions) -> Result<Vec<Burn>, FormatError> {
    let unknown: Vec<String> = binpkg
        .entries
        .iter()
        .filter(|entry| Kind::of(entry).is_none())
        .map(|entry| format!("`{}` of type `{}`", entry.name, entry.kind.escape_default()))
        .collect();
    if !unknown.is_empty() {
        return Err(FormatError::Unsupported {
            what: unknown.join(", "),
            why: "only images of the types `BL`, `AP` and `CP` are written".into(),
        });
    }
    let mut burns = Vec::new();
    for entry in &binpkg.entries {
        if let Some(kind) = Kind::of(entry) {
            let burn = Burn::new(&entry.name, kind, entry.address, entry.flash_size, &entry.data)?;
            check_start(&burn)?;
            burns.push(burn);
        }
    }
    for (extra, data) in &companions.extras {
        burns.push(Burn::new(
            extra.file,
            Kind::File,
            extra.address,
            extra.limit,
            data,
        )?);
    }
    Ok(burns)
}

/// Code of the application processor begins with a vector table, whose second word is where it starts: inside of
/// itself, with bit 0 set for Thumb. Source: §2.4 (V).
fn check_start(burn: &Burn) -> Result<(), FormatError> {
    if !matches!(burn.kind, Kind::Bootloader | Kind::System) {
        return Ok(());
    }
    let base = Flash::Ap.window() + burn.address;
    let end = base + burn.data.len() as u32;
    let start = burn
        .data
        .get(4..8)
        .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    if start.is_some_and(|start| (base..end).contains(&(start & !1))) {
        return Ok(());
    }
    let found = start.map_or("nothing".into(), |start| format!("0x{start:08x}"));
    Err(FormatError::Corrupt {
        what: format!("`{}`", burn.name),
        why: format!("it starts at {found}, which is not inside of it when it lies at 0x{base:x}"),
    })
}

fn check_overlaps(burns: &[Burn]) -> Result<(), FormatError> {
    for (index, one) in burns.iter().enumerate() {
        for other in burns[..index].iter().filter(|other| other.flash == one.flash) {
            let hit = one
                .erased
                .iter()
                .find(|mine| other.erased.iter().any(|range| overlap(mine, range)));
            if let Some(range) = hit {
                return Err(FormatError::Corrupt {
                    what: format!("the place of `{}`", one.name),
                    why: format!(
                        "0x{:x} to 0x{:x} of the {} is erased for it, and `{}` is written there",
                        range.start,
                        range.end,
                        one.flash.name(),
                        other.name
                    ),
                });
            }
        }
    }
    Ok(())
}

/// What is left alone. A region that holds what nobody can replace must be; of the others, only the names of those
/// that happen to be. The reference file's regions are not Quectel's, so no address is taken from one. Source:
/// §2.7.
fn kept(burns: &[Burn], named: Vec<Named>) -> Result<Vec<Region>, FormatError> {
    let mut kept: Vec<Region> = map::always_kept().into();
    for Named { region, precious } in named {
        let hit = burns
            .iter()
            .filter(|burn| burn.flash == region.flash)
            .find(|burn| burn.erased.iter().any(|range| overlap(range, &region.range)));
        match hit {
            Some(burn) if precious => {
                return Err(FormatError::Unsupported {
                    what: format!("`{}` at 0x{:x}", burn.name, burn.address),
                    why: format!(
                        "it would erase {} at 0x{:x}, as `{}` calls it",
                        region.name,
                        region.range.start,
                        regions::FORMAT_FILE
                    ),
                });
            }
            Some(_) => {}
            None => kept.push(region),
        }
    }
    Ok(kept)
}

fn check_agent(transport: Transport, agent: &[u8]) -> Result<(), FormatError> {
    if AGENT_BYTES.contains(&agent.len()) && agent.len().is_multiple_of(AGENT_UNIT) {
        return Ok(());
    }
    Err(FormatError::Corrupt {
        what: format!("the agent `{}`", transport.agent_file()),
        why: format!(
            "it has {} bytes; a multiple of {AGENT_UNIT} up to {} was expected",
            agent.len(),
            AGENT_BYTES.end()
        ),
    })
}
