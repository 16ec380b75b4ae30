//! The loop of the device: microphone, button, light, watchdog, and what the updater hears of it.
//!
//! It is a thread of its own above the network's, so that a TLS handshake, which keeps the processor for a second or
//! two, costs no sound. It is no interrupt: those run on the stack of whatever they interrupt.

use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::c_void;

use embassy_time::Instant;
use esp_hal::gpio::Input;
use esp_hal::rtc_cntl::{Rwdt, RwdtStage};
use esp_hal::time::Duration;
use esp_println::println;
use esp_radio_rtos_driver::task_create;
use esp_rtos::CurrentThreadHandle;
use minerva_board::boards::Board;
use minerva_board::button::Button;
use minerva_board::exchange::Exchange;
use minerva_board::watch::{self, Loop, Watch};
use minerva_board::wire::DeviceEnd;
use minerva_device::ports::Clock;
use minerva_device::settings::Settings;
use minerva_device::{Device, Identity, LightState};
use minerva_ota::flash::Slot;
use minerva_ota::gate::Facts;
use static_cell::StaticCell;

use crate::chip::{CHIP, PSRAM_RING_BYTES, RING_BYTES};
use crate::flash::Shared;
use crate::light::Light;
use crate::mic::Mic;
use crate::slots;

/// How often a button is looked at; the DMA bridges 320 ms.
const LOOK_MS: u32 = 10;
/// Above the network, which is main's thread with 0, and below the radio's own.
const PRIORITY: u32 = 1;
/// A write to flash alone takes 4 kB of it.
const STACK_BYTES: usize = 20 * 1024;
/// How often the health gate hears how it is.
const TELL_MS: u32 = 1000;

/// What the loop is made of.
pub struct Parts {
    /// Of this device.
    pub settings: &'static Settings,
    /// Its board.
    pub board: &'static Board,
    /// The slot that runs, where there are slots.
    pub running: Option<Slot>,
    /// The flash.
    pub flash: Shared,
    /// The microphone.
    pub mic: Mic,
    /// The light.
    pub light: Light,
    /// The button's pin.
    pub button: Input<'static>,
    /// The watchdog, which sleeps still.
    pub watchdog: Rwdt,
    /// The line to the network.
    pub wire: DeviceEnd<'static>,
    /// Which loops go round.
    pub watch: &'static Watch,
    /// What the updater is told, and tells.
    pub exchange: &'static Exchange,
    /// Unpredictable numbers.
    pub random: fn() -> u64,
}

/// All of it, in its place.
pub struct Body {
    device: Device<'static>,
    parts: Parts,
}

static PLACE: StaticCell<Body> = StaticCell::new();

struct Ticks;

impl Clock for Ticks {
    #[allow(clippy::cast_possible_truncation)] // it wraps, as the trait says
    fn ticks_ms(&self) -> u32 {
        Instant::now().as_millis() as u32
    }
}

/// Make the device.
///
/// # Errors
///
/// When its ring does not fit the memory.
pub fn begin(parts: Parts) -> Result<&'static mut Body, String> {
    let ring = match parts.settings.ring_bytes as usize {
        0 if esp_alloc::HEAP.free() > 4 * PSRAM_RING_BYTES => PSRAM_RING_BYTES,
        0 => RING_BYTES,
        bytes => bytes,
    };
    let size = Device::memory_bytes(ring);
    let mut memory = Vec::new();
    if memory.try_reserve_exact(size).is_err() {
        return Err(alloc::format!(
            "settings.json: ring_bytes {ring} needs {size} bytes; {} are free",
            esp_alloc::HEAP.free()
        ));
    }
    memory.resize(size, 0);
    let identity = Identity {
        board: parts.board.name,
        version: env!("CARGO_PKG_VERSION"),
        slot: slots::name(parts.running),
        features: CHIP.has_fpu(),
        start_ms: 0,
    };
    let mut device = Device::new(parts.settings, identity, memory.leak(), parts.random)
        .map_err(|error| alloc::format!("{error:?}"))?;
    if parts.settings.update.is_some() && parts.running.is_some() {
        device.has_updater();
    }
    Ok(PLACE.init(Body { device, parts }))
}

/// Begin; from now on the device runs by itself.
pub fn start(body: &'static mut Body) {
    fn may_go_to_a_thread<T: Send>(_: &T) {}
    may_go_to_a_thread(body);
    let body = core::ptr::from_mut(body).cast();
    // SAFETY: `thread` is given the only reference to a body that lives for ever and may be sent.
    #[allow(unsafe_code)]
    unsafe {
        task_create("device", thread, body, PRIORITY, None, STACK_BYTES);
    }
}

extern "C" fn thread(body: *mut c_void) {
    // SAFETY: `start` made this pointer of the only reference there is, and starts one thread.
    #[allow(unsafe_code)]
    let body = unsafe { &mut *body.cast::<Body>() };
    run(body)
}

fn run(body: &mut Body) -> ! {
    let Body { device, parts } = body;
    let mut button = Button::default();
    let patience = Duration::from_millis(watch::TIMEOUT_MS);
    parts.watchdog.set_timeout(RwdtStage::Stage0, patience);
    parts.watchdog.enable();
    let mut told_at = Ticks.ticks_ms();
    loop {
        let now = Ticks.ticks_ms();
        if button.look(parts.button.is_low(), now) {
            device.press_button(&mut parts.mic, &mut parts.flash);
        }
        let wait = device.poll(&Ticks, &mut parts.mic, &mut parts.wire, &mut parts.flash);
        if device.speech() {
            parts.exchange.speaks(Instant::now().as_millis());
        }
        parts.light.show(device.light(), now);
        while let Some(note) = device.take_note() {
            println!("{note}");
        }
        if now.wrapping_sub(told_at) >= TELL_MS {
            told_at = now;
            device.set_heap_free(esp_alloc::HEAP.free() as u64);
            tell(device, parts);
        }
        parts.watch.alive(Loop::Device);
        if parts.watch.all_alive() {
            parts.watchdog.feed();
        }
        let pause = Duration::from_millis(u64::from(wait.clamp(1, LOOK_MS)));
        CurrentThreadHandle::get().delay(pause);
    }
}

/// Tell the updater how it is, and the hub how an update goes.
fn tell(device: &mut Device<'_>, parts: &mut Parts) {
    let facts = Facts {
        welcomed: device.utc_ms().is_some(),
        health_acked: device.health_acked(),
        microphone: parts.mic.verdict(),
        muted: device.light() == LightState::Muted,
        uptime_ms: Instant::now().as_millis(),
    };
    let utc_s = device.utc_ms().map(|ms| ms / 1000);
    parts
        .exchange
        .tell(facts, utc_s, device.take_update_check());
    if let Some(news) = parts.exchange.take_news() {
        device.tell_update(news);
    }
}
