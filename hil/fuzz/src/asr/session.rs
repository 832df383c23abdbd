//! A session against a module that does what it likes, in the right way or any other: the session always ends, sends a
//! bounded amount, and never says more or less than what it has changed.

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Arbitrary;
use qpyflash_protocols::Written;
use qpyflash_protocols::asr::{Options, Plan, write};

use super::package::helper;
use crate::pipe::{Peer, Pipe};
use crate::read;

/// What the module does after the host has spoken.
#[derive(Arbitrary, Debug)]
enum Turn<'f> {
    /// What a module should.
    Answer,
    /// Anything in a frame of the command layer.
    Say(&'f str),
    /// Anything.
    Noise(&'f [u8]),
    /// As it should, and more.
    AnswerAnd(&'f [u8]),
    /// Nothing.
    Silence,
    /// It leaves the bus.
    Vanish,
}

struct Module<'f> {
    turns: std::vec::IntoIter<Turn<'f>>,
    /// Whether the module shows signs of life for ever.
    heart: bool,
    /// Whether a byte of a download was heard.
    loaded: bool,
    /// The commands heard.
    commands: Vec<Vec<u8>>,
}

impl Module<'_> {
    /// What a module answers to these bytes of the host.
    fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        let command = bytes
            .strip_prefix(b"~\x7d#")
            .and_then(|rest| rest.strip_suffix(b"~"));
        match (bytes, command) {
            (b"UUUU~" | b"~UABT~", _) => b"~UABT~".to_vec(),
            (_, Some(text)) => match text.strip_prefix(b"download:") {
                Some(size) => [b"~\x7d#DATA", size, b"~"].concat(),
                None if text == b"getvar:max-download-size" => b"~\x7d#OKAY\t 0x8000~".to_vec(),
                None => b"~\x7d#OKAY~".to_vec(),
            },
            _ if bytes.starts_with(b"~\x7d!") => b"~\x7d\"\x04\x00~".to_vec(),
            _ => b"~\x7d#OKAY~".to_vec(),
        }
    }

    fn has_heard(&self, command: &[u8]) -> bool {
        self.commands.iter().any(|heard| heard.starts_with(command))
    }
}

impl Peer for Module<'_> {
    // No session has a reason to last longer: its commands are fewer than twenty, of at most 15 minutes each.
    const LONGEST: Duration = Duration::from_secs(5 * 3600);
    // The preamble for ten seconds, or the image with every byte stuffed.
    const MOST_SENT: usize = 1 << 16;

    fn hear(&mut self, bytes: &[u8], words: &mut Vec<u8>) -> bool {
        self.loaded |= bytes.starts_with(b"~\x7d$");
        if let Some(command) = bytes.strip_prefix(b"~\x7d#") {
            self.commands.push(command.to_vec());
        }
        let answer = self.answer(bytes);
        match self.turns.next().unwrap_or(Turn::Answer) {
            Turn::Answer => words.extend(answer),
            Turn::Say(text) => words.extend([b"~\x7d#", text.as_bytes(), b"~"].concat()),
            Turn::Noise(noise) => words.extend(noise),
            Turn::AnswerAnd(noise) => words.extend([&answer, noise].concat()),
            Turn::Silence => {}
            Turn::Vanish => return false,
        }
        true
    }

    fn sign_of_life(&self) -> Option<(Duration, &'static [u8])> {
        self.heart.then_some((Duration::from_secs(5), b"~\x7d\x25H~"))
    }
}

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let json = br#"[{"command":"call","image":"helper"},{"command":"erase","partition":"a"},
        {"command":"flash","image":"image","partition":"b"}]"#;
    let image: Vec<u8> = (0..9000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let mut member = |name: &str| Some(if name == "helper" { helper() } else { image.clone() }.into());
    Plan::from_download_json(json, &mut member).expect("a good package")
});

/// One input.
pub fn run(bytes: &[u8]) {
    let Some(input) = read::<(bool, Vec<Turn>)>(bytes) else {
        return;
    };
    let (heart, turns) = input;
    let mut module = Pipe::to(Module {
        turns: turns.into_iter(),
        heart,
        loaded: false,
        commands: Vec::new(),
    });
    let written = match write(&mut module, &PLAN, &Options::default()) {
        Ok(report) => report.written,
        Err(failure) => failure.written,
    };
    let changes = module.peer.has_heard(b"erase:a~") || module.peer.has_heard(b"flash:b~");
    let done = module.peer.has_heard(b"flash:b~") && module.peer.has_heard(b"complete~");
    match written {
        Written::Nothing => assert!(!module.peer.loaded && !changes),
        Written::HelpersOnly => assert!(module.peer.loaded && !changes),
        Written::Partial { .. } => assert!(changes),
        Written::Complete => assert!(done),
    }
}
