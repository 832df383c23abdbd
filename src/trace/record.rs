//! The file format of a recording: a header, then one JSON object a line, in the order in which things happened.
//!
//! ```json
//! {"schema":2,"kind":"qpyflash-trace","version":"0.1.0","timeout_scale":1.0}
//! {"t":0.41,"event":"package","file":"fw.zip","sha256":"…","platform":"asr"}
//! {"t":0.42,"line":0,"phase":"identify","event":"opened","port":"/dev/ttyUSB1","baud":115200,"talk":"ask-at"}
//! {"t":0.72,"line":0,"phase":"identify","event":"silence","within":0.3}
//! {"t":0.73,"line":0,"phase":"identify","direction":"to-module","hex":"41540d0a","meaning":"AT"}
//! {"t":0.74,"line":0,"phase":"identify","direction":"from-module","hex":"0d0a4f4b0d0a","meaning":"OK"}
//! {"t":2.02,"line":0,"phase":"identify","event":"closed"}
//! ```
//!
//! `t` is in seconds since the recording began. A `line` is one opening of one port; several may be open at once.

use std::time::Duration;

use qpyflash_protocols::describe::Side;
use qpyflash_protocols::{Phase, Platform, WireError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of the format. A reader takes no other.
pub const SCHEMA: u32 = 2;
/// What a header calls the file.
pub const KIND: &str = "qpyflash-trace";
/// The talk of a line on which the platform's own protocol is spoken.
pub const SESSION: &str = "session";
/// A wait shorter than this is a look at what has already arrived, and its silence says nothing.
pub const POLL: Duration = Duration::from_millis(1);

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: u32,
    /// [`KIND`].
    pub kind: String,
    /// The version of the program that wrote it.
    pub version: String,
    /// How many times longer than usual every wait was.
    #[serde(default = "one")]
    pub timeout_scale: f64,
    /// Where the bytes come from, if not from a run of our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<CaptureOrigin>,
}

/// The part of a USB capture that a recording was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureOrigin {
    /// Name of the capture.
    pub file: String,
    /// Bus and device number: `1.5`.
    pub device: String,
    /// `2ecc:3001`, when the capture holds the device's descriptor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usb_id: Option<String>,
    /// bEndpointAddress towards the module.
    pub out_endpoint: u8,
    /// bEndpointAddress from the module.
    pub in_endpoint: u8,
}

const fn one() -> f64 {
    1.0
}

impl Header {
    /// The header of a recording that begins now.
    pub fn new(timeout_scale: f64) -> Self {
        Header {
            schema: SCHEMA,
            kind: KIND.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            timeout_scale,
            capture: None,
        }
    }
}

/// Every further line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Seconds since the recording began.
    pub t: f64,
    /// Which opening of a port it belongs to; none where it belongs to no port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The phase of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum What {
    /// Bytes went over the line.
    Bytes(Bytes),
    /// Anything else that matters to who says it again.
    Event(Event),
}

/// Bytes that went over a line at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Who spoke.
    pub direction: Direction,
    /// They had already arrived when somebody looked for them; otherwise they were waited for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub polled: bool,
    /// The bytes.
    #[serde(rename = "hex", serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub bytes: Vec<u8>,
    /// The frames that end in them, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
}

/// Who spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// We did.
    ToModule,
    /// The module did.
    FromModule,
}

impl Direction {
    /// `>` for us, `<` for the module.
    pub const fn arrow(self) -> char {
        match self {
            Direction::ToModule => '>',
            Direction::FromModule => '<',
        }
    }

    /// The same for who describes bytes.
    pub const fn side(self) -> Side {
        match self {
            Direction::ToModule => Side::Host,
            Direction::FromModule => Side::Module,
        }
    }
}

/// What else happens in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A package is to be written, or gives its loaders.
    Package {
        /// Its file.
        file: String,
        /// SHA-256 of the file, lower-case hex.
        sha256: String,
        /// What it is for.
        platform: Platform,
    },
    /// A module has come, in this mode, with these ports.
    Attached {
        /// Where it sits.
        topology: String,
        /// `2c7c:6001`.
        usb_id: String,
        /// `run mode` or `download mode`.
        mode: String,
        /// Its ports: bInterfaceNumber and node.
        ports: Vec<(u8, String)>,
    },
    /// A port was opened.
    Opened {
        /// Which: `/dev/ttyUSB1`, `usb:1-4.2#if2`.
        port: String,
        /// Line speed.
        baud: u32,
        /// What is said on it: [`SESSION`], or the name of a dialogue with a module in run mode.
        talk: String,
        /// Whose protocol, for a session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        platform: Option<Platform>,
    },
    /// What the session on this line was given beside the package.
    Session {
        /// In the form of `flash::SessionOptions`.
        options: serde_json::Value,
    },
    /// The line speed was changed.
    Baud {
        /// To this.
        baud: u32,
    },
    /// A wait ended in silence. Looks at what has already arrived are not told.
    Silence {
        /// How long it was, in seconds of the session's clock.
        within: f64,
    },
    /// The line failed.
    Failed {
        /// In which call.
        during: Call,
        /// How.
        #[serde(flatten)]
        fault: Fault,
    },
    /// The port was closed.
    Closed,
}

/// The calls that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// Sending.
    Send,
    /// Waiting for bytes.
    Receive,
    /// Looking for bytes that have already arrived.
    Poll,
    /// Changing the line speed.
    Baud,
    /// Letting time pass.
    Pause,
}

/// A [`WireError`], as it is written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// The port has disappeared.
    Gone,
    /// The module took no more bytes.
    Stalled {
        /// For so many seconds.
        waited: f64,
    },
    /// The run was stopped.
    Cancelled,
    /// In the operating system's words.
    Failed {
        /// The words.
        why: String,
    },
}

impl From<&WireError> for Fault {
    fn from(error: &WireError) -> Self {
        match error {
            WireError::Gone => Fault::Gone,
            WireError::Stalled { waited } => Fault::Stalled {
                waited: waited.as_secs_f64(),
            },
            WireError::Cancelled => Fault::Cancelled,
            WireError::Failed(why) => Fault::Failed { why: why.clone() },
        }
    }
}

impl From<&Fault> for WireError {
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::Gone => WireError::Gone,
            Fault::Stalled { waited } => WireError::Stalled {
                waited: Duration::try_from_secs_f64(*waited).unwrap_or_default(),
            },
            Fault::Cancelled => WireError::Cancelled,
            Fault::Failed { why } => WireError::Failed(why.clone()),
        }
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn to_hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    serializer.serialize_str(&text)
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    use serde::de::Error;
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let (pairs, rest) = text.as_bytes().as_chunks();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
        .collect();
    bytes
        .filter(|_| rest.is_empty())
        .ok_or_else(|| D::Error::custom("`hex` is no hexadecimal text"))
}
