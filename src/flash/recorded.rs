//! What a session is given beside its package, in a form that a recording keeps; and the session said again.

use std::time::Duration;

use qpyflash_protocols::Failure;
use serde::{Deserialize, Serialize};

use super::session::{Context, Keep, carry_out};
use super::{After, Carrier, Job, NvBackup, Request};
use crate::firmware::{Package, sha256};
use crate::trace::Replay;
use crate::trace::record::Event;

/// Everything that decides what a session says, beside the package and the module's answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionOptions {
    /// SHA-256 of the package's file, lower-case hex.
    pub package: String,
    /// What was to be done.
    pub job: Job,
    /// What carried the bytes.
    pub carrier: Carrier,
    /// The package's production groups were run too.
    pub production: bool,
    /// What was to become of the module.
    pub after: After,
    /// What was written was read back.
    pub verify: bool,
    /// Line speed for writing.
    pub flash_baud: Option<u32>,
    /// Bytes of one frame.
    pub frame: Option<u16>,
    /// Bytes of one write, and the pause between two in seconds.
    pub pacing: Option<(usize, f64)>,
    /// The IMEI that the module had in run mode.
    pub imei: Option<String>,
    /// The IMEI on the label.
    pub label_imei: Option<String>,
    /// The package could fill NV items that the module lacked.
    pub fill_missing_nv: bool,
    /// SHA-256 of the NV backup that was at hand.
    pub nv_backup: Option<String>,
}

impl SessionOptions {
    /// Of a run.
    pub(super) fn of(package: &Package, production: bool, context: &Context<'_>) -> Self {
        let request = context.request;
        SessionOptions {
            package: package.sha256().to_owned(),
            job: context.job,
            carrier: context.carrier,
            production,
            after: request.after,
            verify: request.verify,
            flash_baud: request.flash_baud,
            frame: request.frame,
            pacing: request.pacing.map(|(bytes, pause)| (bytes, pause.as_secs_f64())),
            imei: context.imei.clone(),
            label_imei: request.label_imei.clone(),
            fill_missing_nv: request.fill_missing_nv,
            nv_backup: request.nv_backup.as_ref().map(|backup| sha256(&backup.area)),
        }
    }

    /// A plain write over USB: what is assumed of a tool that is not ours.
    pub fn of_another_tool(package: &Package) -> Self {
        let request = Request::new("");
        let context = Context {
            request: &request,
            job: Job::Write,
            imei: None,
            carrier: Carrier::Usb,
            keep: Keep::nowhere(),
        };
        SessionOptions::of(package, false, &context)
    }

    /// As a recording keeps it.
    pub(super) fn event(&self) -> Event {
        Event::Session {
            options: serde_json::to_value(self).unwrap_or_default(),
        }
    }

    fn request(&self, nv_backup: Option<NvBackup>) -> Request {
        Request {
            after: self.after,
            verify: self.verify,
            flash_baud: self.flash_baud,
            frame: self.frame,
            pacing: self
                .pacing
                .map(|(bytes, pause)| (bytes, Duration::try_from_secs_f64(pause).unwrap_or_default())),
            label_imei: self.label_imei.clone(),
            fill_missing_nv: self.fill_missing_nv,
            nv_backup,
            ..Request::new("")
        }
    }
}

/// Runs the session once more, against a recording: no permit is needed, since there is no module. What it would
/// keep of one is kept nowhere.
///
/// # Errors
/// The session's own [`Failure`].
pub(crate) fn say_again(
    wire: &mut Replay<'_>,
    package: &Package,
    options: &SessionOptions,
    nv_backup: Option<NvBackup>,
) -> Result<(), Box<Failure>> {
    let request = options.request(nv_backup);
    let mut context = Context {
        request: &request,
        job: options.job,
        imei: options.imei.clone(),
        carrier: options.carrier,
        keep: Keep::nowhere(),
    };
    carry_out(wire, package, options.production, &mut context).map(drop)
}
