//! What a device costs in memory.

use minerva_device::{Device, STOCK_RING, TooLittleMemory};

use crate::world::{IDENTITY, random, settings};

#[test]
fn a_device_is_small() {
    let size = size_of::<Device<'static>>();
    println!("Device: {size} bytes");
    println!(
        "memory of a stock ring: {} bytes",
        Device::memory_bytes(STOCK_RING)
    );
    assert!(size <= 16_384, "{size} bytes");
    assert!(Device::memory_bytes(STOCK_RING) <= STOCK_RING + 18_000);
}

#[test]
fn too_little_memory_is_refused() {
    let mut memory = [0; 1000];
    let refused = Device::new(&settings("full"), IDENTITY, &mut memory, random).err();
    assert!(matches!(refused, Some(TooLittleMemory { given: 1000, .. })));
}
