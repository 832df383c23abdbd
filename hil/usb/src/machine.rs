//! The machine whose kernel has the drivers: commands are run on it, files put there.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Folder of the machine in which commands run and packages lie.
pub const WORK: &str = "/work";
/// Interval at which a running command is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// A command to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// The program and its arguments.
    pub arguments: Vec<String>,
    /// Variables it has beside this program's.
    pub environment: BTreeMap<String, String>,
    /// User and group it runs as; none: root.
    pub user: Option<(u32, u32)>,
    /// It is killed after that time.
    pub within: Duration,
}

/// How a command ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ended {
    /// None when a signal ended it, as when its time was up.
    pub code: Option<i32>,
    /// What it said.
    pub stdout: String,
    /// What it said about itself.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

/// What scenarios need of a machine. Several calls can be in work at once.
pub trait Machine: Sync {
    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it cannot be started, or the machine does not answer.
    fn call(&self, call: &Call) -> io::Result<Ended>;

    /// Writes a file.
    ///
    /// # Errors
    /// The operating system's.
    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()>;
}

/// This machine.
#[derive(Debug, Clone, Copy)]
pub struct Here;

impl Machine for Here {
    fn call(&self, call: &Call) -> io::Result<Ended> {
        let [program, arguments @ ..] = &call.arguments[..] else {
            return Err(io::Error::other("an empty command"));
        };
        let began = Instant::now();
        let mut command = Command::new(program);
        command.args(arguments).envs(&call.environment).current_dir(WORK);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some((user, group)) = call.user {
            // As root, this also drops every other group.
            command.uid(user).gid(group);
        }
        let mut child = command.spawn()?;
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let code = wait(&mut child, began + call.within)?;
        Ok(Ended {
            code,
            stdout: stdout.join().unwrap_or_default(),
            stderr: stderr.join().unwrap_or_default(),
            took: began.elapsed(),
        })
    }

    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        fs::write(path, bytes)
    }
}

fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<i32>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        sleep(GLANCE);
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
