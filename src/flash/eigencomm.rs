//! The jobs of an Eigencomm module.

use std::ops::Range;

use qpyflash_protocols::eigencomm::{self, Keeper, Options, Pacing, Plan, Transport};
use qpyflash_protocols::{Cause, Failure, Phase, Wire, Written};
use serde::Serialize;

use super::session::{Achieved, Context, Keep};
use super::{After, Carrier, Job, Request};
use crate::error::{Error, Kind};
use crate::firmware::sha256;

/// The RF and calibration data of a module, as they were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RfData {
    /// SHA-256 of all of it, lower-case hex.
    pub sha256: String,
    /// Its known parts.
    pub parts: Vec<RfPart>,
    /// The file it was compared with.
    pub compared_with: Option<String>,
    /// Where it differs from that file: addresses of the CP flash, raw.
    pub differs: Vec<Range<u32>>,
}

/// A known part of the RF data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RfPart {
    /// `live RF and calibration data`.
    pub name: &'static str,
    /// Its place in the CP flash, raw.
    pub address: u32,
    /// Bytes.
    pub size: usize,
    /// Nothing but erased flash.
    pub blank: bool,
}

/// What can be found wrong without a module.
pub(super) fn check(plan: &Plan, request: &Request) -> Result<(), Error> {
    if let Some(backup) = request
        .rf_backup
        .as_ref()
        .filter(|backup| !eigencomm::is_rf(&backup.bytes))
    {
        let text = format!(
            "`{}` is no backup of RF data: it has {} bytes, {} were expected",
            backup.name,
            backup.bytes.len(),
            eigencomm::RF_BACKUP.len()
        );
        return Err(
            Error::new(Kind::BackupCorrupt, text).hint("`read rf` and every `write` make such backups")
        );
    }
    if Transport::ALL
        .iter()
        .all(|transport| plan.agent(*transport).is_err())
    {
        return Err(without_agent(Transport::Usb, plan));
    }
    options(request)
        .check()
        .map_err(|why| Error::new(Kind::Usage, why.to_string()))
}

/// Whether the package holds the agent for where the module is attached.
pub(super) fn check_agent(plan: &Plan, is_uart: bool) -> Result<(), Error> {
    let transport = transport(is_uart);
    plan.agent(transport)
        .map(drop)
        .map_err(|_| without_agent(transport, plan))
}

fn without_agent(transport: Transport, plan: &Plan) -> Error {
    let text = format!(
        "the package lacks `{}`: without its agent a module on {} cannot be served",
        transport.agent_file(),
        transport.title()
    );
    let other = Transport::ALL
        .into_iter()
        .find(|other| plan.agent(*other).is_ok());
    let hint = match other {
        Some(other) => format!(
            "it holds the agent for {} only, which does nothing here",
            other.title()
        ),
        None => "give the whole package, not the `.binpkg` alone".into(),
    };
    Error::new(Kind::PackageUnsupported, text)
        .in_phase(Phase::Resolve)
        .hint(hint)
}

const fn transport(is_uart: bool) -> Transport {
    match is_uart {
        true => Transport::Uart,
        false => Transport::Usb,
    }
}

/// What does not depend on the module.
fn options(request: &Request) -> Options {
    Options {
        agent_baud: request.flash_baud,
        pacing: request.pacing.map(|(bytes, pause)| Pacing { bytes, pause }),
        after: match request.after {
            After::Reset => eigencomm::After::Reset,
            After::Stay => eigencomm::After::Stay,
        },
        verify: request.verify,
        ..Options::default()
    }
}

impl Keeper for Keep {
    fn keep(&mut self, rf: &[u8]) -> Result<(), String> {
        self.file("rf", rf)
    }
}

/// Carries the job out.
pub(super) fn run(
    wire: &mut dyn Wire,
    plan: &Plan,
    context: &mut Context<'_>,
) -> Result<Achieved, Box<Failure>> {
    let options = Options {
        transport: transport(matches!(context.carrier, Carrier::Uart | Carrier::Network)),
        ..options(context.request)
    };
    if context.job == Job::ReadRf {
        let rf = eigencomm::read_rf(wire, plan, &options)?;
        Keeper::keep(&mut context.keep, &rf).map_err(unkept)?;
        return Ok(Achieved {
            rf: Some(described(&rf, context.request)),
            ..Achieved::new(0, Written::HelpersOnly)
        });
    }
    let report = eigencomm::write(wire, plan, &options, &mut context.keep)?;
    Ok(Achieved {
        proof: Some(report.proof.into()),
        ..Achieved::new(report.bytes, report.written)
    })
}

fn described(rf: &[u8], request: &Request) -> RfData {
    let parts = eigencomm::rf_parts(rf).into_iter().map(|part| RfPart {
        name: part.name,
        address: part.address,
        size: part.bytes.len(),
        blank: part.is_blank(),
    });
    let backup = request.rf_backup.as_ref();
    RfData {
        sha256: sha256(rf),
        parts: parts.collect(),
        compared_with: backup.map(|backup| backup.name.clone()),
        differs: backup.map_or(Vec::new(), |backup| eigencomm::rf_differences(rf, &backup.bytes)),
    }
}

fn unkept(why: String) -> Box<Failure> {
    Box::new(Failure {
        phase: Phase::Verify,
        doing: "keeping the module's RF data".into(),
        cause: Cause::NotKept(why),
        written: Written::HelpersOnly,
        log: Vec::new(),
    })
}
