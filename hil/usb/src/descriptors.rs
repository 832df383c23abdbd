//! The bytes of USB descriptors. Source: USB 2.0 §9.6.

use crate::layout::{Interface, Layout, MAC_STRING, Speed};

/// The Ethernet address of the network function, locally administered.
const MAC: &str = "020000000001";
/// English (United States), the only language.
const LANGUAGE: u16 = 0x0409;

/// Answers GET_DESCRIPTOR for `value`: type in the high byte, index in the low one; none for what is not there.
pub fn descriptor(layout: &Layout, value: u16) -> Option<Vec<u8>> {
    let [kind, index] = value.to_be_bytes();
    match kind {
        1 => Some(device(layout)),
        2 => Some(configuration(layout)),
        3 => string(layout, index),
        // A full-speed device has no qualifier: it must refuse.
        6 if layout.speed == Speed::High => Some(qualifier(layout)),
        _ => None,
    }
}

fn device(layout: &Layout) -> Vec<u8> {
    let [class, subclass, protocol] = layout.shape.class;
    let mut bytes = vec![18, 1, 0x00, 0x02, class, subclass, protocol, 64];
    for number in [layout.vid, layout.pid, layout.release] {
        bytes.extend(number.to_le_bytes());
    }
    let index = |place: usize| layout.strings[place].map_or(0, |_| place as u8 + 1);
    bytes.extend([index(0), index(1), index(2), 1]);
    bytes
}

fn qualifier(layout: &Layout) -> Vec<u8> {
    let [class, subclass, protocol] = layout.shape.class;
    vec![10, 6, 0x00, 0x02, class, subclass, protocol, 64, 1, 0]
}

fn configuration(layout: &Layout) -> Vec<u8> {
    let body: Vec<u8> = layout.interfaces.iter().flat_map(interface).collect();
    let [low, high] = ((9 + body.len()) as u16).to_le_bytes();
    let power = u8::try_from(layout.shape.milliamperes / 2).unwrap_or(u8::MAX);
    let mut bytes = vec![9, 2, low, high, layout.interfaces.len() as u8, 1, 0, 0xC0, power];
    bytes.extend(body);
    bytes
}

fn interface(interface: &Interface) -> Vec<u8> {
    let [class, subclass, protocol] = interface.class;
    let head = |alternate: u8, endpoints: u8| {
        [
            9,
            4,
            interface.number,
            alternate,
            endpoints,
            class,
            subclass,
            protocol,
            0,
        ]
    };
    let mut bytes = Vec::new();
    if interface.has_idle_setting {
        bytes.extend(head(0, 0));
    }
    bytes.extend(head(
        u8::from(interface.has_idle_setting),
        interface.endpoints.len() as u8,
    ));
    bytes.extend(&interface.functional);
    for endpoint in &interface.endpoints {
        let [low, high] = endpoint.max_packet.to_le_bytes();
        let transfer_type = if endpoint.is_bulk { 2 } else { 3 };
        bytes.extend([
            7,
            5,
            endpoint.address,
            transfer_type,
            low,
            high,
            endpoint.interval,
        ]);
    }
    bytes
}

fn string(layout: &Layout, index: u8) -> Option<Vec<u8>> {
    let units: Vec<u16> = match index {
        0 => vec![LANGUAGE],
        MAC_STRING => MAC.encode_utf16().collect(),
        _ => (*layout.strings.get(usize::from(index) - 1)?)?
            .encode_utf16()
            .collect(),
    };
    let mut bytes = vec![(2 + 2 * units.len()) as u8, 3];
    bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    Some(bytes)
}
