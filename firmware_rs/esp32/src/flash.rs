//! The flash: settings, the state that outlasts a restart, and which slot runs.

use core::fmt::Write;

use esp_bootloader_esp_idf::ota::OtaImageState;
use esp_bootloader_esp_idf::ota_updater::OtaUpdater;
use esp_bootloader_esp_idf::partitions::{
    AppPartitionSubType, Error, FlashStorage, PARTITION_TABLE_MAX_LEN, PartitionEntry,
    PartitionType, read_partition_table,
};
use esp_hal::peripherals::FLASH;
use heapless::String;
use minerva_board::boot::Running;
use minerva_board::records::{
    Kept, SETTINGS_HEADER, STATE_BYTES, State, check_settings, settings_length,
};
use minerva_device::ports::{Store, StoreError};
use minerva_device::settings::{self, MAX_BYTES, Settings, SettingsError};

const SECTOR: u32 = 4096;
const STATE: &str = "state";
const SETTINGS: &str = "settings";

/// The flash and what is kept in it.
pub struct Flash {
    storage: FlashStorage<'static>,
    table: [u8; PARTITION_TABLE_MAX_LEN],
    kept: Kept,
}

impl Flash {
    /// Reads the state; one that cannot be read counts as muted.
    pub fn new(flash: FLASH<'static>) -> Self {
        let mut new = Self {
            storage: FlashStorage::new(flash),
            table: [0; PARTITION_TABLE_MAX_LEN],
            kept: Kept::read(&[[0; STATE_BYTES]; 2]),
        };
        if let Ok(copies) = new.read_state() {
            new.kept = Kept::read(&copies);
        }
        new
    }

    /// The state that is kept.
    pub const fn state(&self) -> State {
        self.kept.state
    }

    fn find(&mut self, name: &str) -> Result<PartitionEntry, Error> {
        let table = read_partition_table(&mut self.storage, &mut self.table)?;
        table
            .iter()
            .find(|entry| entry.label_as_str() == name)
            .ok_or(Error::Invalid)
    }

    fn read(&mut self, name: &str, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        let entry = self.find(name)?;
        entry.as_flash_region(&mut self.storage).read(offset, bytes)
    }

    fn read_state(&mut self) -> Result<[[u8; STATE_BYTES]; 2], Error> {
        let mut copies = [[0; STATE_BYTES]; 2];
        let [first, second] = &mut copies;
        self.read(STATE, 0, first)?;
        self.read(STATE, SECTOR, second)?;
        Ok(copies)
    }

    /// Keep a state; the one before stands until this one does.
    ///
    /// # Errors
    ///
    /// When the flash cannot be written. What is kept is then the state before, or this one.
    pub fn keep(&mut self, state: State) -> Result<(), Error> {
        let entry = self.find(STATE)?;
        let (copy, bytes) = self.kept.replace(state);
        let mut region = entry.as_flash_region(&mut self.storage);
        let start = u32::from(copy) * SECTOR;
        region.erase(start, start + SECTOR)?;
        region.write(start, &bytes)
    }

    /// The settings as they were written to their partition.
    ///
    /// # Errors
    ///
    /// Why there are none.
    pub fn settings(&mut self) -> Result<Settings, SettingsError> {
        let mut header = [0; SETTINGS_HEADER];
        self.read(SETTINGS, 0, &mut header)
            .map_err(|error| unreadable(&error))?;
        let length = settings_length(&header).map_err(|why| refused(why.text()))?;
        let mut json = alloc::vec![0; MAX_BYTES];
        let json = json.get_mut(..length).unwrap_or_default();
        self.read(SETTINGS, SETTINGS_HEADER as u32, json)
            .map_err(|error| unreadable(&error))?;
        check_settings(&header, json).map_err(|why| refused(why.text()))?;
        settings::parse(json)
    }

    /// Which slot runs; None where there are no slots, or none was ever selected.
    pub fn running(&mut self) -> Option<Running> {
        let table = read_partition_table(&mut self.storage, &mut self.table).ok()?;
        let slot = match table.booted_partition().ok()??.partition_type() {
            PartitionType::App(AppPartitionSubType::Ota0) => 0,
            PartitionType::App(AppPartitionSubType::Ota1) => 1,
            _ => return None,
        };
        let mut slots = OtaUpdater::new(&mut self.storage, &mut self.table).ok()?;
        // An image that was written by USB has no record of its own: it is not on trial.
        let on_trial = matches!(
            slots.current_ota_state(),
            Ok(OtaImageState::New | OtaImageState::PendingVerify)
        );
        Some(Running { slot, on_trial })
    }

    /// Say of the running slot whether it is good.
    ///
    /// # Errors
    ///
    /// When the flash cannot be written.
    pub fn mark(&mut self, good: bool) -> Result<(), Error> {
        let state = if good {
            OtaImageState::Valid
        } else {
            OtaImageState::Invalid
        };
        OtaUpdater::new(&mut self.storage, &mut self.table)?.set_current_ota_state(state)
    }

    /// Select the other slot for the next start, on trial.
    ///
    /// # Errors
    ///
    /// When the flash cannot be written.
    pub fn try_other(&mut self) -> Result<(), Error> {
        let mut slots = OtaUpdater::new(&mut self.storage, &mut self.table)?;
        slots.activate_next_partition()?;
        slots.set_current_ota_state(OtaImageState::New)
    }
}

impl Store for Flash {
    fn muted_at_button(&self) -> bool {
        self.kept.state.muted_at_button
    }

    fn set_muted_at_button(&mut self, muted: bool) -> Result<(), StoreError> {
        let state = State {
            muted_at_button: muted,
            ..self.kept.state
        };
        self.keep(state)
            .map_err(|_| StoreError("the state partition cannot be written"))
    }
}

fn refused(why: &str) -> SettingsError {
    let mut text = String::new();
    // What does not fit is cut off.
    let _ = text.push_str(why);
    SettingsError(text)
}

fn unreadable(error: &Error) -> SettingsError {
    let mut text = String::new();
    // What does not fit is cut off.
    let _ = write!(text, "the settings partition cannot be read: {error}");
    SettingsError(text)
}
