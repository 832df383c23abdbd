//! The board file: which module, which packages, who has the hands at it.

use std::fs;
use std::path::{Path, PathBuf};

use qpyflash::identity::OrderingCode;
use serde::Deserialize;

use super::hands::Controls;

/// A board file, as it is written. Paths are relative to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Board {
    /// What the board is called in the report.
    pub name: String,
    /// The ordering code on the module's label.
    pub oc: Option<OrderingCode>,
    /// Where the module sits, as `qpyflash list` shows it: `1-4.2`.
    pub path: Option<String>,
    /// A serial adapter at the module's download UART.
    pub uart: Option<PathBuf>,
    /// What the line is, for the ratio of the transfer rate: `usb-full`, `usb-high`, `uart-921600`, `uart-3m`.
    pub line: Option<String>,
    #[serde(default)]
    pub packages: Packages,
    #[serde(default)]
    pub control: Controls,
    /// No hardware, but a virtual module of this kind: `asr1603`, `uis8910`, …
    #[serde(rename = "virtual")]
    pub kind: Option<String>,
    /// Bytes per second that its line carries.
    pub bytes_per_second: Option<u64>,
    /// A fault that it has: `flash@6=vanish`.
    pub fault: Option<String>,
    /// It is written with packages as large as published ones.
    #[serde(default)]
    pub large: bool,
}

/// Packages, by what they are for this module. What is not given of the wrong ones is generated.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Packages {
    /// The one that the module is to run in the end.
    pub good: Option<PathBuf>,
    /// Another version for the same module.
    pub older: Option<PathBuf>,
    /// For another chip platform.
    pub other_platform: Option<PathBuf>,
    /// For another series of the same platform.
    pub other_series: Option<PathBuf>,
    /// For another submodel of the same series.
    pub other_submodel: Option<PathBuf>,
}

impl Packages {
    /// The packages that are given, with the names that stand for them in braces.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        [
            ("good", &self.good),
            ("older", &self.older),
            ("other-platform", &self.other_platform),
            ("other-series", &self.other_series),
            ("other-submodel", &self.other_submodel),
        ]
        .into_iter()
        .filter_map(|(name, file)| Some((name, file.as_ref()?)))
    }
}

impl Board {
    /// Reads a board file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let file = path.display();
        let text =
            fs::read_to_string(path).map_err(|why| format!("cannot read the board file `{file}`: {why}"))?;
        let mut board: Board =
            toml::from_str(&text).map_err(|why| format!("the board file `{file}`: {why}"))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let packages = &mut board.packages;
        for given in [
            &mut packages.good,
            &mut packages.older,
            &mut packages.other_platform,
            &mut packages.other_series,
            &mut packages.other_submodel,
        ] {
            *given = given.take().map(|given| folder.join(given));
        }
        match board.mistake() {
            None => Ok(board),
            Some(mistake) => Err(format!("the board file `{file}`: {mistake}")),
        }
    }

    fn mistake(&self) -> Option<&'static str> {
        let is_given = self.packages.given().next().is_some();
        match &self.kind {
            Some(_) if self.oc.is_some() || self.path.is_some() || self.uart.is_some() || is_given => {
                Some("a virtual board needs no `oc`, `path`, `uart` and packages: they are made for it")
            }
            Some(_) => None,
            None if self.fault.is_some() || self.bytes_per_second.is_some() || self.large => {
                Some("`fault`, `bytes-per-second` and `large` are for virtual boards")
            }
            None if self.oc.is_none() => Some("`oc` is missing: the ordering code on the module's label"),
            None if self.packages.good.is_none() => Some("`packages.good` is missing: the firmware to write"),
            None if self.path.is_none() && self.uart.is_none() => {
                Some("`path` is missing: where `qpyflash list` shows the module")
            }
            None => None,
        }
    }
}
