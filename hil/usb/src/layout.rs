//! From what enumeration tells of a module to the interfaces and endpoints of a USB device.

use qpyflash_virtual::Enumerated;

use crate::shapes::{self, Function, Kind, Shape};

/// The device as a host sees it, before it is put into descriptors.
#[derive(Debug, Clone)]
pub struct Layout {
    pub vid: u16,
    pub pid: u16,
    /// Release number, binary coded decimal.
    pub release: u16,
    /// Manufacturer, product, serial number.
    pub strings: [Option<&'static str>; 3],
    pub speed: Speed,
    pub shape: Shape,
    /// In the order of their numbers.
    pub interfaces: Vec<Interface>,
    /// The ports, in the order in which enumeration names them.
    pub ports: Vec<PortEndpoints>,
}

/// Speed on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    Full,
    High,
}

impl Speed {
    /// Largest packet of a bulk endpoint, in bytes. Source: USB 2.0 §5.8.3.
    pub fn bulk_packet(self) -> u16 {
        match self {
            Speed::Full => 64,
            Speed::High => 512,
        }
    }
}

/// One interface.
#[derive(Debug, Clone)]
pub struct Interface {
    pub number: u8,
    /// Class, subclass, protocol.
    pub class: [u8; 3],
    /// The interface's CDC functional descriptors.
    pub functional: Vec<u8>,
    pub endpoints: Vec<Endpoint>,
    /// The endpoints are there in alternate setting 1 only, as CDC-ECM demands.
    pub has_idle_setting: bool,
}

/// One endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Number, and 0x80 for those that send to the host.
    pub address: u8,
    pub is_bulk: bool,
    pub max_packet: u16,
    /// bInterval.
    pub interval: u8,
}

/// The endpoints behind which a port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortEndpoints {
    /// The interface that class requests name.
    pub interface: u8,
    pub bulk_out: u8,
    pub bulk_in: u8,
}

/// The string index of the Ethernet address.
pub const MAC_STRING: u8 = 4;

/// Why the enumerated interfaces make no device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoEndpointLeft(pub u8);

impl Layout {
    /// Lays a module out. `speed` overrides the module's own, as a full-speed hub does.
    ///
    /// # Errors
    /// [`NoEndpointLeft`] when its interfaces need more endpoints than USB has.
    pub fn of(enumerated: &Enumerated, speed: Option<Speed>) -> Result<Layout, NoEndpointLeft> {
        let shape = shapes::lookup(enumerated.vid, enumerated.pid);
        let own = if enumerated.speed == "full" {
            Speed::Full
        } else {
            Speed::High
        };
        let mut layout = Layout {
            vid: enumerated.vid,
            pid: enumerated.pid,
            release: u16::from_str_radix(enumerated.bcd_device, 16).unwrap_or(0),
            strings: enumerated.strings,
            speed: speed.unwrap_or(own),
            shape,
            interfaces: Vec::new(),
            ports: Vec::new(),
        };
        let with_port: Vec<_> = enumerated
            .interfaces
            .iter()
            .filter(|i| i.role.is_some())
            .collect();
        let is_network = |function: &&Function| function.kind == Kind::Ethernet;
        if let Some(network) = shape.functions.iter().find(is_network)
            && with_port
                .iter()
                .all(|interface| interface.number > network.number + 1)
        {
            layout.add(network);
        }
        for interface in with_port {
            let function = match shape.functions.iter().find(|f| f.number == interface.number) {
                Some(known) if known.kind != Kind::Ethernet => *known,
                _ => layout.unknown_function(interface.number, interface.class)?,
            };
            layout.add(&function);
            layout.ports.push(PortEndpoints {
                interface: function.number,
                bulk_out: function.bulk_out,
                bulk_in: function.bulk_in,
            });
        }
        for interface in &enumerated.interfaces {
            if layout
                .interfaces
                .iter()
                .all(|known| known.number != interface.number)
            {
                layout
                    .interfaces
                    .push(Interface::bare(interface.number, interface.class));
            }
        }
        layout.interfaces.sort_by_key(|interface| interface.number);
        Ok(layout)
    }

    /// All endpoints, with the number of their interface.
    pub fn endpoints(&self) -> impl Iterator<Item = (u8, Endpoint)> + '_ {
        let of = |interface: &Interface| (interface.number, interface.endpoints.clone());
        let lists = self.interfaces.iter().map(of);
        lists.flat_map(|(number, list)| list.into_iter().map(move |endpoint| (number, endpoint)))
    }

    /// A function of an interface the table does not name: the lowest addresses that are free.
    fn unknown_function(&self, number: u8, class: &str) -> Result<Function, NoEndpointLeft> {
        let planned = self.shape.functions.iter().flat_map(|function| {
            [
                Some(function.bulk_out),
                Some(function.bulk_in),
                function.interrupt_in,
            ]
        });
        let taken: Vec<u8> = planned
            .flatten()
            .chain(self.endpoints().map(|(_, e)| e.address))
            .collect();
        let mut free_in = (0x81..=0x8F).filter(|address| !taken.contains(address));
        let mut free_out = (0x01..=0x0F).filter(|address| !taken.contains(address));
        let kind = if class == "02" { Kind::Acm } else { Kind::Serial };
        Ok(Function {
            number,
            kind,
            bulk_out: free_out.next().ok_or(NoEndpointLeft(number))?,
            bulk_in: free_in.next().ok_or(NoEndpointLeft(number))?,
            interrupt_in: if kind == Kind::Acm { free_in.next() } else { None },
        })
    }

    fn add(&mut self, function: &Function) {
        let max_packet = self.speed.bulk_packet();
        let bulk = |address| Endpoint {
            address,
            is_bulk: true,
            max_packet,
            interval: 0,
        };
        let pair = [bulk(function.bulk_in), bulk(function.bulk_out)];
        let interrupt = function.interrupt_in.map(|address| Endpoint {
            address,
            is_bulk: false,
            max_packet: 16,
            interval: 9,
        });
        let number = function.number;
        let interface = |number, class, functional, endpoints| Interface {
            number,
            class,
            functional,
            endpoints,
            has_idle_setting: false,
        };
        let interrupt = interrupt.into_iter();
        match function.kind {
            Kind::Serial => {
                let endpoints = interrupt.chain(pair).collect();
                self.interfaces
                    .push(interface(number, [0xFF, 0, 0], Vec::new(), endpoints));
            }
            Kind::Acm => {
                let control = interface(number, [2, 2, 1], acm_descriptors(number), interrupt.collect());
                let data = interface(number + 1, [0x0A, 0, 0], Vec::new(), pair.to_vec());
                self.interfaces.extend([control, data]);
            }
            Kind::Ethernet => {
                let control = interface(
                    number,
                    [2, 6, 0],
                    ethernet_descriptors(number),
                    interrupt.collect(),
                );
                let data = interface(number + 1, [0x0A, 0, 0], Vec::new(), pair.to_vec());
                self.interfaces.extend([
                    control,
                    Interface {
                        has_idle_setting: true,
                        ..data
                    },
                ]);
            }
        }
    }
}

impl Interface {
    fn bare(number: u8, class: &str) -> Self {
        Interface {
            number,
            class: [u8::from_str_radix(class, 16).unwrap_or(0xFF), 0, 0],
            functional: Vec::new(),
            endpoints: Vec::new(),
            has_idle_setting: false,
        }
    }
}

/// Header 1.10, call management, ACM with line coding and break, union. Source: USB CDC PSTN 1.2 §5.3.
fn acm_descriptors(number: u8) -> Vec<u8> {
    let data = number + 1;
    [
        &[5, 0x24, 0x00, 0x10, 0x01][..],
        &[5, 0x24, 0x01, 0x00, data],
        &[4, 0x24, 0x02, 0x06],
        &[5, 0x24, 0x06, number, data],
    ]
    .concat()
}

/// Header 1.10, union, Ethernet with 1514-byte frames. Source: USB CDC ECM 1.2 §5.4.
fn ethernet_descriptors(number: u8) -> Vec<u8> {
    [
        &[5, 0x24, 0x00, 0x10, 0x01][..],
        &[5, 0x24, 0x06, number, number + 1],
        &[13, 0x24, 0x0F, MAC_STRING, 0, 0, 0, 0, 0xEA, 0x05, 0, 0, 0],
    ]
    .concat()
}
