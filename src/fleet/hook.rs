//! Commands that a station runs before and after a module, and the whole run: a JSON document on stdin, and a time
//! limit. What is in the documents: [`config`](super::config).

use std::io::Write;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::config::Config;
use crate::error::{Error, Kind};

/// Time between two looks at a command that runs.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// When a hook runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Start,
    Before,
    After,
    End,
}

/// Runs the station's hook for `when`, if it has one. `document` says what only this hook knows.
///
/// # Errors
/// [`Kind::HookFailed`].
pub(super) fn run(config: &Config, when: When, mut document: Value) -> Result<(), Error> {
    let hooks = &config.hooks;
    let (name, command) = match when {
        When::Start => ("start", &hooks.start),
        When::Before => ("before", &hooks.before),
        When::After => ("after", &hooks.after),
        When::End => ("end", &hooks.end),
    };
    let Some(command) = command else { return Ok(()) };
    document["schema"] = json!(crate::event::SCHEMA);
    document["hook"] = json!(name);
    document["line"] = json!(config.line);
    document["station"] = json!(config.station);
    execute(command, &document, config.limits.hook())
        .map_err(|why| Error::new(Kind::HookFailed, format!("hook `{name}`: {why}")))
}

/// Runs a command and gives it `document`. One that takes longer than `within` is killed.
///
/// # Errors
/// Why it counts as failed, in words.
fn execute(command: &[String], document: &Value, within: Duration) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else {
        return Err("no program is named".into());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|why| format!("`{program}` cannot be started: {why}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let text = document.to_string();
        // A command need not read what it is given; one that does not must not hold the slot up.
        std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    }
    match wait(&mut child, within) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(format!("`{program}` failed: {status}")),
        Ok(None) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(format!(
                "`{program}` was still running after {} s",
                within.as_secs_f64()
            ))
        }
        Err(why) => Err(format!("`{program}`: {why}")),
    }
}

fn wait(child: &mut Child, within: Duration) -> std::io::Result<Option<ExitStatus>> {
    let until = Instant::now() + within;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str, within: Duration) -> Result<(), String> {
        let command = ["sh", "-c", script].map(str::to_owned);
        execute(&command, &json!({ "slot": "A" }), within)
    }

    #[test]
    fn a_command_gets_the_document_and_its_status_counts() {
        let patient = Duration::from_secs(10);
        assert_eq!(sh("grep -q '\"slot\":\"A\"'", patient), Ok(()));
        assert!(sh("exit 3", patient).unwrap_err().contains("failed"));
        assert!(execute(&["/no/such/program".into()], &Value::Null, patient).is_err());
    }

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        let why = sh("exec sleep 600", Duration::from_millis(50)).unwrap_err();
        assert!(why.contains("still running"), "{why}");
    }
}
