use super::*;
use crate::descriptors::descriptor;
use crate::layout::{NoEndpointLeft, PortEndpoints, Speed};
use crate::shapes::TABLE;

const CONFIGURATION: u16 = 0x0200;

/// Each descriptor of a configuration.
fn parts(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut parts) = (bytes, Vec::new());
    while let Some(length) = rest.first() {
        let (part, after) = rest.split_at(usize::from(*length));
        parts.push(part);
        rest = after;
    }
    parts
}

fn uis8910() -> Enumerated {
    let mut interfaces = vec![(0, "02", false), (1, "0a", false)];
    interfaces.extend((2..=8).map(|number| (number, "ff", true)));
    enumerated(0x2C7C, 0x0901, "high", &interfaces)
}

#[test]
fn lays_a_uis8910_out_as_its_real_descriptor() {
    let layout = Layout::of(&uis8910(), None).unwrap();
    let configuration = descriptor(&layout, CONFIGURATION).unwrap();
    assert_eq!(
        usize::from(u16::from_le_bytes([configuration[2], configuration[3]])),
        configuration.len()
    );
    assert_eq!(
        (configuration[4], configuration[8]),
        (9, 200),
        "interfaces, and 400 mA"
    );
    let endpoints: Vec<u8> = parts(&configuration)
        .iter()
        .filter(|part| part[1] == 5)
        .map(|part| part[2])
        .collect();
    let real = [
        0x81, 0x82, 0x01, 0x83, 0x84, 0x02, 0x85, 0x03, 0x86, 0x04, 0x87, 0x05, 0x88, 0x06, 0x89, 0x8A, 0x07,
        0x8B, 0x08,
    ];
    assert_eq!(endpoints, real);
    let at = PortEndpoints {
        interface: 2,
        bulk_out: 0x02,
        bulk_in: 0x84,
    };
    assert_eq!(layout.ports[0], at);
}

#[test]
fn the_repl_of_an_asr_module_is_there_with_its_port_only() {
    let without = [(2, "ff", true), (3, "ff", true), (4, "ff", true)];
    let with = [&without[..], &[(5, "02", true)]].concat();
    let numbers = |interfaces: &[(u8, &'static str, bool)]| {
        let layout = Layout::of(&enumerated(0x2C7C, 0x6001, "high", interfaces), None).unwrap();
        layout
            .interfaces
            .iter()
            .map(|interface| interface.number)
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(&without), [0, 1, 2, 3, 4]);
    assert_eq!(numbers(&with), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_port_on_a_network_interface_means_that_there_is_no_network() {
    let layout = Layout::of(
        &enumerated(0x2C7C, 0x0903, "high", &[(0, "02", true), (2, "02", true)]),
        None,
    )
    .unwrap();
    let classes: Vec<_> = layout
        .interfaces
        .iter()
        .map(|interface| interface.class)
        .collect();
    assert_eq!(classes, [[2, 2, 1], [10, 0, 0], [255, 0, 0]]);
}

#[test]
fn no_row_of_the_table_uses_an_endpoint_or_interface_twice() {
    for shape in TABLE {
        let mut addresses: Vec<u8> = shape
            .functions
            .iter()
            .flat_map(|function| {
                [
                    Some(function.bulk_out),
                    Some(function.bulk_in),
                    function.interrupt_in,
                ]
            })
            .flatten()
            .collect();
        let count = addresses.len();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), count, "{:04x}:{:04x}", shape.vid, shape.pid);
        assert!(
            shape
                .functions
                .iter()
                .all(|f| f.bulk_out < 0x10 && f.bulk_in > 0x80)
        );
    }
}

#[test]
fn a_stranger_gets_endpoints_as_they_come_and_no_more_than_there_are() {
    let serial: Vec<(u8, &'static str, bool)> = (0..15).map(|number| (number, "ff", true)).collect();
    let layout = Layout::of(&enumerated(0x1A86, 0x7523, "full", &serial), None).unwrap();
    assert_eq!(
        layout.ports[14],
        PortEndpoints {
            interface: 14,
            bulk_out: 0x0F,
            bulk_in: 0x8F
        }
    );
    let too_many: Vec<_> = (0..16).map(|number| (number, "ff", true)).collect();
    let refused = Layout::of(&enumerated(0x1A86, 0x7523, "full", &too_many), None);
    assert_eq!(refused.err(), Some(NoEndpointLeft(15)));
}

#[test]
fn a_full_speed_hub_makes_packets_smaller() {
    let layout = Layout::of(&uis8910(), Some(Speed::Full)).unwrap();
    assert!(
        layout
            .endpoints()
            .all(|(_, endpoint)| !endpoint.is_bulk || endpoint.max_packet == 64)
    );
    assert_eq!(
        descriptor(&layout, 0x0600),
        None,
        "a full-speed device has no qualifier"
    );
}
