//! Updates: the health gate of what runs, and errands to the update server.
//!
//! Both belong to the network's thread, which has one TLS session at a time: the link is closed while an errand talks.

use alloc::boxed::Box;
use alloc::ffi::CString;

use embassy_time::{Duration, Instant, Timer};
use esp_println::println;
use minerva_board::errand::{End, Errand, Held, Server};
use minerva_board::exchange::Exchange;
use minerva_device::News;
use minerva_device::settings::{Scheme, Settings, UpdateServer};
use minerva_ota::gate::Order;
use minerva_ota::keyset::KeySet;
use minerva_ota::manifest::{Target, Variant};
use minerva_ota::slots::{Next, Slots};
use minerva_ota::update::{Past, Updater};

use crate::chip::CHIP;
use crate::flash::Shared;
use crate::slots;

const LOOK: Duration = Duration::from_secs(1);
/// For the hub to hear that the device restarts, and for the console.
const TOLD: Duration = Duration::from_millis(500);

/// Where updates come from.
pub struct Source {
    /// Of the settings.
    pub server: &'static UpdateServer,
    /// Its authority, as PEM.
    pub ca: CString,
    /// The name that it must prove.
    pub name: CString,
    token: &'static str,
    updater: Updater<'static>,
}

/// The updates of this device.
pub struct Updates {
    slots: Slots,
    flash: Shared,
    exchange: &'static Exchange,
    keys: Option<KeySet>,
    board: &'static str,
    held: Held,
    source: Option<Source>,
    said: Option<News>,
}

fn now_ms() -> u64 {
    Instant::now().as_millis()
}

/// Settle what the last session left. None: there are no slots, or their records cannot be read.
pub fn begin(mut flash: Shared) -> Option<Slots> {
    let running = flash.with(|flash| flash.running())?;
    match Slots::start(&mut flash, running) {
        Ok((_, Next::Restart)) => {
            println!("slot {} is not the one to run: restarting", running.name());
            esp_hal::system::software_reset()
        }
        Ok((slots, Next::Run)) => Some(slots),
        Err(_) => {
            println!(
                "the partition update cannot be used: no updates, and no verdict on this firmware"
            );
            None
        }
    }
}

impl Source {
    /// None where the settings name no server, or one that cannot be used.
    fn new(settings: &'static Settings, slots: &Slots, random: fn() -> u64) -> Option<Self> {
        let server = settings.update.as_ref()?;
        if server.scheme != Scheme::Tls {
            println!("update.url is http://, which is for loopback: no updates");
            return None;
        }
        let (ca, name, token) = match &server.own {
            Some(own) => (&*own.ca, &*own.server_name, &*own.token),
            None => (&*settings.ca, &*settings.server_name, &*settings.token),
        };
        let security_version = alloc::format!("{}", slots.security_version()).leak();
        let attributes = Box::leak(Box::new([
            ("device", settings.device.as_str()),
            ("hwRevision", settings.board.as_str()),
            ("board", settings.board.as_str()),
            ("variant", "rust"),
            ("version", env!("CARGO_PKG_VERSION")),
            ("abi", CHIP.name()),
            ("slot", slots::name(Some(slots.running()))),
            ("security_version", &*security_version),
        ]));
        let past = Past::default();
        let running = slots.running_manifest();
        Some(Self {
            server,
            ca: CString::new(ca).ok()?,
            name: CString::new(name).ok()?,
            token,
            updater: Updater::new(&server.path, attributes, running, past, random),
        })
    }
}

impl Updates {
    /// Of a device whose slots were settled; on the heap, where there is more room than beside the stack.
    pub fn begin(
        slots: Slots,
        flash: Shared,
        exchange: &'static Exchange,
        settings: &'static Settings,
        random: fn() -> u64,
    ) -> &'static mut Self {
        let source = Source::new(settings, &slots, random);
        let new = Box::leak(Box::new(Self {
            keys: flash.with(|flash| flash.keys()),
            board: &settings.board,
            held: Held::default(),
            said: None,
            source,
            slots,
            flash,
            exchange,
        }));
        if new.slots.on_trial() {
            new.say("trial", None, None);
        } else {
            new.say_verdict();
        }
        new
    }

    fn say(&mut self, state: &'static str, code: Option<&'static str>, progress: Option<u8>) {
        let news = News {
            state,
            code,
            progress,
        };
        if self.said != Some(news) {
            self.said = Some(news);
            self.exchange.put_news(news);
        }
    }

    fn say_verdict(&mut self) {
        if let Some((_, stays, _)) = self.slots.outcome() {
            self.say(if stays { "kept" } else { "rolled_back" }, None, None);
        }
    }

    /// Look after the trial, until there is something to ask the update server for, and nobody speaks.
    pub async fn due(&mut self) {
        loop {
            Timer::after(LOOK).await;
            self.mind_the_trial();
            if self.is_due() {
                return;
            }
        }
    }

    /// Whether an errand may begin now.
    pub fn is_due(&mut self) -> bool {
        let Some(source) = self.source.as_mut().filter(|_| !self.slots.on_trial()) else {
            return false;
        };
        if self.exchange.take_check() {
            source.updater.check(now_ms());
        }
        now_ms() >= source.updater.due_ms() && self.exchange.is_quiet(now_ms())
    }

    /// Where to, and what to say there.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// Talk over a connection that stands, until there is nothing more to say on it.
    pub async fn talk(
        &mut self,
        from: &mut impl embedded_io_async::Read,
        to: &mut impl embedded_io_async::Write,
    ) -> End {
        let exchange = self.exchange;
        let Some(source) = &mut self.source else {
            return End::Later;
        };
        if source.updater.is_idle() {
            source.updater.past.outcome = loop {
                match self.slots.outcome() {
                    // No update server wanted that.
                    Some((0, ..)) if self.slots.reported(&mut self.flash).is_ok() => {}
                    Some((0, ..)) | None => break None,
                    known => break known,
                }
            };
        }
        let target = Target {
            variant: Variant::Rust,
            board: self.board,
            abi: CHIP.name(),
            security_version: self.slots.security_version(),
            utc_s: exchange.utc_s(),
        };
        let server = Server {
            host: &source.server.host,
            port: source.server.port,
            token: source.token,
        };
        Errand {
            updater: &mut source.updater,
            slots: &mut self.slots,
            flash: &mut self.flash,
            held: &mut self.held,
            keys: self.keys.as_ref(),
            target,
            server,
            now_ms,
            quiet: || exchange.is_quiet(now_ms()),
            pause: async |ms| Timer::after(Duration::from_millis(ms)).await,
        }
        .run(from, to)
        .await
    }

    /// The connection could not be made, or broke off.
    pub fn broke_off(&mut self, why: &str) {
        println!("update: {why}");
        if let Some(source) = &mut self.source {
            use minerva_ota::Trouble;
            source.updater.failed(now_ms(), &Trouble::network(why));
        }
    }

    /// An errand ended, or got further: tell the hub.
    pub fn tell(&mut self) {
        let Some(source) = &self.source else {
            return;
        };
        let updater = &source.updater;
        let state = updater.state();
        let code = updater
            .code()
            .filter(|_| state == "failed")
            .map(|code| code.as_str());
        let progress = (state == "downloading").then(|| updater.progress());
        self.say(state, code, progress);
    }

    /// Into what was installed.
    pub async fn restart(&mut self) -> ! {
        println!("update: restarting into the other slot");
        Timer::after(TOLD).await;
        esp_hal::system::software_reset()
    }

    /// Ask the health gate, and do what it says.
    fn mind_the_trial(&mut self) {
        let facts = self.exchange.facts();
        let order = self.slots.decide(&facts);
        if order == Order::Wait {
            return;
        }
        let done = self.slots.carry_out(&mut self.flash, order, &facts);
        match (order, done) {
            (_, Err(_)) => println!("the slot's record cannot be written"),
            (Order::Keep, Ok(_)) => println!("the trial of this firmware is over: it stays"),
            (Order::Blame, Ok(_)) => {
                println!("the other slot's trial is over: it did not reach the hub");
            }
            (Order::GiveUp(why), Ok(_)) => {
                let why = why.text();
                println!("the trial of this firmware is over: {why}; back to the other slot");
            }
            (Order::TryAgain, Ok(_)) => {
                println!("no hub here either: the other slot gets another turn")
            }
            (Order::Wait, Ok(_)) => {}
        }
        if done == Ok(Next::Restart) {
            esp_hal::system::software_reset();
        }
        self.say_verdict();
    }
}
