//! Which interfaces and endpoints make up a serial function, by the device's descriptors.
//!
//! ```text
//! vendor class   interface 3 ff/00/00   bulk in, bulk out, perhaps interrupt in
//! CDC-ACM        interface 0 02/02/01   union descriptor: 0 controls 1
//!                interface 1 0a/00/00   bulk in, bulk out
//! ```
//!
//! Endpoint addresses differ between firmwares, so none is taken from a table. Source: specs/asr-aboot.md §1.1,
//! specs/eigencomm-agentboot.md §1.1; USB CDC 1.2 §5.2.3.2.

/// bInterfaceClass of a CDC control interface.
const COMMUNICATIONS: u8 = 0x02;
/// bInterfaceSubClass of a CDC serial line: Abstract Control Model.
const ABSTRACT_CONTROL: u8 = 0x02;
/// bInterfaceClass of a CDC data interface.
const DATA: u8 = 0x0A;
/// bDescriptorType and bDescriptorSubtype of a union functional descriptor.
const UNION: [u8; 2] = [0x24, 0x06];

/// One setting of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface {
    /// bInterfaceNumber.
    pub number: u8,
    /// bAlternateSetting.
    pub setting: u8,
    /// bInterfaceClass and bInterfaceSubClass.
    pub class: [u8; 2],
    /// Its bulk endpoints.
    pub bulk: Vec<Endpoint>,
    /// Its class-specific descriptors.
    pub extra: Vec<u8>,
}

/// A bulk endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// bEndpointAddress; its highest bit is set for the direction to the host.
    pub address: u8,
    /// Bytes of a full packet: 64 at full speed, 512 at high speed.
    pub packet: usize,
}

/// A serial function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Function {
    /// The interface that takes class requests, where it is not the one that carries the data.
    pub control: Option<u8>,
    /// The interface with the two endpoints.
    pub data: u8,
    /// The setting in which it has them.
    pub setting: u8,
    pub bulk_in: Endpoint,
    pub bulk_out: Endpoint,
}

impl Function {
    /// Its interfaces; a driver is given back through the first.
    pub fn interfaces(&self) -> impl Iterator<Item = u8> {
        self.control.into_iter().chain([self.data])
    }

    /// The serial function that the interface `number` belongs to; none when it is something else.
    pub fn of(number: u8, interfaces: &[Interface]) -> Option<Self> {
        let named = |number: u8| interfaces.iter().find(move |one| one.number == number);
        let (control, data) = match named(number)?.class[0] {
            COMMUNICATIONS => (Some(number), subordinate(named(number)?)),
            DATA => {
                let controls =
                    |one: &&Interface| one.class[0] == COMMUNICATIONS && subordinate(one) == number;
                (interfaces.iter().find(controls).map(|one| one.number), number)
            }
            _ => (None, number),
        };
        let is_serial = |number| named(number).is_some_and(|one| one.class[1] == ABSTRACT_CONTROL);
        if !control.is_none_or(is_serial) {
            return None;
        }
        let settings = interfaces.iter().filter(|one| one.number == data);
        let mut usable: Vec<Function> = settings
            .filter_map(|one| Function::in_setting(control, one))
            .collect();
        usable.sort_by_key(|function| function.setting);
        usable.into_iter().next()
    }

    fn in_setting(control: Option<u8>, interface: &Interface) -> Option<Self> {
        let first = |to_host: bool| {
            let wanted = |one: &&Endpoint| (one.address & 0x80 != 0) == to_host && one.packet > 0;
            interface.bulk.iter().find(wanted).copied()
        };
        Some(Function {
            control,
            data: interface.number,
            setting: interface.setting,
            bulk_in: first(true)?,
            bulk_out: first(false)?,
        })
    }
}

/// The data interface of a control interface: as its union descriptor says, or else the next.
fn subordinate(control: &Interface) -> u8 {
    let mut rest = &control.extra[..];
    while let [length, kind, subtype, ..] = *rest {
        let (descriptor, after) = rest.split_at(usize::from(length).clamp(1, rest.len()));
        if [kind, subtype] == UNION
            && let Some(number) = descriptor.get(4)
        {
            return *number;
        }
        rest = after;
    }
    control.number.wrapping_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(address: u8) -> Endpoint {
        Endpoint { address, packet: 512 }
    }

    fn interface(number: u8, class: [u8; 2], bulk: &[Endpoint], extra: &[u8]) -> Interface {
        Interface {
            number,
            setting: 0,
            class,
            bulk: bulk.to_vec(),
            extra: extra.to_vec(),
        }
    }

    /// 2c7c:6001 with QuecPython: the endpoints of specs/usb-and-hosts.md §1.1.
    fn asr_run_mode() -> Vec<Interface> {
        let header = [5, 0x24, 0x00, 0x10, 0x01];
        let ethernet = [&header[..], &[5, 0x24, 0x06, 0, 1]].concat();
        let acm = [&header[..], &[4, 0x24, 0x02, 0x06], &[5, 0x24, 0x06, 5, 6]].concat();
        vec![
            interface(0, [2, 6], &[], &ethernet),
            interface(1, [0x0A, 0], &[], &[]),
            Interface {
                setting: 1,
                ..interface(1, [0x0A, 0], &[bulk(0x83), bulk(0x0C)], &[])
            },
            interface(2, [0xFF, 0], &[bulk(0x0B), bulk(0x82)], &[]),
            interface(3, [0xFF, 0], &[bulk(0x0F), bulk(0x86)], &[]),
            interface(5, [2, 2], &[], &acm),
            interface(6, [0x0A, 0], &[bulk(0x85), bulk(0x0E)], &[]),
        ]
    }

    #[test]
    fn a_vendor_interface_stands_for_itself() {
        let function = Function::of(3, &asr_run_mode()).unwrap();
        let expected = Function {
            control: None,
            data: 3,
            setting: 0,
            bulk_in: bulk(0x86),
            bulk_out: bulk(0x0F),
        };
        assert_eq!(function, expected);
    }

    #[test]
    fn either_half_of_a_cdc_pair_leads_to_both() {
        for number in [5, 6] {
            let function = Function::of(number, &asr_run_mode()).unwrap();
            assert_eq!(function.interfaces().collect::<Vec<_>>(), [5, 6]);
            assert_eq!((function.bulk_in, function.bulk_out), (bulk(0x85), bulk(0x0E)));
        }
    }

    #[test]
    fn a_network_card_is_no_serial_function() {
        for number in [0, 1, 4, 9] {
            assert_eq!(Function::of(number, &asr_run_mode()), None, "{number}");
        }
    }

    #[test]
    fn without_a_union_descriptor_the_next_interface_carries_the_data() {
        let pair = [
            interface(0, [2, 2], &[], &[0, 0, 0, 9]),
            interface(1, [0x0A, 0], &[bulk(0x81), bulk(0x02)], &[]),
        ];
        assert_eq!(Function::of(0, &pair).unwrap().data, 1);
        assert_eq!(Function::of(1, &pair).unwrap().control, Some(0));
    }

    #[test]
    fn endpoints_without_a_packet_size_are_none() {
        let broken = [interface(
            1,
            [0xFF, 0],
            &[
                bulk(0x81),
                Endpoint {
                    address: 0x01,
                    packet: 0,
                },
            ],
            &[],
        )];
        assert_eq!(Function::of(1, &broken), None);
    }
}
