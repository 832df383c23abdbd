//! A server of serial ports that says what it likes: however its words are cut, the client hears, answers and refuses
//! the same, and keeps a bounded amount.

use arbitrary::Arbitrary;
use qpyflash::link::rfc2217::{Client, Unfit};

use crate::read;

/// Most bytes that wait to be sent: answers, some settings, and a share of what the line carries in half a second.
const MOST_WAITING: usize = 0x2_0000;
/// What a willing server says, up to the answer that makes the port ready.
const WILLING: &[u8] = b"\xFF\xFD\0\xFF\xFB\0\xFF\xFD\x03\xFF\xFB\x03\xFF\xFD\x2C\
    \xFF\xFA\x2C\x65\0\x01\xC2\0\xFF\xF0\xFF\xFA\x2C\x66\x08\xFF\xF0\xFF\xFA\x2C\x67\x01\xFF\xF0\
    \xFF\xFA\x2C\x68\x01\xFF\xF0\xFF\xFA\x2C\x69\x01\xFF\xF0\xFF\xFA\x2C\x65\0\x01\xC2\0\xFF\xF0";

/// What happens to the client.
#[derive(Arbitrary, Debug)]
enum Turn<'f> {
    /// The server says something.
    Hear(&'f [u8]),
    /// The session wants to send so many bytes, all 0xFF or none.
    Send(u16, bool),
    /// It wants another line speed.
    Baud(u32),
    /// It reads so many bytes.
    Take(u8),
    /// The connection takes so many bytes.
    Sent(u16),
}

/// One input.
pub fn run(bytes: &[u8]) {
    let Some((is_ready, size, turns)) = read::<(bool, u8, Vec<Turn<'_>>)>(bytes) else {
        return;
    };
    let (mut whole, mut cut) = (Client::new(115_200), Client::new(115_200));
    if is_ready {
        for client in [&mut whole, &mut cut] {
            client.hear(WILLING);
            assert!(client.is_ready(), "it is all that a client asks for");
        }
    }
    for turn in &turns {
        if let Turn::Hear(words) = turn {
            whole.hear(words);
            words
                .chunks(usize::from(size).max(1))
                .for_each(|piece| cut.hear(piece));
        } else {
            assert_eq!(does(&mut whole, turn), does(&mut cut, turn));
        }
        assert_eq!(whole.outgoing(), cut.outgoing());
        assert_eq!(state(&whole), state(&cut));
        assert!(whole.outgoing().len() < MOST_WAITING, "it keeps without bound");
        assert!(whole.is_ready() || !whole.is_settled() || whole.greeting().len() < 2000);
    }
}

/// What the client makes of it: how many bytes, and which.
fn does(client: &mut Client, turn: &Turn<'_>) -> (usize, Vec<u8>) {
    match turn {
        Turn::Hear(_) => (0, Vec::new()),
        Turn::Send(length, escapes) => {
            let bytes = vec![if *escapes { 0xFF } else { 0x55 }; usize::from(*length)];
            let before = client.outgoing().len();
            let taken = client.send(&bytes);
            assert!(client.outgoing().len() >= before + taken, "bytes were lost");
            (taken, Vec::new())
        }
        // A session sets a few speeds, and waits for each.
        Turn::Baud(baud) if client.is_settled() => {
            client.set_baud(*baud);
            (0, Vec::new())
        }
        Turn::Baud(_) => (0, Vec::new()),
        Turn::Take(length) => {
            let mut into = vec![0; usize::from(*length)];
            let count = client.take(&mut into);
            (count, into)
        }
        Turn::Sent(count) => {
            client.sent(usize::from(*count));
            (0, Vec::new())
        }
    }
}

fn state(client: &Client) -> (bool, bool, bool, Option<Unfit>, String, String) {
    (
        client.is_ready(),
        client.is_settled(),
        client.speaks_telnet(),
        client.unfit(),
        client.missing(),
        client.greeting(),
    )
}
