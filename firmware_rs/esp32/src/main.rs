//! The board binary: Minerva's device with a microphone, a Wi-Fi and a hub.
//!
//! What it decides stands in `minerva-board` and `minerva-device`, which are tested on the host. Here is what touches
//! the chip. Nothing of it has run on one yet: see the README beside this crate.
#![no_std]
#![no_main]

extern crate alloc;
use tinyrlibc as _;

mod chip;
mod device;
mod flash;
mod light;
mod mic;
mod network;
mod panic;
mod slots;
mod updates;
mod wifi;

use alloc::ffi::CString;
use core::cell::RefCell;

use embassy_executor::Spawner;
use embassy_net::{DhcpConfig, StackResources};
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_time::{Duration, Timer};
use esp_hal::clock::CpuClock;
use esp_hal::rng::{Rng, Trng};
use esp_hal::rtc_cntl::Rtc;
use esp_hal::timer::timg::TimerGroup;
use esp_println::println;
use esp_radio::wifi::{ControllerConfig, Interface, WifiController};
use minerva_board::boards;
use minerva_board::exchange::Exchange;
use minerva_board::watch::Watch;
use minerva_board::wire::Wire;
use minerva_device::settings::Settings;
use minerva_tls::Tls;
use static_cell::StaticCell;

use chip::CHIP;
use device::Parts;
use flash::{Flash, Shared};
use light::Light;
use mic::Mic;
use updates::Updates;

esp_bootloader_esp_idf::esp_app_desc!();

/// One for the hub, one for DHCP, one for names.
const SOCKETS: usize = 3;

static WIRE: Wire = Wire::new();
static WATCH: Watch = Watch::new();
static EXCHANGE: Exchange = Exchange::new();
static FLASH: StaticCell<Mutex<CriticalSectionRawMutex, RefCell<Flash>>> = StaticCell::new();
static SETTINGS: StaticCell<Settings> = StaticCell::new();
static RANDOM: StaticCell<Trng> = StaticCell::new();
static TLS: StaticCell<Tls<'static>> = StaticCell::new();
static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();

/// Text that the owner must read, for as long as the chip is on: there is nothing else to do.
async fn stop(why: &str) -> ! {
    loop {
        println!("{why}");
        Timer::after(Duration::from_secs(10)).await;
    }
}

/// An unpredictable number: the radio is on, which feeds the generator.
fn random() -> u64 {
    let rng = Rng::new();
    u64::from(rng.random()) << 32 | u64::from(rng.random())
}

#[esp_rtos::main]
async fn main(spawner: Spawner) -> ! {
    let chip = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    chip::heap!(chip);
    let timers = TimerGroup::new(chip.TIMG0);
    esp_rtos::start(timers.timer0, chip.FROM_CPU_INTR0);

    let flash = Shared(FLASH.init(Mutex::new(RefCell::new(Flash::new(chip.FLASH)))));
    let running = flash.with(|flash| flash.running());
    println!(
        "minerva {} (Rust, EXPERIMENTAL: not yet run on hardware), {}, slot {}",
        env!("CARGO_PKG_VERSION"),
        CHIP.name(),
        slots::name(running),
    );
    let slots = updates::begin(flash);
    if !CHIP.has_fpu() {
        println!("{} has no FPU: audio only, no features", CHIP.name());
    }
    let settings = match flash.with(Flash::settings) {
        Ok(settings) => SETTINGS.init(settings),
        Err(error) => stop(&error.0).await,
    };
    let board = match boards::find(&settings.board, CHIP) {
        Ok(board) => board,
        Err(why) => {
            stop(&alloc::format!(
                "settings.json: board {} {why}",
                settings.board
            ))
            .await
        }
    };
    let Some(network) = &settings.wifi else {
        stop("settings.json: wifi is missing; this board reaches the hub by Wi-Fi").await
    };
    let (Ok(ca), Ok(name)) = (
        CString::new(settings.ca.as_str()),
        CString::new(settings.server_name.as_str()),
    ) else {
        stop("settings.json: ca or server_name has a zero byte").await
    };

    let controller = match WifiController::new(chip.WIFI, ControllerConfig::default()) {
        Ok(controller) => controller,
        Err(error) => stop(&alloc::format!("the radio does not start: {error:?}")).await,
    };
    // The radio feeds it; it is not to be had before.
    let Ok(trng) = Trng::try_new() else {
        stop("the chip's source of random numbers does not start").await
    };
    let Ok(tls) = Tls::new(RANDOM.init(trng)) else {
        stop("TLS does not start").await
    };
    let (stack, runner) = embassy_net::new(
        Interface::station(),
        embassy_net::Config::dhcpv4(DhcpConfig::default()),
        RESOURCES.init(StackResources::new()),
        random(),
    );

    let parts = Parts {
        settings,
        board,
        running,
        flash,
        mic: Mic::new(board.microphone, chip.I2S0, chip.DMA_CH0),
        light: Light::new(board.light, chip.RMT),
        button: chip::input(board.button),
        watchdog: Rtc::new(chip.RTC_TIMER).rwdt,
        wire: WIRE.device(),
        watch: &WATCH,
        exchange: &EXCHANGE,
        random,
    };
    let device = match device::begin(parts) {
        Ok(device) => device,
        Err(why) => stop(&why).await,
    };
    device::start(device);
    let updates = slots.map(|slots| Updates::begin(slots, flash, &EXCHANGE, settings, random));
    let hub = network::Hub {
        settings,
        ca,
        name,
        tls: TLS.init(tls).reference(),
    };
    match (
        network::run(runner),
        network::keep(hub, stack, &WIRE, &WATCH, updates),
        wifi::keep(controller, network, &WIRE, &WATCH),
    ) {
        (Ok(run), Ok(link), Ok(join)) => {
            spawner.spawn(run);
            spawner.spawn(link);
            spawner.spawn(join);
        }
        _ => stop("no room for the network's tasks").await,
    }
    core::future::pending().await
}
