//! The points of a download dialogue at which a fault may strike, and how a person writes them.

use std::str::FromStr;

use super::{EigencommRequest, EigencommStage, Request, Stage};

/// A point of the download dialogue. Source: DESIGN §11, specs/asr-aboot.md §3-4, specs/unisoc-pac-bsl.md §4-5,
/// specs/eigencomm-agentboot.md §3-4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The preamble `UUUU~` has arrived.
    Preamble,
    /// The confirmation `~UABT~` has arrived.
    Confirmation,
    /// HELLO has arrived.
    Hello,
    /// Any command has arrived.
    Command,
    /// `getvar` has arrived.
    Getvar,
    /// `progress` has arrived.
    Progress,
    /// `download` has arrived: `DATA` is due.
    Download,
    /// That many bytes of one download have arrived.
    Data(u64),
    /// That many bytes have arrived in all downloads since the module was powered.
    AllData(u64),
    /// The last byte of a download has arrived: `OKAY` is due.
    AfterData,
    /// `verify` has arrived.
    Verify,
    /// `call` or `nop` has arrived.
    Call,
    /// `partition` has arrived.
    Partition,
    /// `erase` has arrived.
    Erase,
    /// `flash` has arrived.
    Flash,
    /// The worker begins a job: an `erase` or a `flash`, counted in the order in which they were queued.
    Programming,
    /// `reboot` has arrived.
    Reboot,
    /// `complete` has arrived.
    Complete,
    /// `disconnect` has arrived.
    Disconnect,
    /// That request has arrived in that stage of a Unisoc module.
    Unisoc(Stage, Request),
    /// That request has arrived in that stage of an Eigencomm module.
    Eigencomm(EigencommStage, EigencommRequest),
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(place) = text.strip_prefix("ec.") {
            return eigencomm(place);
        }
        if text.contains('.') {
            return unisoc(text);
        }
        let (name, count) = text.split_once(':').unwrap_or((text, "0"));
        let count = count
            .parse()
            .map_err(|_| format!("`{count}` is not a number of bytes"))?;
        Ok(match name {
            "preamble" => Point::Preamble,
            "confirmation" => Point::Confirmation,
            "hello" => Point::Hello,
            "command" => Point::Command,
            "getvar" => Point::Getvar,
            "progress" => Point::Progress,
            "download" => Point::Download,
            "data" => Point::Data(count),
            "all-data" => Point::AllData(count),
            "after-data" => Point::AfterData,
            "verify" => Point::Verify,
            "call" => Point::Call,
            "partition" => Point::Partition,
            "erase" => Point::Erase,
            "flash" => Point::Flash,
            "programming" => Point::Programming,
            "reboot" => Point::Reboot,
            "complete" => Point::Complete,
            "disconnect" => Point::Disconnect,
            _ => return Err(format!("`{name}` is no point of the download dialogue")),
        })
    }
}

fn unisoc(text: &str) -> Result<Point, String> {
    let wrong = || format!("`{text}` is no stage and request of a Unisoc module");
    let (stage, request) = text.split_once('.').ok_or_else(wrong)?;
    let stage = named(&Stage::NAMED, stage).ok_or_else(wrong)?;
    let request = named(&Request::NAMED, request).ok_or_else(wrong)?;
    Ok(Point::Unisoc(stage, request))
}

fn eigencomm(text: &str) -> Result<Point, String> {
    let wrong = || format!("`ec.{text}` is no stage and request of an Eigencomm module");
    let (stage, request) = text.split_once('.').ok_or_else(wrong)?;
    let stage = named(&EigencommStage::NAMED, stage).ok_or_else(wrong)?;
    let request = named(&EigencommRequest::NAMED, request).ok_or_else(wrong)?;
    Ok(Point::Eigencomm(stage, request))
}

fn named<T: Copy>(known: &[(&str, T)], name: &str) -> Option<T> {
    let found = known.iter().find(|(other, _)| *other == name)?;
    Some(found.1)
}
