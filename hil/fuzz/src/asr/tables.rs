//! No table makes the parser panic; a partition table it takes lies inside its flash.

use qpyflash_protocols::asr::tables::Table;

/// One input.
pub fn run(bytes: &[u8]) {
    let _ = Table::parse("fuzz", bytes);
    // The old form has no check sum, so that the entries are reached.
    let old = &bytes[..bytes.len().min(0x888)];
    if let Ok(Table::Partitions(table)) = Table::parse("fuzz", old) {
        for partition in &table.partitions {
            assert!(u64::from(partition.start) + u64::from(partition.size) <= table.size());
            assert!(table.find(&partition.name).is_some());
        }
    }
}
