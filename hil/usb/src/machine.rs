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
        let (code, hangs_in) = wait(&mut child, began + call.within)?;
        Ok(Ended {
            code,
            stdout: stdout.join().unwrap_or_default(),
            stderr: stderr.join().unwrap_or_default() + &hangs_in,
            took: began.elapsed(),
        })
    }

    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        fs::write(path, bytes)
    }
}

/// The exit code; or, when its time is up, none, and where its threads hang.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<(Option<i32>, String)> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status.code(), String::new()));
        }
        if Instant::now() >= deadline {
            let hangs_in = stacks(child.id());
            child.kill()?;
            child.wait()?;
            return Ok((None, hangs_in));
        }
        sleep(GLANCE);
    }
}

/// The kernel's stack of each thread of a process, as far as the kernel tells.
fn stacks(process: u32) -> String {
    let mut text = String::new();
    let threads = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten();
    for thread in threads.flatten() {
        for file in ["comm", "syscall", "stack"] {
            let told = fs::read_to_string(thread.path().join(file));
            text += &format!("{file}: {}\n", told.unwrap_or_else(|why| why.to_string()).trim());
        }
    }
    let files = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten();
    for file in files.flatten().filter_map(|file| fs::read_link(file.path()).ok()) {
        text += &format!("open: {}\n", file.display());
    }
    text
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
