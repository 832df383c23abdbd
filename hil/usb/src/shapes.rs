//! The one table of what the descriptors of real modules say, with the confidence of each row.
//!
//! `Enumerated` says which interfaces have a port; this table adds what USB needs beyond that. What it does not know
//! is numbered as it comes ([`crate::layout`]). Source: specs/usb-and-hosts.md §1.1, §1.2; marks as there.

/// What is known of one USB id.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub vid: u16,
    pub pid: u16,
    /// bDeviceClass, bDeviceSubClass, bDeviceProtocol.
    pub class: [u8; 3],
    /// Most current drawn from the bus, in mA.
    pub milliamperes: u16,
    pub functions: &'static [Function],
    /// Most bytes of one transfer to the host; none: as many as there are.
    pub reply_piece: Option<usize>,
    /// Bytes of the receiver's DMA block: what has arrived is seen when the block is full or a short packet ends it.
    pub receive_block: Option<usize>,
    /// Says nothing, and takes nothing, before a host has raised DTR.
    pub needs_dtr: bool,
}

/// One function of a module.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// bInterfaceNumber; a CDC function has its data interface at the next number.
    pub number: u8,
    pub kind: Kind,
    pub bulk_out: u8,
    pub bulk_in: u8,
    pub interrupt_in: Option<u8>,
}

/// What its descriptors say a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ff/00/00 with a bulk pair: `option` makes a `ttyUSBn` of it.
    Serial,
    /// 02/02/01 and 0a/00/00: `cdc_acm` makes a `ttyACMn` of it.
    Acm,
    /// 02/06/00 and 0a/00/00: `cdc_ether` makes a network interface of it. It is always there.
    Ethernet,
}

const fn serial(number: u8, bulk_out: u8, bulk_in: u8, interrupt_in: Option<u8>) -> Function {
    Function {
        number,
        kind: Kind::Serial,
        bulk_out,
        bulk_in,
        interrupt_in,
    }
}

const fn acm(number: u8, bulk_out: u8, bulk_in: u8, interrupt_in: u8) -> Function {
    Function {
        number,
        kind: Kind::Acm,
        bulk_out,
        bulk_in,
        interrupt_in: Some(interrupt_in),
    }
}

const fn ethernet(bulk_out: u8, bulk_in: u8, interrupt_in: u8) -> Function {
    Function {
        number: 0,
        kind: Kind::Ethernet,
        bulk_out,
        bulk_in,
        interrupt_in: Some(interrupt_in),
    }
}

/// Endpoints [2] (espressif/esp-iot-solution#111, #227); those of the REPL [?].
const ASR_RUN: &[Function] = &[
    ethernet(0x0C, 0x83, 0x87),
    serial(2, 0x0B, 0x82, None),
    serial(3, 0x0F, 0x86, Some(0x89)),
    serial(4, 0x0A, 0x81, Some(0x88)),
    acm(5, 0x0E, 0x85, 0x84),
];

/// A whole descriptor [V].
const UNISOC_RUN: &[Function] = &[
    ethernet(0x01, 0x82, 0x81),
    serial(2, 0x02, 0x84, Some(0x83)),
    serial(3, 0x03, 0x85, None),
    serial(4, 0x04, 0x86, None),
    serial(5, 0x05, 0x87, None),
    serial(6, 0x06, 0x88, None),
    serial(7, 0x07, 0x8A, Some(0x89)),
    serial(8, 0x08, 0x8B, None),
];

/// Interfaces and the place of the network function [2], endpoints [?].
const EIGENCOMM_RUN: &[Function] = &[
    ethernet(0x01, 0x82, 0x81),
    serial(2, 0x02, 0x83, None),
    serial(3, 0x03, 0x84, None),
    serial(4, 0x04, 0x85, None),
];

/// Out 0x02 and in 0x81 [1], interrupt [?]. Source: specs/asr-aboot.md §1.1.
const ASR_DOWNLOAD: &[Function] = &[acm(0, 0x02, 0x81, 0x83)];
/// That it is CDC-ACM [V], endpoints [?].
const UIS8910_DOWNLOAD: &[Function] = &[acm(0, 0x01, 0x81, 0x82)];
/// Interface 1 [V], its class and endpoints [?].
const UIS8850_DOWNLOAD: &[Function] = &[serial(1, 0x01, 0x81, None)];
/// One CDC-ACM function [?], endpoints [?]. Source: specs/eigencomm-agentboot.md §1.1.
const EIGENCOMM_DOWNLOAD: &[Function] = &[acm(0, 0x01, 0x81, 0x82)];

/// Replies of Unisoc loaders leave in such pieces, in bytes. Source: specs/unisoc-pac-bsl.md §2.3 [V].
const UNISOC_PIECE: usize = 128;
/// DMA block of Unisoc loaders, in bytes. Source: specs/unisoc-pac-bsl.md §2.3 [V].
const UNISOC_BLOCK: usize = 2048;

const RUN: Shape = Shape {
    vid: 0x2C7C,
    pid: 0,
    class: [0, 0, 0],
    milliamperes: 400,
    functions: &[],
    reply_piece: None,
    receive_block: None,
    // Ports of modules may stay silent without DTR. Source: specs/identity.md §1.1.
    needs_dtr: true,
};

const DOWNLOAD: Shape = Shape {
    class: [2, 0, 0],
    needs_dtr: false,
    ..RUN
};

/// The table.
pub const TABLE: &[Shape] = &[
    Shape {
        pid: 0x6001,
        functions: ASR_RUN,
        ..RUN
    },
    Shape {
        pid: 0x6002,
        functions: ASR_RUN,
        ..RUN
    },
    Shape {
        pid: 0x0901,
        functions: UNISOC_RUN,
        ..RUN
    },
    // Assumed to be like 0901 [?]; that AT is at 2 [V].
    Shape {
        pid: 0x0904,
        functions: UNISOC_RUN,
        ..RUN
    },
    Shape {
        pid: 0x0903,
        class: [0xEF, 2, 1],
        functions: EIGENCOMM_RUN,
        ..RUN
    },
    // DTR and RTS are set by the vendor's loader before the first byte. Source: specs/asr-aboot.md §1.1 [V].
    Shape {
        vid: 0x2ECC,
        pid: 0x3017,
        functions: ASR_DOWNLOAD,
        needs_dtr: true,
        ..DOWNLOAD
    },
    Shape {
        vid: 0x2ECC,
        pid: 0x3004,
        functions: ASR_DOWNLOAD,
        needs_dtr: true,
        ..DOWNLOAD
    },
    // Its ROM speaks PDL, whose frames need no short packet at the end, so no receive block. Source:
    // specs/unisoc-pac-bsl.md §2.3 [V].
    Shape {
        vid: 0x0525,
        pid: 0xA4A7,
        functions: UIS8910_DOWNLOAD,
        reply_piece: Some(UNISOC_PIECE),
        ..DOWNLOAD
    },
    Shape {
        vid: 0x1782,
        pid: 0x4D16,
        class: [0, 0, 0],
        functions: UIS8850_DOWNLOAD,
        reply_piece: Some(UNISOC_PIECE),
        receive_block: Some(UNISOC_BLOCK),
        ..DOWNLOAD
    },
    // A host must raise DTR. Source: specs/eigencomm-agentboot.md §1.1 [?].
    Shape {
        vid: 0x17D1,
        pid: 0x0001,
        functions: EIGENCOMM_DOWNLOAD,
        needs_dtr: true,
        ..DOWNLOAD
    },
];

/// What is known of that id; of an unknown one, that it is a run-mode module or a stranger.
pub fn lookup(vid: u16, pid: u16) -> Shape {
    let known = TABLE.iter().find(|shape| shape.vid == vid && shape.pid == pid);
    known.copied().unwrap_or(Shape {
        vid,
        pid,
        needs_dtr: false,
        ..RUN
    })
}
