//! Ethernet, IPv6, neighbour discovery and UDP: smoltcp between two queues of Ethernet frames, on the wire's clock.

use std::collections::VecDeque;
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::socket::udp;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr, IpEndpoint, IpListenEndpoint, Ipv6Address};

use super::{LARGEST_FRAME, Mac};

/// The module's port. Source: specs/asr-aboot.md §3.7 (V).
const MODULE_PORT: u16 = 5554;
/// Our port; the module replies to whatever port it hears. Source: §3.7 (V-win).
const HOST_PORT: u16 = 60001;
/// Bytes of the largest Ethernet frame, header included.
const ETHERNET_FRAME: usize = 1514;
/// What the vendor's host sends as hop limit. Source: the recorded bytes of §3.7 (V-win).
const HOP_LIMIT: u8 = 255;
/// Packets that wait for the module's neighbour advertisement, or for us.
const QUEUED: usize = 8;

/// One end of the link, which knows the other.
pub struct Stack {
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    module: IpEndpoint,
    frames: Frames,
}

/// Link-local address of a MAC. Source: specs/asr-aboot.md §3.7 (V).
fn link_local(mac: Mac) -> Ipv6Address {
    let [a, b, c, d, e, f] = mac;
    Ipv6Address::from([0xFE, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xFF, 0xFE, d, e, f])
}

impl Stack {
    /// The stack of `host`, speaking to `module`; both are unicast MACs.
    pub fn new(host: Mac, module: Mac, now: Duration) -> Self {
        let mut frames = Frames::default();
        let config = Config::new(EthernetAddress(host).into());
        let mut interface = Interface::new(config, &mut frames, instant(now));
        interface.update_ip_addrs(|addresses| {
            // The list has room for more than one.
            let _ = addresses.push(IpCidr::new(link_local(host).into(), 64));
        });
        let buffer = || {
            let packets = vec![udp::PacketMetadata::EMPTY; QUEUED];
            udp::PacketBuffer::new(packets, vec![0; QUEUED * LARGEST_FRAME])
        };
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.set_hop_limit(Some(HOP_LIMIT));
        // Neither port is 0 and the socket is new: it cannot refuse.
        let _ = socket.bind(IpListenEndpoint::from(HOST_PORT));
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let socket = sockets.add(socket);
        Stack {
            interface,
            sockets,
            socket,
            module: IpEndpoint::new(IpAddress::from(link_local(module)), MODULE_PORT),
            frames,
        }
    }

    /// Queues a packet for the module. One for which there is no room is lost, as on any Ethernet.
    pub fn send(&mut self, packet: &[u8], now: Duration) {
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(self.socket);
        let _ = socket.send_slice(packet, self.module);
        self.turn(now);
    }

    /// Takes in an Ethernet frame of the module.
    pub fn hear(&mut self, frame: &[u8], now: Duration) {
        self.frames.heard.push_back(frame.to_vec());
        self.turn(now);
    }

    /// Does what is due: above all, solicits the module again when it was not found.
    pub fn turn(&mut self, now: Duration) {
        self.interface
            .poll(instant(now), &mut self.frames, &mut self.sockets);
    }

    /// The next packet that the module has sent from its port.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(self.socket);
        while let Ok((packet, from)) = socket.recv() {
            if from.endpoint == self.module {
                return Some(packet.to_vec());
            }
        }
        None
    }

    /// The next Ethernet frame for the module.
    pub fn outgoing(&mut self) -> Option<Vec<u8>> {
        self.frames.said.pop_front()
    }
}

fn instant(now: Duration) -> Instant {
    Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

/// The network card: frames that were heard, and frames to be said.
#[derive(Default)]
struct Frames {
    heard: VecDeque<Vec<u8>>,
    said: VecDeque<Vec<u8>>,
}

struct Heard(Vec<u8>);

struct Said<'f>(&'f mut VecDeque<Vec<u8>>);

impl Device for Frames {
    type RxToken<'f> = Heard;
    type TxToken<'f> = Said<'f>;

    fn receive(&mut self, _: Instant) -> Option<(Heard, Said<'_>)> {
        let frame = self.heard.pop_front()?;
        Some((Heard(frame), Said(&mut self.said)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Said<'_>> {
        Some(Said(&mut self.said))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = ETHERNET_FRAME;
        capabilities
    }
}

impl phy::RxToken for Heard {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl phy::TxToken for Said<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        let mut frame = vec![0; len];
        let result = fill(&mut frame);
        self.0.push_back(frame);
        result
    }
}
