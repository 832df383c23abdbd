//! Ethernet frames with IPv6 in them, as the mask ROM builds and reads them. Source: specs/asr-aboot.md §3.7.

pub(super) type Mac = [u8; 6];
pub(super) type Address = [u8; 16];

pub(super) const UDP: u8 = 17;
pub(super) const ICMP: u8 = 58;
/// Bytes before the payload: 14 of Ethernet, 40 of IPv6.
const HEADERS: usize = 54;

/// A packet that has been read.
pub(super) struct Packet<'f> {
    pub from: Mac,
    pub to: Mac,
    pub source: Address,
    pub destination: Address,
    pub next_header: u8,
    pub payload: &'f [u8],
}

/// Link-local address of a MAC.
pub(super) fn link_local(mac: Mac) -> Address {
    let [a, b, c, d, e, f] = mac;
    [0xFE, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xFF, 0xFE, d, e, f]
}

/// Reads an Ethernet frame; nothing when it is no IPv6 packet or its check sum is wrong.
pub(super) fn read(frame: &[u8]) -> Option<Packet<'_>> {
    let (headers, rest) = frame.split_first_chunk::<HEADERS>()?;
    if headers[12..14] != [0x86, 0xDD] || headers[14] >> 4 != 6 {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([headers[18], headers[19]]));
    let packet = Packet {
        from: headers[6..12].try_into().ok()?,
        to: headers[..6].try_into().ok()?,
        source: headers[22..38].try_into().ok()?,
        destination: headers[38..54].try_into().ok()?,
        next_header: headers[20],
        payload: rest.get(..length)?,
    };
    let checked = matches!(packet.next_header, UDP | ICMP);
    let sum = || {
        sum(
            &packet.source,
            &packet.destination,
            packet.next_header,
            packet.payload,
        )
    };
    (!checked || sum() == 0xFFFF).then_some(packet)
}

/// Builds a frame from one end to the other; the check sum is put at that place of the payload.
pub(super) fn build(
    (from, source): (Mac, Address),
    (to, destination): (Mac, Address),
    (next_header, hop_limit): (u8, u8),
    mut payload: Vec<u8>,
    check_sum_at: usize,
) -> Vec<u8> {
    let check = match !sum(&source, &destination, next_header, &payload) {
        0 => 0xFFFF,
        check => check,
    };
    payload[check_sum_at..check_sum_at + 2].copy_from_slice(&check.to_be_bytes());
    let mut frame = [to, from].concat();
    frame.extend([0x86, 0xDD, 0x60, 0, 0, 0]);
    frame.extend((payload.len() as u16).to_be_bytes());
    frame.extend([next_header, hop_limit]);
    frame.extend(source);
    frame.extend(destination);
    frame.extend(payload);
    frame
}

/// The sum of ones' complements over pseudo header and payload; all ones when the check sum in it is right.
fn sum(source: &Address, destination: &Address, next_header: u8, payload: &[u8]) -> u16 {
    let length = payload.len() as u32 + u32::from(next_header);
    let words = [&source[..], destination, &length.to_be_bytes()].concat();
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
    let mut sum: u32 = words.chunks(2).chain(payload.chunks(2)).map(word).sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}
