//! The dialogue, with a server of bytes written out by hand.

use proptest::prelude::*;

use super::*;

/// What a willing server says to the offers.
const AGREED: &[u8] = b"\xFF\xFD\0\xFF\xFB\0\xFF\xFD\x03\xFF\xFB\x03\xFF\xFD\x2C";
/// What it says to the settings, up to the answer that ends them.
const CONFIRMED: &[u8] = b"\xFF\xFA\x2C\x65\0\x01\xC2\0\xFF\xF0\xFF\xFA\x2C\x66\x08\xFF\xF0\
    \xFF\xFA\x2C\x67\x01\xFF\xF0\xFF\xFA\x2C\x68\x01\xFF\xF0\xFF\xFA\x2C\x69\x01\xFF\xF0\
    \xFF\xFA\x2C\x69\x08\xFF\xF0\xFF\xFA\x2C\x69\x0B\xFF\xF0\xFF\xFA\x2C\x70\x03\xFF\xF0";
const SPEED: &[u8] = b"\xFF\xFA\x2C\x65\0\x01\xC2\0\xFF\xF0";
const QUERY: &[u8] = b"\xFF\xFA\x2C\x01\0\0\0\0\xFF\xF0";

fn drain(client: &mut Client) -> Vec<u8> {
    let outgoing = client.outgoing().to_vec();
    client.sent(outgoing.len());
    outgoing
}

fn ready() -> Client {
    let mut client = Client::new(115_200);
    client.hear(AGREED);
    client.hear(CONFIRMED);
    client.hear(SPEED);
    assert!(client.is_ready());
    drain(&mut client);
    client
}

#[test]
fn sets_the_port_once_both_agree_and_is_ready_once_all_is_confirmed() {
    let mut client = Client::new(115_200);
    drain(&mut client);
    client.hear(&AGREED[..AGREED.len() - 1]);
    assert_eq!(client.outgoing(), b"");
    assert_eq!(client.missing(), "COM-PORT-OPTION");
    client.hear(&AGREED[AGREED.len() - 1..]);
    let asked = drain(&mut client);
    assert!(asked.starts_with(b"\xFF\xFA\x2C\x01\0\x01\xC2\0\xFF\xF0\xFF\xFA\x2C\x02\x08\xFF\xF0"));
    assert!(
        asked.ends_with(QUERY),
        "the answer to a question ends the settings"
    );
    client.hear(b"boot messages\r\n");
    assert_eq!(client.missing(), "SET-DATASIZE 8");
    client.hear(CONFIRMED);
    assert!(!client.is_ready());
    client.hear(&[SPEED, b"OK"].concat());
    assert!(client.is_ready());
    let mut into = [0; 8];
    assert_eq!(client.take(&mut into), 2, "what came before was not for this run");
    assert_eq!(&into[..2], b"OK");
    assert_eq!(client.unfit(), None);
}

#[test]
fn a_port_with_another_setting_is_never_ready_however_its_answers_come() {
    for wrong in [b"\x65\0\x01\xC2\0".as_slice(), b"\x67\x01"] {
        let mut answers = CONFIRMED.to_vec();
        let at = answers.windows(wrong.len()).position(|it| it == wrong).unwrap();
        answers[at + 1] += 1;
        let mut client = Client::new(115_200);
        client.hear(AGREED);
        client.hear(&[&answers, SPEED].concat());
        assert!(!client.is_ready());
        assert!(client.unfit().is_some());
    }
}

#[test]
fn says_which_setting_is_another() {
    let mut client = Client::new(921_600);
    client.hear(AGREED);
    client.hear(SPEED);
    let unfit = client.unfit().unwrap().to_string();
    assert_eq!(unfit, "it has set 115200 baud instead of 921600");
    for (answer, words) in [
        (&b"\xFF\xFA\x2C\x66\x07\xFF\xF0"[..], "SET-DATASIZE 8 with 7"),
        (b"\xFF\xFA\x2C\x67\x03\xFF\xF0", "SET-PARITY 1 with 3"),
        (b"\xFF\xFA\x2C\x68\x02\xFF\xF0", "SET-STOPSIZE 1 with 2"),
        (
            b"\xFF\xFA\x2C\x69\x03\xFF\xF0",
            "SET-CONTROL (flow control) 1 with 3",
        ),
    ] {
        let mut client = Client::new(115_200);
        client.hear(AGREED);
        client.hear(answer);
        let unfit = client.unfit().unwrap().to_string();
        assert!(unfit.ends_with(words), "{unfit}");
    }
}

#[test]
fn silence_about_flow_control_is_noted_and_about_nothing_else_taken() {
    let (others, rest) = CONFIRMED.split_at(CONFIRMED.len() - 4 * 7);
    let mut client = Client::new(115_200);
    client.hear(AGREED);
    client.hear(others);
    assert_eq!(client.missing(), "SET-CONTROL (flow control) 1");
    client.hear(SPEED);
    assert!(client.is_ready());
    assert!(client.note().unwrap().contains("flow control"));
    let mut client = Client::new(115_200);
    client.hear(AGREED);
    client.hear(&others[..others.len() - 7]);
    client.hear(&[rest, SPEED].concat());
    assert!(!client.is_ready());
    assert_eq!(client.missing(), "SET-STOPSIZE 1");
    assert_eq!(ready().note(), None);
}

#[test]
fn keeps_what_a_stranger_says() {
    let mut client = Client::new(115_200);
    client.hear(b"\r\nHTTP/1.1 400 Bad\x1b Request\r\nServer: x\r\n");
    assert_eq!(client.greeting(), "HTTP/1.1 400 Bad\\u{1b} Request");
    assert!(!client.speaks_telnet());
}

#[test]
fn only_so_much_is_on_the_way() {
    let mut client = ready();
    let data = vec![0xFF; 100_000];
    let mut taken = 0;
    let mut marks = 0;
    loop {
        let count = client.send(&data);
        let sent = drain(&mut client);
        marks += usize::from(sent.ends_with(QUERY));
        taken += count;
        if count == 0 {
            break;
        }
        assert!(sent.starts_with(b"\xFF\xFF"));
    }
    assert_eq!(taken, 5760, "half a second at 115200 baud");
    assert_eq!(marks, 4);
    client.hear(SPEED);
    assert_eq!(client.send(&data), 1440);
}

#[test]
fn a_suspended_server_gets_nothing() {
    let mut client = ready();
    client.hear(b"\xFF\xFA\x2C\x6C\xFF\xF0");
    assert_eq!(client.send(b"AT\r"), 0);
    client.hear(b"\xFF\xFA\x2C\x6D\xFF\xF0");
    assert_eq!(client.send(b"AT\r"), 3);
    assert_eq!(drain(&mut client), b"AT\r");
    assert!(client.has_unmarked());
}

#[test]
fn a_new_speed_is_confirmed_in_its_turn() {
    let mut client = ready();
    client.send(&[0; 1440]);
    client.set_baud(460_800);
    client.hear(SPEED);
    assert!(!client.is_settled(), "that was about the mark before");
    client.hear(b"\xFF\xFA\x2C\x65\0\x07\x08\0\xFF\xF0");
    assert!(client.is_settled());
    assert_eq!(client.unfit(), None);
    client.set_baud(921_600);
    client.hear(b"\xFF\xFA\x2C\x65\0\x07\x08\0\xFF\xF0");
    assert!(client.unfit().is_some());
}

#[test]
fn a_slower_line_has_a_smaller_window_at_once() {
    let mut client = ready();
    client.set_baud(3_000_000);
    drain(&mut client);
    assert_eq!(client.send(&[0; 10_000]), 10_000);
    drain(&mut client);
    client.set_baud(115_200);
    drain(&mut client);
    assert_eq!(client.send(&[0; 10_000]), 0);
    client.hear(b"\xFF\xFA\x2C\x65\0\x2D\xC6\xC0\xFF\xF0");
    client.hear(SPEED);
    assert_eq!(client.unfit(), None);
    assert_eq!(client.send(&[0; 10_000]), 1440);
}

#[test]
fn what_is_said_before_it_was_asked_confirms_nothing() {
    let mut client = Client::new(115_200);
    client.hear(b"\xFF\xFA\x2C\x66\x08\xFF\xF0");
    client.hear(AGREED);
    assert_eq!(client.missing(), "SET-DATASIZE 8");
    // In one piece with the agreement, too.
    let mut client = Client::new(115_200);
    client.hear(&[AGREED, CONFIRMED, SPEED].concat());
    assert!(client.is_ready());
}

#[test]
fn a_port_that_somebody_else_changes_is_unfit() {
    for changed in [
        &b"\xFF\xFA\x2C\x67\x03\xFF\xF0"[..],
        b"\xFF\xFA\x2C\x65\0\0\x25\x80\xFF\xF0",
    ] {
        let mut client = ready();
        client.hear(changed);
        assert!(client.unfit().is_some());
    }
}

#[test]
fn a_flood_takes_only_so_much_memory() {
    let mut client = ready();
    for _ in 0..300 {
        client.hear(&[b'x'; 10_000]);
    }
    assert_eq!(client.inbox.len(), INBOX_LIMIT);
    for _ in 0..300 {
        client.hear(&b"\xFF\xFD\x18".repeat(1000));
    }
    assert!(client.outgoing().len() < OUTGOING_LIMIT + 10);
}

proptest! {
    #[test]
    fn whatever_a_server_says_however_it_is_split(
        wire in proptest::collection::vec(prop_oneof![Just(255), 240..=255_u8, Just(44), 100..113_u8, any::<u8>()], 0..300),
        size in 1..20_usize,
    ) {
        let hear = |chunks: &mut dyn Iterator<Item = &[u8]>| {
            let mut client = ready();
            for chunk in chunks {
                client.hear(chunk);
            }
            let mut data = vec![0; wire.len()];
            let count = client.take(&mut data);
            data.truncate(count);
            (data, drain(&mut client), client.send(&[0; 8]), client.unfit())
        };
        let whole = hear(&mut std::iter::once(&wire[..]));
        prop_assert_eq!(whole, hear(&mut wire.chunks(size)));
    }
}
