//! A `.binpkg` with the agents, settings and files beside it.

use std::sync::Arc;

use qpyflash_protocols::FormatError;
use qpyflash_protocols::eigencomm::{self, Binpkg, Companions, Extra, Flash, Kind, Transport};
use sha2::{Digest, Sha256};

use super::companions::{companion, needed};
use super::{Payload, format_error, hex, image};
use crate::firmware::error::PackageError;
use crate::firmware::package::{Image, Plan};
use crate::firmware::survey::Candidate;

/// The files beside the package, each with its place.
type Extras = Vec<(Extra, Arc<[u8]>)>;

pub(super) fn load(candidate: &Candidate) -> Result<Payload, PackageError> {
    let wrong = |source| format_error(candidate, source);
    let file = candidate.tree.read(candidate.index)?;
    let package = Binpkg::parse(&file).map_err(wrong)?;
    let platform = package.platform().map_err(wrong)?;
    let mut digest = Sha256::new();
    digest.update(&file);
    drop(file);

    let mut warnings = Vec::new();
    let beside = |path: &str| companion(candidate, path);
    let companions = Companions {
        usb_agent: beside(Transport::Usb.agent_file())?,
        uart_agent: beside(Transport::Uart.agent_file())?,
        extras: extras(candidate, &mut warnings)?,
        usb_settings: beside(Transport::Usb.settings_file())?,
        uart_settings: beside(Transport::Uart.settings_file())?,
        format: beside(eigencomm::FORMAT_FILE)?,
    };
    let settings = [
        &companions.usb_settings,
        &companions.uart_settings,
        &companions.format,
    ];
    settings
        .into_iter()
        .flatten()
        .for_each(|file| digest.update(file));
    let plan = eigencomm::Plan::new(Arc::new(package), companions).map_err(wrong)?;
    warnings.splice(0..0, plan.warnings().iter().cloned());

    let images: Vec<Image> = plan.burns().iter().map(burnt).collect();
    let mut helpers = Vec::new();
    for transport in Transport::ALL {
        match plan.agent(transport) {
            Ok(agent) => helpers.push(image(transport.agent_name(), String::new(), agent)),
            Err(_) => warnings.push(format!(
                "`{}` is not beside it: without its agent a module on {} cannot be written",
                transport.agent_file(),
                transport.title()
            )),
        }
    }
    for part in images.iter().chain(&helpers) {
        digest.update(part.target.as_bytes());
        digest.update(&part.data);
    }
    let speakers = plan
        .burns()
        .iter()
        .filter(|burn| burn.kind == Kind::System)
        .map(|burn| burn.name.clone())
        .collect();
    Ok(Payload {
        platform,
        images,
        helpers,
        warnings,
        inner_names: Vec::new(),
        speakers,
        fingerprint: hex(digest.finalize()),
        plan: Plan::Eigencomm(Arc::new(plan)),
    })
}

/// An image and its place; raw addresses of the CP flash would read like those of the AP flash.
fn burnt(burn: &eigencomm::Burn) -> Image {
    let target = match burn.flash {
        Flash::Ap => format!("0x{:x}", burn.address),
        Flash::Cp => format!("CP 0x{:x}", burn.address),
    };
    image(&burn.name, target, &burn.data)
}

/// The file systems and the application that the settings name. Source: specs/eigencomm-agentboot.md §2.6.
fn extras(candidate: &Candidate, warnings: &mut Vec<String>) -> Result<Extras, PackageError> {
    if let Some(settings) = companion(candidate, eigencomm::EXTRAS_FILE)? {
        let extras = eigencomm::extras(&settings).map_err(|source| format_error(candidate, source))?;
        let with_data = |extra: Extra| needed(candidate, extra.file).map(|data| (extra, data));
        return extras.into_iter().map(with_data).collect();
    }
    // Without the addresses the module would run the new system with the old application.
    for file in eigencomm::EXTRAS {
        if companion(candidate, file)?.is_some() {
            let source = FormatError::Corrupt {
                what: format!("the place of `{file}`"),
                why: format!("`{}`, which tells it, is missing", eigencomm::EXTRAS_FILE),
            };
            return Err(format_error(candidate, source));
        }
    }
    warnings.push(format!(
        "it comes without `{}` and the files of the QuecPython application: give the whole package",
        eigencomm::EXTRAS_FILE
    ));
    Ok(Vec::new())
}
