//! A machine at the other end of a serial line: an agent there runs commands and takes files.
//!
//! Each message is one line of JSON, which the bytes of a file follow.
//! ```text
//! {"id":1,"order":{"put":{"path":"/work/a.zip","bytes":3}}}   + 3 bytes   →   {"id":1,"done":null}
//! {"id":2,"order":{"call":{…}}}                                           →   {"id":2,"ended":{…}}
//! ```

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::machine::{Call, Ended, Here, Machine};

/// How long the other side may take beyond the time that a command has.
const MARGIN: Duration = Duration::from_secs(20);
/// How long a machine may take to boot, on a host that is busy with other things.
const BOOTS_WITHIN: Duration = Duration::from_secs(120);
/// The name of the answer with which an agent begins.
const READY: u64 = 0;
/// How long a port may take to appear.
const APPEARS_WITHIN: Duration = Duration::from_secs(20);
/// Interval between two tries.
const GLANCE: Duration = Duration::from_millis(20);

#[derive(Debug, Serialize, Deserialize)]
struct Message {
    id: u64,
    order: Order,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Call(Call),
    Put { path: String, bytes: usize },
    End,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    id: u64,
    #[serde(flatten)]
    result: Answered,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answered {
    Done(()),
    Ended(Ended),
    Failed(String),
}

/// Obeys the orders that come over `port` until one says that it is the end.
///
/// # Errors
/// The operating system's, and what makes no sense.
pub fn obey(port: &Path) -> io::Result<()> {
    let began = Instant::now();
    let file = loop {
        match File::options().read(true).write(true).open(port) {
            Ok(file) => break file,
            Err(error) if began.elapsed() > APPEARS_WITHIN => return Err(error),
            Err(_) => sleep(GLANCE),
        }
    };
    let out = Arc::new(Mutex::new(file.try_clone()?));
    let result = Answered::Done(());
    answer(&out, &Answer { id: READY, result })?;
    let mut orders = BufReader::new(Patient(file));
    let mut line = String::new();
    loop {
        line.clear();
        orders.read_line(&mut line)?;
        let Message { id, order } = serde_json::from_str(&line)?;
        match order {
            Order::End => return Ok(()),
            Order::Put { path, bytes } => {
                let mut content = vec![0; bytes];
                orders.read_exact(&mut content)?;
                let result = match Here.put(&path, &content) {
                    Ok(()) => Answered::Done(()),
                    Err(error) => Answered::Failed(error.to_string()),
                };
                answer(&out, &Answer { id, result })?;
            }
            Order::Call(call) => {
                let out = Arc::clone(&out);
                std::thread::spawn(move || {
                    let result = match Here.call(&call) {
                        Ok(ended) => Answered::Ended(ended),
                        Err(error) => Answered::Failed(error.to_string()),
                    };
                    if let Err(error) = answer(&out, &Answer { id, result }) {
                        log::warn!("an answer is lost: {error}");
                    }
                });
            }
        }
    }
}

fn answer(out: &Mutex<File>, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    lock(out).write_all(&line)
}

/// A port that says "end of file" while nobody has opened its other end.
struct Patient(File);

impl Read for Patient {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(into) {
                Ok(0) => sleep(GLANCE),
                other => return other,
            }
        }
    }
}

/// The machine that an agent serves.
pub struct Remote {
    out: Mutex<UnixStream>,
    waiting: Arc<Mutex<HashMap<u64, Sender<Answered>>>>,
    next: AtomicU64,
}

impl Remote {
    /// Connects to the socket of the serial line, and waits until the agent is ready.
    ///
    /// # Errors
    /// The operating system's, and that the machine does not boot in time.
    pub fn connect(socket: &Path) -> io::Result<Self> {
        let began = Instant::now();
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) if began.elapsed() > APPEARS_WITHIN => return Err(error),
                Err(_) => sleep(GLANCE),
            }
        };
        let (ready, is_ready) = channel();
        let waiting = Arc::new(Mutex::new(HashMap::from([(READY, ready)])));
        let (answers, waiters) = (BufReader::new(stream.try_clone()?), Arc::clone(&waiting));
        std::thread::spawn(move || {
            for line in answers.lines().map_while(Result::ok) {
                match serde_json::from_str(&line) {
                    Ok(Answer { id, result }) => {
                        if let Some(waiter) = lock(&waiters).remove(&id) {
                            let _ = waiter.send(result);
                        }
                    }
                    Err(error) => log::warn!("the machine answers `{line}`: {error}"),
                }
            }
            // Nobody waits for a machine that is gone.
            lock(&waiters).clear();
        });
        is_ready
            .recv_timeout(BOOTS_WITHIN)
            .map_err(|_| io::Error::new(ErrorKind::TimedOut, "the machine does not boot"))?;
        Ok(Remote {
            out: Mutex::new(stream),
            waiting,
            next: AtomicU64::new(1),
        })
    }

    /// Lets the agent end.
    ///
    /// # Errors
    /// The operating system's.
    pub fn end(&self) -> io::Result<()> {
        self.send(
            &Message {
                id: 0,
                order: Order::End,
            },
            &[],
        )
    }

    fn ask(&self, order: Order, content: &[u8], within: Duration) -> io::Result<Answered> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = channel();
        lock(&self.waiting).insert(id, sender);
        self.send(&Message { id, order }, content)?;
        receiver
            .recv_timeout(within + MARGIN)
            .map_err(|_| io::Error::new(ErrorKind::TimedOut, "the machine does not answer"))
    }

    fn send(&self, message: &Message, content: &[u8]) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(message)?;
        bytes.push(b'\n');
        bytes.extend(content);
        lock(&self.out).write_all(&bytes)
    }
}

impl Machine for Remote {
    fn call(&self, call: &Call) -> io::Result<Ended> {
        match self.ask(Order::Call(call.clone()), &[], call.within)? {
            Answered::Ended(ended) => Ok(ended),
            Answered::Failed(why) => Err(io::Error::other(why)),
            Answered::Done(()) => Err(io::Error::other("the machine has not run the command")),
        }
    }

    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let order = Order::Put {
            path: path.to_owned(),
            bytes: bytes.len(),
        };
        match self.ask(order, bytes, Duration::ZERO)? {
            Answered::Failed(why) => Err(io::Error::other(why)),
            _ => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
