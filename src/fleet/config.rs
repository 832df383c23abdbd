//! `fixture.toml`: one station of a production line.
//!
//! ```toml
//! line = "L1"
//! station = "flash-3"
//! state = "state"                # record and backups; this user's state directory unless told
//!
//! [limits]                       # all of them have a default
//! parallel = 8
//! retries = 1
//! empty_seconds = 15             # in a loop: how long a place is empty between two modules
//!
//! [link]                         # how modules are talked to, unless a slot says otherwise
//! baud = 115200                  # run mode and boot ROM, behind a UART
//! flash_baud = 921600            # once the loader runs, behind a UART
//! frame = 2048                   # bytes of one frame to the loader (Unisoc)
//! pacing = "64B/1ms"             # small writes with a pause between them (Eigencomm)
//!
//! [scanner]                      # labels come from a scanner on a serial port
//! port = "/dev/ttyACM0"
//! baud = 9600
//!
//! [hooks]                        # program and arguments, no shell
//! start = ["hub", "on"]
//! before = ["mes", "announce"]
//! after = ["mes", "done"]
//! end = ["hub", "off"]
//!
//! [[product]]
//! ordering_code = "EC600NCNLA"
//! file = "QPY_OCPU_V0006_EC600N_CNLA_FW.zip"
//! sha256 = "…"
//! built_for = "EC600N_CNLA"      # where the package says so nowhere itself
//! production = false             # also run the package's production groups
//!
//! [[slot]]
//! name = "A1"
//! path = "1-4.2"                 # or `port`, for a UART adapter
//! ordering_code = "EC600NCNLA"   # left away where the label is scanned
//! ```
//!
//! Relative paths are relative to the file. A key that is not known is refused.
//!
//! What a line cannot ask for: another way into download mode than the module's own (its word about what it is would be
//! passed over), a module that stays in download mode or is not asked afterwards (it would not be confirmed), kept NV
//! items or RF data (they are one module's), NV items filled from the package.
//!
//! # Hooks
//!
//! Each gets one JSON document on stdin, with `schema`, `hook` (its name), `line` and `station`:
//!
//! | Hook | When | It fails | The document has also |
//! |---|---|---|---|
//! | `start` | once, before the first module | nothing is flashed | `slots`: their names |
//! | `before` | before a module is asked anything | the module is left alone | `slot`, `unit` (which module of the slot), `ordering_code`, `imei`, `serial_number`, `package_sha256` |
//! | `after` | after a module, whatever its verdict, also when it was refused | the module has not passed | the same, and `pass`, `outcome` |
//! | `end` | once, after the last module, whatever `start` has come to | the exit code says so | `exit_code`, and `slots`: `slot`, `passed`, `failed` |

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::desk::Scanner;
use super::label::is_separator;
use super::outbox::settings::{self, Publish};
use super::tuning::{FlashBaud, Pacing, Tuning};
use crate::error::{Error, Kind};
use crate::identity::OrderingCode;
use crate::link::RemoteAddress;
use crate::module::TopologyPath;

pub use super::limits::Limits;

/// One station, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it was read from.
    pub file: PathBuf,
    /// SHA-256 of the text, lower-case hex.
    pub sha256: String,
    /// The line.
    pub line: String,
    /// The station of the line.
    pub station: String,
    /// Where the record and the backups are kept.
    pub state: PathBuf,
    /// What bounds the work.
    pub limits: Limits,
    /// Commands before and after a module, and the whole run.
    pub hooks: Hooks,
    /// The scanner of the labels.
    pub scanner: Option<Scanner>,
    /// Where the outcome of each attempt is sent.
    pub publish: Publish,
    /// Firmware per product.
    pub products: Vec<Product>,
    /// The slots, in the order of the file.
    pub slots: Vec<Slot>,
}

/// Commands that get a JSON document on stdin: program and arguments, no shell.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hooks {
    /// Before the first module; when it fails, nothing is flashed.
    pub start: Option<Vec<String>>,
    /// Before a module is asked anything; when it fails, the module is left alone.
    pub before: Option<Vec<String>>,
    /// After a module, whatever its verdict.
    pub after: Option<Vec<String>>,
    /// After the last module.
    pub end: Option<Vec<String>>,
}

/// The firmware of a product.
#[derive(Debug, Clone)]
pub struct Product {
    /// Which modules it is for: those of this submodel.
    pub ordering_code: OrderingCode,
    /// The package.
    pub file: PathBuf,
    /// What its SHA-256 must be, lower-case hex.
    pub sha256: String,
    /// What it is built for, where it says so nowhere itself.
    pub built_for: Option<OrderingCode>,
    /// Also run its production groups.
    pub production: bool,
}

/// One place for a module.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// Where the module is attached.
    pub place: Place,
    /// Which modules belong into it; the label says it where this does not.
    pub ordering_code: Option<OrderingCode>,
    /// How the module is talked to.
    pub tuning: Tuning,
}

/// Where a module is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A socket of the USB tree.
    Path(TopologyPath),
    /// A port: a UART adapter, on this host or on the network.
    Port(String),
}

impl Place {
    /// The topology path.
    pub fn path(&self) -> Option<&TopologyPath> {
        match self {
            Place::Path(path) => Some(path),
            Place::Port(_) => None,
        }
    }

    /// The port.
    pub fn port(&self) -> Option<&str> {
        match self {
            Place::Path(_) => None,
            Place::Port(port) => Some(port),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    line: Spanned<String>,
    station: Spanned<String>,
    state: Option<PathBuf>,
    #[serde(default)]
    limits: Option<Spanned<Limits>>,
    #[serde(default)]
    hooks: Option<Spanned<Hooks>>,
    publish: Option<settings::Text>,
    #[serde(default)]
    link: Tuning,
    scanner: Option<Scanner>,
    #[serde(default)]
    product: Vec<ProductText>,
    #[serde(default)]
    slot: Vec<SlotText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductText {
    ordering_code: Spanned<OrderingCode>,
    file: PathBuf,
    sha256: Spanned<String>,
    built_for: Option<OrderingCode>,
    #[serde(default)]
    production: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotText {
    name: Spanned<String>,
    path: Option<Spanned<TopologyPath>>,
    port: Option<Spanned<String>>,
    ordering_code: Option<OrderingCode>,
    baud: Option<u32>,
    flash_baud: Option<FlashBaud>,
    frame: Option<u16>,
    pacing: Option<Pacing>,
}

impl Config {
    /// Reads the file of a station.
    ///
    /// # Errors
    /// [`Kind::Usage`], with line and key, for anything that is not exactly as it must be.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(file)
            .map_err(|why| Error::new(Kind::Usage, format!("cannot read `{}`: {why}", file.display())))?;
        Config::parse(file, &text)
    }

    /// The same, of a text that was read from `file`.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(file: &Path, text: &str) -> Result<Self, Error> {
        let page = Page { file, text };
        let parsed: Text = toml::from_str(text).map_err(|why| page.error(why.span(), why.message()))?;
        let (line, station) = (page.named(parsed.line)?, page.named(parsed.station)?);
        let folder = file.parent().unwrap_or(Path::new(""));
        let state = match parsed.state {
            Some(state) => folder.join(state),
            None => default_state(&line, &station)?,
        };
        Ok(Config {
            file: file.to_path_buf(),
            sha256: crate::firmware::sha256(text.as_bytes()),
            state,
            limits: page.limits(parsed.limits)?,
            hooks: page.hooks(parsed.hooks)?,
            publish: Publish::read(parsed.publish, folder, &line, &station)
                .map_err(|(span, why)| page.error(Some(span), &why))?,
            products: page.products(parsed.product, folder)?,
            slots: page.slots(parsed.slot, &parsed.link)?,
            scanner: parsed.scanner.map(|scanner| Scanner {
                port: folder.join(scanner.port),
                ..scanner
            }),
            line,
            station,
        })
    }
}

fn default_state(line: &str, station: &str) -> Result<PathBuf, Error> {
    let safe = |text: &str| -> String {
        let keep = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
        text.chars().map(keep).collect()
    };
    let folder = crate::backup::state_directory()
        .map_err(|why| Error::new(Kind::Usage, format!("no state directory: {why}")))?;
    Ok(folder
        .join("fixture")
        .join(format!("{}.{}", safe(line), safe(station))))
}

/// The text, for messages that say where in it.
struct Page<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Page<'_> {
    /// `fixture.toml:7: `sha256`: …`
    fn error(&self, span: Option<Range<usize>>, why: &str) -> Error {
        let start = span.map_or(0, |span| span.start);
        let before = self.text.get(..start).unwrap_or_default();
        let number = before.matches('\n').count() + 1;
        let line = self.text.lines().nth(number - 1).unwrap_or_default();
        let key = line
            .split_once('=')
            .map_or(line, |(key, _)| key)
            .split('#')
            .next()
            .unwrap_or_default()
            .trim();
        Error::new(
            Kind::Usage,
            format!("{}:{number}: `{key}`: {}", self.file.display(), why.trim_end()),
        )
    }

    fn named(&self, name: Spanned<String>) -> Result<String, Error> {
        let (span, name) = (name.span(), name.into_inner());
        // A slot's name stands in the lines of scanned labels.
        let bad =
            name.is_empty() || name.len() > 64 || name.chars().any(|c| is_separator(c) || c.is_control());
        match bad {
            true => Err(self.error(
                Some(span),
                "a name of 1 to 64 characters without blanks, commas and semicolons is needed",
            )),
            false => Ok(name),
        }
    }

    fn limits(&self, limits: Option<Spanned<Limits>>) -> Result<Limits, Error> {
        let Some(limits) = limits else {
            return Ok(Limits::default());
        };
        let (span, limits) = (limits.span(), limits.into_inner());
        limits.check().map_err(|why| self.error(Some(span), why))?;
        Ok(limits)
    }

    fn hooks(&self, hooks: Option<Spanned<Hooks>>) -> Result<Hooks, Error> {
        let Some(hooks) = hooks else {
            return Ok(Hooks::default());
        };
        let (span, hooks) = (hooks.span(), hooks.into_inner());
        let all = [&hooks.start, &hooks.before, &hooks.after, &hooks.end];
        match all
            .iter()
            .any(|command| command.as_ref().is_some_and(Vec::is_empty))
        {
            true => Err(self.error(Some(span), "a hook needs a program")),
            false => Ok(hooks),
        }
    }

    fn products(&self, texts: Vec<ProductText>, folder: &Path) -> Result<Vec<Product>, Error> {
        let mut products: Vec<Product> = Vec::new();
        for text in texts {
            let (span, code) = (text.ordering_code.span(), text.ordering_code.into_inner());
            if products
                .iter()
                .any(|other| other.ordering_code.same_submodel(&code))
            {
                return Err(self.error(Some(span), "this submodel has a product already"));
            }
            let (span, sha256) = (text.sha256.span(), text.sha256.into_inner().to_ascii_lowercase());
            if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(self.error(
                    Some(span),
                    "64 hexadecimal digits are needed; `qpyflash inspect` shows them",
                ));
            }
            products.push(Product {
                ordering_code: code,
                file: folder.join(text.file),
                sha256,
                built_for: text.built_for,
                production: text.production,
            });
        }
        Ok(products)
    }

    /// A port on the network may be written in several ways: one of them tells whether two are the same.
    fn port(&self, port: Spanned<String>) -> Result<Place, Error> {
        let (span, port) = (port.span(), port.into_inner());
        match RemoteAddress::in_name(&port) {
            Ok(Some(address)) => Ok(Place::Port(address.to_string())),
            Ok(None) => Ok(Place::Port(port)),
            Err(why) => Err(self.error(Some(span), &why.to_string())),
        }
    }

    fn slots(&self, texts: Vec<SlotText>, link: &Tuning) -> Result<Vec<Slot>, Error> {
        let mut slots: Vec<Slot> = Vec::new();
        for text in texts {
            let span = text.name.span();
            let name = self.named(text.name)?;
            if slots.iter().any(|other| other.name == name) {
                return Err(self.error(Some(span), "another slot has this name"));
            }
            let (where_, place) = match (text.path, text.port) {
                (Some(path), None) => (path.span(), Place::Path(path.into_inner())),
                (None, Some(port)) => (port.span(), self.port(port)?),
                _ => return Err(self.error(Some(span), "a slot needs either `path` or `port`")),
            };
            if slots.iter().any(|other| other.place == place) {
                return Err(self.error(Some(where_), "another slot has this place"));
            }
            slots.push(Slot {
                name,
                place,
                ordering_code: text.ordering_code,
                tuning: Tuning {
                    baud: text.baud.or(link.baud),
                    flash_baud: text.flash_baud.or(link.flash_baud),
                    frame: text.frame.or(link.frame),
                    pacing: text.pacing.or(link.pacing),
                },
            });
        }
        Ok(slots)
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
