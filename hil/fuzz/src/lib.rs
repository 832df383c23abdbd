//! What must hold for any input: an entry for each parser, decoder and session.
//!
//! An entry takes bytes, and panics when something does not hold. The same entries are fuzzed with coverage
//! (`fuzz/`, `cargo fuzz`) and, on any stable compiler, tried with the kept inputs and changes of them
//! (`tests/smoke.rs`).
//!
//! | entry | what must hold |
//! |---|---|
//! | `asr_smux`, `unisoc_hdlc`, `eigencomm_frames` | any cut of the stream gives the same frames; what is encoded has its length, and is decoded |
//! | `asr_download_json`, `asr_script` | a plan or a refusal, in bounded memory |
//! | `asr_tables`, `asr_fip` | no panic; every partition lies inside the flash |
//! | `asr_sparse` | expands to the size it states; cut into segments, it comes back the same |
//! | `unisoc_pac`, `unisoc_xml` | a plan that stays inside the flash and writes the boot area last, or a refusal |
//! | `unisoc_nv` | a merge changes nothing but what is kept |
//! | `eigencomm_binpkg` | read or refused; what is read lies inside the file |
//! | `eigencomm_plan` | a plan erases nothing twice, and no calibration data |
//! | `asr_session`, `asr_ethos`, `unisoc_session`, `eigencomm_session` | the session ends, sends a bounded amount, and states exactly what it has changed |
//! | `identity` | the questions end, are bounded, and an ordering code is one that the module has said |
//! | `names` | names, ordering codes and revisions are read or refused, and read again from what they print |
//! | `package` | a file or an archive is a package or an error of a package; nothing is unpacked outside of its folder |
//! | `describe` | no bytes of either side make a describer fail, or its words long |
//! | `recording` | read or refused; written, it is read the same; masked and said again, it ends |
//! | `capture` | a recording that can be read, or an error |
//! | `telnet` | however a server cuts its words, the client hears, answers and refuses the same, in bounded memory |
//! | `station` | `fixture.toml` and scanned labels are read or refused as usage |
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "what does not hold must end the process"
)]

mod asr;
mod eigencomm;
mod host;
mod pipe;
mod unisoc;

use arbitrary::{Arbitrary, Unstructured};

/// A name, and what takes the input.
pub type Entry = (&'static str, fn(&[u8]));

/// All of them.
pub const ENTRIES: [Entry; 25] = [
    ("asr_download_json", asr::download_json::run),
    ("asr_ethos", asr::ethos::run),
    ("asr_fip", asr::fip::run),
    ("asr_script", asr::script::run),
    ("asr_session", asr::session::run),
    ("asr_smux", asr::smux::run),
    ("asr_sparse", asr::sparse::run),
    ("asr_tables", asr::tables::run),
    ("capture", host::capture::run),
    ("describe", host::describe::run),
    ("eigencomm_binpkg", eigencomm::binpkg::run),
    ("eigencomm_frames", eigencomm::frames::run),
    ("eigencomm_plan", eigencomm::plan::run),
    ("eigencomm_session", eigencomm::session::run),
    ("identity", host::identity::run),
    ("names", host::names::run),
    ("package", host::package::run),
    ("recording", host::recording::run),
    ("station", host::station::run),
    ("telnet", host::telnet::run),
    ("unisoc_hdlc", unisoc::hdlc::run),
    ("unisoc_nv", unisoc::nv::run),
    ("unisoc_pac", unisoc::pac::run),
    ("unisoc_session", unisoc::session::run),
    ("unisoc_xml", unisoc::xml::run),
];

/// Gives `bytes` to the entry of that name.
///
/// # Panics
/// When there is none, and when something does not hold.
pub fn run(name: &str, bytes: &[u8]) {
    let entry = ENTRIES.iter().find(|(known, _)| *known == name);
    entry.expect("a name of an entry").1(bytes);
}

/// An input with a structure, made of bytes; nothing where they do not suffice.
fn read<'b, T: Arbitrary<'b>>(bytes: &'b [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(bytes)).ok()
}
