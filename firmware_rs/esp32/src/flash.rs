//! The flash: settings, the state that outlasts a restart, the slots, and what is kept of updates.

use core::cell::RefCell;
use core::fmt::Write;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use esp_bootloader_esp_idf::partitions::{
    AppPartitionSubType, FlashStorage, PARTITION_TABLE_MAX_LEN, PartitionTable, PartitionType,
    read_partition_table,
};
use esp_hal::peripherals::FLASH;
use heapless::String;
use minerva_board::records::{
    KEYS_AT, Kept, SETTINGS_HEADER, STATE_BYTES, State, check_settings, keys_length, read_keys,
    settings_length,
};
use minerva_device::ports::{Store, StoreError};
use minerva_device::settings::{self, MAX_BYTES, Settings, SettingsError};
use minerva_ota::flash::{FlashError, Region, SECTOR, Slot};
use minerva_ota::keyset::{self, KeySet};

/// A partition; one that is not there has no bytes.
#[derive(Clone, Copy, Default)]
struct Part {
    at: u32,
    size: u32,
}

/// Where everything lies.
#[derive(Clone, Copy, Default)]
struct Layout {
    settings: Part,
    state: Part,
    select: Part,
    records: Part,
    a: Part,
    b: Part,
}

impl Layout {
    fn read(table: &PartitionTable<'_>) -> Self {
        let part = |name: &str| {
            let entry = table.iter().find(|entry| entry.label_as_str() == name);
            entry.map_or(Part::default(), |entry| Part {
                at: entry.offset(),
                size: entry.len(),
            })
        };
        Self {
            settings: part("settings"),
            state: part("state"),
            select: part("otadata"),
            records: part("update"),
            a: part("ota_0"),
            b: part("ota_1"),
        }
    }

    const fn of(&self, region: Region) -> Part {
        match region {
            Region::Slot(Slot::A) => self.a,
            Region::Slot(Slot::B) => self.b,
            Region::Select => self.select,
            Region::Records => self.records,
        }
    }
}

/// The flash and what is kept in it.
pub struct Flash {
    storage: FlashStorage<'static>,
    layout: Layout,
    running: Option<Slot>,
    kept: Kept,
}

impl Flash {
    /// Reads the partition table and the state; a state that cannot be read counts as muted.
    pub fn new(flash: FLASH<'static>) -> Self {
        let mut storage = FlashStorage::new(flash);
        let mut buffer = [0; PARTITION_TABLE_MAX_LEN];
        let (mut layout, mut running) = (Layout::default(), None);
        if let Ok(table) = read_partition_table(&mut storage, &mut buffer) {
            layout = Layout::read(&table);
            let booted = table.booted_partition().ok().flatten();
            running = booted.and_then(|entry| match entry.partition_type() {
                PartitionType::App(AppPartitionSubType::Ota0) => Some(Slot::A),
                PartitionType::App(AppPartitionSubType::Ota1) => Some(Slot::B),
                _ => None,
            });
        }
        let mut new = Self {
            storage,
            layout,
            running,
            kept: Kept::read(&[[0; STATE_BYTES]; 2]),
        };
        let mut copies = [[0; STATE_BYTES]; 2];
        let [first, second] = &mut copies;
        let state = new.layout.state;
        if new.read(state, 0, first).is_ok() && new.read(state, SECTOR, second).is_ok() {
            new.kept = Kept::read(&copies);
        }
        new
    }

    /// Which slot runs; None where there are no slots.
    pub const fn running(&self) -> Option<Slot> {
        self.running
    }

    fn address(part: Part, at: u32, length: usize) -> Result<u32, FlashError> {
        let length = u32::try_from(length).map_err(|_| FlashError)?;
        let end = at.checked_add(length).ok_or(FlashError)?;
        if end > part.size {
            return Err(FlashError);
        }
        part.at.checked_add(at).ok_or(FlashError)
    }

    fn read(&mut self, part: Part, at: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        let address = Self::address(part, at, bytes.len())?;
        self.storage.read(address, bytes).map_err(|_| FlashError)
    }

    /// Not `write`, which would read, erase and write the whole sector for each page.
    fn write(&mut self, part: Part, at: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let address = Self::address(part, at, bytes.len())?;
        self.storage
            .write_nor(address, bytes)
            .map_err(|_| FlashError)
    }

    fn erase(&mut self, part: Part, at: u32) -> Result<(), FlashError> {
        let address = Self::address(part, at, SECTOR as usize)?;
        self.storage
            .erase(address, address + SECTOR)
            .map_err(|_| FlashError)
    }

    /// Keep a state; the one before stands until this one does.
    fn keep(&mut self, state: State) -> Result<(), FlashError> {
        let part = self.layout.state;
        let (copy, bytes) = self.kept.replace(state);
        let at = u32::from(copy) * SECTOR;
        self.erase(part, at)?;
        self.write(part, at, &bytes)
    }

    /// The settings as they were written to their partition.
    ///
    /// # Errors
    ///
    /// Why there are none.
    pub fn settings(&mut self) -> Result<Settings, SettingsError> {
        let part = self.layout.settings;
        let mut header = [0; SETTINGS_HEADER];
        self.read(part, 0, &mut header).map_err(unreadable)?;
        let length = settings_length(&header).map_err(|why| refused(why.text()))?;
        let mut json = alloc::vec![0; MAX_BYTES];
        let json = json.get_mut(..length).unwrap_or_default();
        self.read(part, SETTINGS_HEADER as u32, json)
            .map_err(unreadable)?;
        check_settings(&header, json).map_err(|why| refused(why.text()))?;
        settings::parse(json)
    }

    /// The key set that was written beside the settings, where there is one.
    pub fn keys(&mut self) -> Option<KeySet> {
        let part = self.layout.settings;
        let mut header = [0; SETTINGS_HEADER];
        self.read(part, KEYS_AT, &mut header).ok()?;
        let mut text = alloc::vec![0; keyset::MAX_BYTES];
        let text = text.get_mut(..keys_length(&header)?)?;
        self.read(part, KEYS_AT + SETTINGS_HEADER as u32, text)
            .ok()?;
        read_keys(&header, text)
    }
}

fn refused(why: &str) -> SettingsError {
    let mut text = String::new();
    // What does not fit is cut off.
    let _ = text.push_str(why);
    SettingsError(text)
}

fn unreadable(_: FlashError) -> SettingsError {
    let mut text = String::new();
    let _ = write!(
        text,
        "the settings partition cannot be read: flash it with partitions.csv"
    );
    SettingsError(text)
}

/// The flash, for the device's thread and the network's: each read or write is one critical section.
#[derive(Clone, Copy)]
pub struct Shared(pub &'static Mutex<CriticalSectionRawMutex, RefCell<Flash>>);

impl Shared {
    /// Do something with it.
    pub fn with<T>(self, f: impl FnOnce(&mut Flash) -> T) -> T {
        self.0.lock(|flash| f(&mut flash.borrow_mut()))
    }
}

impl minerva_ota::flash::Flash for Shared {
    fn size(&mut self, region: Region) -> u32 {
        self.with(|flash| flash.layout.of(region).size)
    }

    fn read(&mut self, region: Region, at: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        self.with(|flash| flash.read(flash.layout.of(region), at, bytes))
    }

    fn write(&mut self, region: Region, at: u32, bytes: &[u8]) -> Result<(), FlashError> {
        self.with(|flash| flash.write(flash.layout.of(region), at, bytes))
    }

    fn erase(&mut self, region: Region, at: u32) -> Result<(), FlashError> {
        self.with(|flash| flash.erase(flash.layout.of(region), at))
    }
}

impl Store for Shared {
    fn muted_at_button(&self) -> bool {
        self.with(|flash| flash.kept.state.muted_at_button)
    }

    fn set_muted_at_button(&mut self, muted_at_button: bool) -> Result<(), StoreError> {
        self.with(|flash| flash.keep(State { muted_at_button }))
            .map_err(|_| StoreError("the state partition cannot be written"))
    }
}
