//! Telnet as a codec: bytes of a connection become data and commands, and the other way round. Source: RFC 854, 855.
//!
//! ```text
//! FF FF                  one byte 0xFF of data
//! FF FB 2C               WILL COM-PORT-OPTION
//! FF FA 2C … FF F0       subnegotiation of COM-PORT-OPTION; 0xFF in it is doubled, too
//! FF F1                  NOP, and other commands without an option
//! ```
//!
//! Knows no option and no socket. In binary transmission (RFC 856) all other bytes are data as they are.

/// Begins every command; doubled it is data. Source: RFC 854.
const IAC: u8 = 255;
/// Begins a subnegotiation. Source: RFC 855.
const SB: u8 = 250;
/// Ends it.
const SE: u8 = 240;
/// Longest subnegotiation that is kept, in bytes: those of RFC 2217 have five, but for the server's name of itself.
const LONGEST_SUBNEGOTIATION: usize = 256;

/// What is said about an option. The number is the byte on the wire. Source: RFC 854.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Verb {
    /// The sender will do it, or wants to.
    Will = 251,
    /// The sender will not.
    Wont = 252,
    /// The other side should do it, or may.
    Do = 253,
    /// The other side should not.
    Dont = 254,
}

impl Verb {
    fn of(byte: u8) -> Option<Self> {
        [Verb::Will, Verb::Wont, Verb::Do, Verb::Dont]
            .into_iter()
            .find(|verb| *verb as u8 == byte)
    }
}

/// A piece of what has come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// Bytes for whoever uses the connection.
    Data(&'a [u8]),
    /// An option is offered, asked for or refused.
    Option(Verb, u8),
    /// Something about an option that is in use: its number, and the bytes without doubling.
    Subnegotiation(u8, &'a [u8]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Data,
    Command,
    Option(Verb),
    Subnegotiation,
    CommandInSubnegotiation,
}

/// Takes bytes as they come, however they are split.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    state: State,
    subnegotiation: Vec<u8>,
}

impl Decoder {
    /// Hands every whole piece in `bytes` to `take`, in order. Commands without an option mean nothing here and are
    /// left out.
    pub fn push(&mut self, mut bytes: &[u8], mut take: impl FnMut(Item<'_>)) {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.state == State::Data && first != IAC {
                let run = bytes.iter().position(|byte| *byte == IAC).unwrap_or(bytes.len());
                let (data, after) = bytes.split_at(run);
                take(Item::Data(data));
                bytes = after;
                continue;
            }
            self.state = self.step(first, &mut take);
            bytes = rest;
        }
    }

    fn step(&mut self, byte: u8, take: &mut impl FnMut(Item<'_>)) -> State {
        match (self.state, byte) {
            (State::Data, _) => State::Command,
            (State::Option(verb), option) => {
                take(Item::Option(verb, option));
                State::Data
            }
            (State::Subnegotiation, IAC) => State::CommandInSubnegotiation,
            (State::Subnegotiation, byte) => self.keep(byte),
            (State::CommandInSubnegotiation, IAC) => self.keep(IAC),
            (State::CommandInSubnegotiation, SE) => {
                if let Some((option, payload)) = self.subnegotiation.split_first() {
                    take(Item::Subnegotiation(*option, payload));
                }
                State::Data
            }
            (State::Command, IAC) => {
                take(Item::Data(&[IAC]));
                State::Data
            }
            (State::Command | State::CommandInSubnegotiation, SB) => {
                self.subnegotiation.clear();
                State::Subnegotiation
            }
            // A command inside a subnegotiation cuts it off: it never ended, so it is not acted upon.
            (State::Command | State::CommandInSubnegotiation, byte) => {
                Verb::of(byte).map_or(State::Data, State::Option)
            }
        }
    }

    /// What is longer than any known one cannot be one of those that are acted upon by its length.
    fn keep(&mut self, byte: u8) -> State {
        if self.subnegotiation.len() < LONGEST_SUBNEGOTIATION {
            self.subnegotiation.push(byte);
        }
        State::Subnegotiation
    }
}

/// Appends data.
pub(super) fn data(bytes: &[u8], out: &mut Vec<u8>) {
    for run in bytes.split_inclusive(|byte| *byte == IAC) {
        out.extend_from_slice(run);
        if run.last() == Some(&IAC) {
            out.push(IAC);
        }
    }
}

/// Appends a word about an option.
pub(super) fn option(verb: Verb, option: u8, out: &mut Vec<u8>) {
    out.extend([IAC, verb as u8, option]);
}

/// Appends a subnegotiation.
pub(super) fn subnegotiation(option: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.extend([IAC, SB]);
    data(&[option], out);
    data(payload, out);
    out.extend([IAC, SE]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that came out, data joined.
    #[derive(Debug, Default, PartialEq)]
    struct Heard {
        data: Vec<u8>,
        commands: Vec<(u8, Vec<u8>)>,
    }

    fn hear<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Heard {
        let (mut decoder, mut heard) = (Decoder::default(), Heard::default());
        for chunk in chunks {
            decoder.push(chunk, |item| match item {
                Item::Data(bytes) => heard.data.extend_from_slice(bytes),
                Item::Option(verb, option) => heard.commands.push((verb as u8, vec![option])),
                Item::Subnegotiation(option, payload) => heard.commands.push((option, payload.to_vec())),
            });
        }
        heard
    }

    #[test]
    fn tells_data_from_commands() {
        let heard =
            hear([&b"A\xFF\xFFT\xFF\xFD\x2C\r\n\xFF\xF1\xFF\xFA\x2C\x65\0\xFF\xFF\x04\xFF\xF0OK"[..]]);
        assert_eq!(heard.data, b"A\xFFT\r\nOK");
        let baud = vec![0x65, 0, 0xFF, 4];
        assert_eq!(heard.commands, [(253, vec![44]), (44, baud)]);
    }

    #[test]
    fn a_command_cuts_an_unended_subnegotiation_off() {
        let heard = hear([
            &b"\xFF\xFA\x2C\x65\x00\xFF\xFB\x03x\xFF\xFA\xFF\xF0y\xFF\xFA\x2C\x01\xFF\xFA\x2C\x02\xFF\xF0"[..],
        ]);
        assert_eq!(heard.commands, [(251, vec![3]), (44, vec![2])]);
        assert_eq!(heard.data, b"xy");
    }

    #[test]
    fn a_subnegotiation_without_end_takes_no_memory() {
        let mut decoder = Decoder::default();
        decoder.push(b"\xFF\xFA\x2C", |_| {});
        for _ in 0..1000 {
            decoder.push(&[7; 1000], |_| panic!("nothing has ended"));
        }
        assert_eq!(decoder.subnegotiation.len(), LONGEST_SUBNEGOTIATION);
    }

    /// Telnet's bytes are rare in random ones.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(
            prop_oneof![3 => 240..=255_u8, 2 => any::<u8>(), 1 => Just(44)],
            0..200,
        )
    }

    proptest! {
        #[test]
        fn what_is_said_is_heard(sent in bytes(), payload in bytes(), more in bytes()) {
            let mut wire = Vec::new();
            data(&sent, &mut wire);
            option(Verb::Dont, 255, &mut wire);
            subnegotiation(44, &payload, &mut wire);
            data(&more, &mut wire);
            let heard = hear([&wire[..]]);
            prop_assert_eq!(heard.data, [sent, more].concat());
            prop_assert_eq!(heard.commands, [(254, vec![255]), (44, payload)]);
        }

        #[test]
        fn splits_do_not_matter(wire in bytes(), at in 0..200_usize, then in 0..200_usize) {
            let (first, rest) = wire.split_at(at.min(wire.len()));
            let (second, third) = rest.split_at(then.min(rest.len()));
            let whole = hear([&wire[..]]);
            prop_assert_eq!(&whole, &hear([first, second, third]));
            prop_assert_eq!(&whole, &hear(wire.chunks(1)));
        }
    }
}
