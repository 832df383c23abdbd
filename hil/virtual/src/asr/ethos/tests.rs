use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

const HOST: Mac = [0x00, 0x00, 0x23, 0x48, 0xBE, 0x18];

/// The frames of the worked bytes that the module sends. Source: specs/asr-aboot.md §3.7.
#[test]
fn builds_and_reads_the_worked_bytes() {
    let query = hex("02E3966C7C41 000023 48BE18 86DD 60000000 000C 11 FF
        FE80000000000000 020023FFFE48BE18 FE80000000000000 00E396FFFE6C7C41 EA61 15B2 000C 0CCF 01 00 0000");
    let packet = ipv6::read(&query).unwrap();
    assert_eq!((packet.from, packet.to), (HOST, MODULE));
    assert_eq!(packet.source, ipv6::link_local(HOST));
    assert_eq!(&packet.payload[8..], [1, 0, 0, 0]);
    let payload = hex("15B2 EA61 000E 0000 01 00 0000 1234");
    let (here, there) = ((MODULE, ipv6::link_local(MODULE)), (HOST, ipv6::link_local(HOST)));
    let answer = ipv6::build(here, there, (UDP, 64), payload, 6);
    let check = hex("15B2 EA61 000E FA96 01 00 0000 1234");
    assert!(answer.ends_with(&check));
}

#[test]
fn reads_nothing_whose_check_sum_is_wrong() {
    let here = (MODULE, ipv6::link_local(MODULE));
    let mut frame = ipv6::build(here, here, (UDP, 64), vec![0; 12], 6);
    assert!(ipv6::read(&frame).is_some());
    let last = frame.len() - 1;
    frame[last] ^= 1;
    assert!(ipv6::read(&frame).is_none());
    assert!((0..frame.len()).all(|length| ipv6::read(&frame[..length]).is_none()));
}

#[test]
fn weather_strikes_every_so_many_frames() {
    let weather = Weather {
        loses_every: Some(5),
        doubles_every: Some(3),
    };
    let arrivals: Vec<usize> = (1..=6).map(|number| weather.arrivals(number)).collect();
    assert_eq!(arrivals, [1, 1, 2, 1, 0, 2]);
}
