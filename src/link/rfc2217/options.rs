//! Which Telnet options both sides have agreed to. Source: RFC 854, 855, 856, 858, 2217.

use super::client::Unfit;
use super::com_port;
use super::telnet::{self, Verb};

/// TRANSMIT-BINARY: all bytes are data as they are. Source: RFC 856.
const BINARY: u8 = 0;
/// SUPPRESS-GO-AHEAD: both sides may talk at any time. Source: RFC 858.
const SUPPRESS_GO_AHEAD: u8 = 3;

/// How far the talk about one option has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agreement {
    /// We have offered it, or asked for it.
    Asked,
    /// It is in use.
    Agreed,
    /// The server has said no.
    Refused,
}

/// An option of one side.
#[derive(Debug)]
struct Wish {
    option: u8,
    /// It is about what we do; otherwise about what the server does.
    is_ours: bool,
    agreement: Agreement,
}

impl Wish {
    const fn verbs(&self) -> (Verb, Verb) {
        match self.is_ours {
            true => (Verb::Will, Verb::Wont),
            false => (Verb::Do, Verb::Dont),
        }
    }
}

/// The state of every option that we want; the others we refuse, ECHO (RFC 857) among them.
#[derive(Debug)]
pub(super) struct Options {
    wishes: Vec<Wish>,
    heard: bool,
}

impl Options {
    /// Offers and asks for everything at once.
    pub fn begin(out: &mut Vec<u8>) -> Self {
        let wishes = [
            (BINARY, true),
            (BINARY, false),
            (SUPPRESS_GO_AHEAD, true),
            (SUPPRESS_GO_AHEAD, false),
            (com_port::OPTION, true),
        ];
        let wishes = wishes.map(|(option, is_ours)| Wish {
            option,
            is_ours,
            agreement: Agreement::Asked,
        });
        for wish in &wishes {
            telnet::option(wish.verbs().0, wish.option, out);
        }
        Options {
            wishes: wishes.into(),
            heard: false,
        }
    }

    /// Takes the server's word about an option; answers only what is no answer itself, so that two sides never
    /// answer each other for ever.
    pub fn hear(&mut self, verb: Verb, option: u8, out: &mut Vec<u8>) {
        self.heard = true;
        let about_us = matches!(verb, Verb::Do | Verb::Dont);
        let is_yes = matches!(verb, Verb::Do | Verb::Will);
        let wish = self
            .wishes
            .iter_mut()
            .find(|wish| wish.option == option && wish.is_ours == about_us);
        let Some(wish) = wish else {
            match verb {
                Verb::Do => telnet::option(Verb::Wont, option, out),
                Verb::Will => telnet::option(Verb::Dont, option, out),
                Verb::Dont | Verb::Wont => {}
            }
            return;
        };
        let (yes, no) = wish.verbs();
        match (wish.agreement, is_yes) {
            (Agreement::Refused, true) => telnet::option(yes, option, out),
            (Agreement::Agreed, false) => telnet::option(no, option, out),
            _ => {}
        }
        wish.agreement = if is_yes {
            Agreement::Agreed
        } else {
            Agreement::Refused
        };
    }

    /// Every option that is needed is in use: going ahead at any time is what every server does, said or not.
    pub fn is_agreed(&self) -> bool {
        self.needed().all(|wish| wish.agreement == Agreement::Agreed)
    }

    /// What is needed and refused. A server that refuses everything is none of serial ports, whatever it refuses
    /// first, so nothing is said before it has answered that.
    pub fn unfit(&self) -> Option<Unfit> {
        let of = |option| self.needed().filter(move |wish| wish.option == option);
        let is_refused = |option| of(option).any(|wish| wish.agreement == Agreement::Refused);
        let is_open = of(com_port::OPTION).any(|wish| wish.agreement == Agreement::Asked);
        match (is_refused(com_port::OPTION), is_refused(BINARY)) {
            (true, _) => Some(Unfit::NoComPort),
            (false, true) if !is_open => Some(Unfit::NotBinary),
            (false, _) => None,
        }
    }

    /// Whether the server has said a word about any option.
    pub const fn were_heard(&self) -> bool {
        self.heard
    }

    fn needed(&self) -> impl Iterator<Item = &Wish> {
        self.wishes.iter().filter(|wish| wish.option != SUPPRESS_GO_AHEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Options {
        let mut out = Vec::new();
        let options = Options::begin(&mut out);
        let asked = b"\xFF\xFB\0\xFF\xFD\0\xFF\xFB\x03\xFF\xFD\x03\xFF\xFB\x2C";
        assert_eq!(out, asked);
        options
    }

    #[track_caller]
    fn answer(options: &mut Options, verb: Verb, option: u8) -> Vec<u8> {
        let mut out = Vec::new();
        options.hear(verb, option, &mut out);
        out
    }

    #[test]
    fn agrees_without_answering_answers() {
        let mut options = begun();
        assert!(!options.were_heard());
        for (verb, option) in [(Verb::Do, 0), (Verb::Will, 0), (Verb::Wont, 3), (Verb::Do, 44)] {
            assert!(!options.is_agreed());
            assert_eq!(answer(&mut options, verb, option), b"");
        }
        assert!(options.is_agreed() && options.were_heard());
        assert_eq!(options.unfit(), None);
        assert_eq!(answer(&mut options, Verb::Do, 44), b"", "it is in use already");
    }

    #[test]
    fn refuses_what_it_does_not_know_and_every_echo() {
        let mut options = begun();
        assert_eq!(answer(&mut options, Verb::Will, 1), b"\xFF\xFE\x01");
        assert_eq!(answer(&mut options, Verb::Do, 24), b"\xFF\xFC\x18");
        assert_eq!(answer(&mut options, Verb::Dont, 24), b"");
        assert_eq!(answer(&mut options, Verb::Wont, 1), b"");
        assert_eq!(answer(&mut options, Verb::Will, 44), b"\xFF\xFE\x2C");
        assert!(!options.is_agreed());
    }

    #[test]
    fn a_server_may_change_its_mind() {
        let mut options = begun();
        answer(&mut options, Verb::Dont, 0);
        assert_eq!(options.unfit(), None, "the serial port is still open");
        assert_eq!(answer(&mut options, Verb::Do, 0), b"\xFF\xFB\0");
        answer(&mut options, Verb::Dont, 44);
        assert_eq!(options.unfit(), Some(Unfit::NoComPort));
        assert_eq!(answer(&mut options, Verb::Do, 44), b"\xFF\xFB\x2C");
        assert_eq!(options.unfit(), None);
        answer(&mut options, Verb::Wont, 0);
        assert_eq!(options.unfit(), Some(Unfit::NotBinary));
        answer(&mut options, Verb::Will, 0);
        answer(&mut options, Verb::Do, 0);
        assert!(options.is_agreed());
        assert_eq!(answer(&mut options, Verb::Wont, 0), b"\xFF\xFE\0");
        assert_eq!(options.unfit(), Some(Unfit::NotBinary));
    }
}
