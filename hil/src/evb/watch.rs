//! What can be seen of the module from outside: whether it is listed, in which mode, and what it says it is.

use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::play::{BOOTS_WITHIN, Play, START_WITHIN};
use super::{Judged, Stop};

const GLANCE: Duration = Duration::from_millis(100);

impl Play<'_> {
    /// What the module says it is, as soon as it says so.
    pub fn ask_identity(&self) -> Judged<Value> {
        let target = self.target();
        let words: Vec<&str> = ["identify"]
            .into_iter()
            .chain(target.iter().map(String::as_str))
            .collect();
        let deadline = Instant::now() + START_WITHIN.mul_f64(self.bench.tool.scale());
        loop {
            let mut ended = self.bench.tool.ask(&words)?;
            if ended.code == Some(0) {
                return Ok(ended.said["identity"].take());
            }
            if Instant::now() > deadline {
                let why = ended.said["error"]["message"].as_str().unwrap_or_default();
                return Err(Stop::Failed(format!("the module does not say what it is: {why}")));
            }
            self.pause()?;
        }
    }

    /// Whether the module runs firmware of its own label.
    pub fn runs_its_own(&self) -> Judged<bool> {
        let own = self.bench.label.first_part();
        Ok(self.is_seen("run", BOOTS_WITHIN)? && self.ask_identity()?["ordering_code"] == own)
    }

    /// Whether `qpyflash list` shows the module in that mode, with a port, before `within` has passed.
    pub fn is_seen(&self, mode: &str, within: Duration) -> Judged<bool> {
        self.wait(within, || Ok(self.mode()?.as_deref() == Some(mode)))
    }

    /// The mode in which the module is listed; none when it is not.
    pub fn mode(&self) -> Judged<Option<String>> {
        let listed = self.bench.tool.ask(&["list"])?.said;
        let modules = listed["modules"].as_array().cloned().unwrap_or_default();
        let ours = modules.iter().find(|module| {
            let has_port = module["ports"].as_array().is_some_and(|ports| !ports.is_empty());
            module["topology"].as_str() == self.bench.path.as_deref() && has_port
        });
        Ok(ours.and_then(|module| module["mode"].as_str()).map(str::to_owned))
    }

    pub fn wait(&self, within: Duration, mut look: impl FnMut() -> Judged<bool>) -> Judged<bool> {
        let deadline = Instant::now() + within.mul_f64(self.bench.tool.scale());
        loop {
            match (look()?, Instant::now() > deadline) {
                (true, _) => return Ok(true),
                (false, true) => return Ok(false),
                (false, false) => self.pause()?,
            }
        }
    }

    fn pause(&self) -> Judged {
        if self.bench.tool.interrupted.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        sleep(GLANCE);
        Ok(())
    }
}
