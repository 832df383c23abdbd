//! `qpyflash trace import CAPTURE -o FILE`

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Args;
use qpyflash::trace::import::{Choice, DeviceNumber, Endpoints, Imported, import};
use qpyflash::{Error, Kind, Platform};

use crate::cli::printer::{Form, Printer};

/// Options of `trace import`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The capture: pcap or pcapng, of usbmon (Linux) or USBPcap (Windows)
    pub capture: PathBuf,
    /// Where the recording goes
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Which device, when several have talked: bus and number, as `1.5`
    #[arg(long, value_name = "BUS.DEV")]
    pub device: Option<DeviceNumber>,
    /// Which bulk endpoints: `0x01,0x81`; the pair that has carried most by default
    #[arg(long, value_name = "OUT,IN")]
    pub endpoints: Option<Endpoints>,
    /// Whose protocol it is, where the first bytes do not tell
    #[arg(long, value_parser = platform)]
    pub platform: Option<Platform>,
}

fn platform(text: &str) -> Result<Platform, String> {
    let found = Platform::ALL.into_iter().find(|platform| platform.name() == text);
    found.ok_or(format!("one of {}", Platform::ALL.map(Platform::name).join(", ")))
}

pub fn run(arguments: &Arguments, printer: &Printer) -> Result<u8, Error> {
    let name = arguments.capture.display().to_string();
    let mut capture = File::open(&arguments.capture)
        .map_err(|why| Error::new(Kind::CaptureUnreadable, format!("cannot open `{name}`: {why}")))?;
    let choice = Choice {
        device: arguments.device,
        endpoints: arguments.endpoints,
        platform: arguments.platform,
    };
    let output = &arguments.output;
    let failed = |why: &dyn std::fmt::Display| {
        Error::new(Kind::Usage, format!("cannot write `{}`: {why}", output.display()))
    };
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    // Beside its place, so that half a recording never stands there.
    let mut file =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(|why| failed(&why))?;
    let imported = import(&mut capture, &name, &choice, BufWriter::new(&mut file))?;
    file.persist(output).map_err(|why| failed(&why.error))?;
    match printer.form {
        Form::Text => text(&imported, output, printer),
        _ => printer.json(&serde_json::json!({ "schema": 1, "imported": imported })),
    }
    Ok(0)
}

fn text(imported: &Imported, output: &Path, printer: &Printer) {
    let origin = &imported.origin;
    let id = origin
        .usb_id
        .as_ref()
        .map_or(String::new(), |id| format!(" ({id})"));
    let platform = imported.platform.map_or("an unknown protocol", Platform::title);
    printer.result(&format!(
        "`{}`: {platform}, {} bytes to and {} bytes from device {}{id}",
        output.display(),
        imported.bytes_to_module,
        imported.bytes_from_module,
        origin.device
    ));
    if imported.unfinished > 0 {
        let count = imported.unfinished;
        printer.say(&format!(
            "{count} transfers had not ended when the capture did; they are left out"
        ));
    }
    for other in &imported.other_endpoints {
        printer.say(&format!(
            "the endpoints {other} have carried data, too: `--endpoints {other}`"
        ));
    }
    if imported.platform.is_none() {
        printer.say("its first bytes begin no protocol of ours; `--platform` names one");
    }
}
