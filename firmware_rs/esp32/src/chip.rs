//! What differs between the chips, and the pins by their numbers.

use esp_hal::gpio::{AnyPin, Input, InputConfig, Pull};
use minerva_board::boards::Chip;

#[cfg(not(any(
    all(
        feature = "esp32s3",
        not(any(feature = "esp32c6", feature = "esp32c3"))
    ),
    all(
        feature = "esp32c6",
        not(any(feature = "esp32s3", feature = "esp32c3"))
    ),
    all(
        feature = "esp32c3",
        not(any(feature = "esp32s3", feature = "esp32c6"))
    ),
)))]
compile_error!("choose one chip: --features esp32s3, esp32c6 or esp32c3");

/// The chip of this image.
#[cfg(feature = "esp32s3")]
pub const CHIP: Chip = Chip::Esp32S3;
/// The chip of this image.
#[cfg(feature = "esp32c6")]
pub const CHIP: Chip = Chip::Esp32C6;
/// The chip of this image.
#[cfg(feature = "esp32c3")]
pub const CHIP: Chip = Chip::Esp32C3;

/// Bytes of the heap beside what the bootloader leaves. Of them all Wi-Fi takes 57 kB, TLS 45, the device 32 and its
/// ring, its thread 20; what is left of the chip's memory is the stack of the network.
pub const HEAP_BYTES: usize = match CHIP {
    Chip::Esp32S3 => 160 * 1024,
    Chip::Esp32C6 => 208 * 1024,
    Chip::Esp32C3 => 136 * 1024,
};
/// The memory in which the bootloader ran.
pub const RECLAIMED_BYTES: usize = 64 * 1024;
/// Bytes of a ring where the settings leave it open and there is no PSRAM: five seconds of ADPCM, on a C3 two.
pub const RING_BYTES: usize = if cfg!(feature = "esp32c3") {
    20_480
} else {
    49_152
};
/// The same with PSRAM.
pub const PSRAM_RING_BYTES: usize = 1 << 20;

/// Give the memory of this chip to the heap.
macro_rules! heap {
    ($chip:ident) => {
        esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: crate::chip::RECLAIMED_BYTES);
        esp_alloc::heap_allocator!(size: crate::chip::HEAP_BYTES);
        #[cfg(feature = "esp32s3")]
        esp_alloc::psram_allocator!($chip.PSRAM, esp_hal::psram);
    };
}
pub(crate) use heap;

/// A pin of the board's table.
pub fn pin(number: u8) -> AnyPin<'static> {
    // SAFETY: each pin is to be used once. The numbers come from one board of minerva_board::boards, whose tests say
    // that they exist on its chip and that none is there twice; `main` takes each of them once; nothing else takes pins.
    #[allow(unsafe_code)]
    unsafe {
        AnyPin::steal(number)
    }
}

/// A pin that something pulls to ground.
pub fn input(number: u8) -> Input<'static> {
    Input::new(pin(number), InputConfig::default().with_pull(Pull::Up))
}
