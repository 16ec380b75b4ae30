//! What survives a restart, in one small file that is replaced whole, as the MicroPython application has it.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use minerva_device::ports::{Store, StoreError};

/// state.json. A file that cannot be read counts as muted: in doubt the more private one.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    muted: bool,
}

impl StateFile {
    /// What the file says, if it is there.
    pub fn open(path: PathBuf) -> Self {
        let muted = match fs::read(&path) {
            Ok(text) => {
                let plain: Vec<u8> = text
                    .into_iter()
                    .filter(|b| !b.is_ascii_whitespace())
                    .collect();
                plain != br#"{"muted_at_button":false}"#
            }
            Err(error) => error.kind() != ErrorKind::NotFound,
        };
        Self { path, muted }
    }
}

impl Store for StateFile {
    fn muted_at_button(&self) -> bool {
        self.muted
    }

    fn set_muted_at_button(&mut self, muted: bool) -> Result<(), StoreError> {
        self.muted = muted;
        let new = self.path.with_extension("json.new");
        fs::write(&new, format!("{{\"muted_at_button\": {muted}}}"))
            .and_then(|()| fs::rename(&new, &self.path))
            .map_err(|_| StoreError("the file cannot be written"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_and_in_doubt_muted() {
        let folder = std::env::temp_dir().join(format!("minerva-sim-state-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("state.json");
        assert!(!StateFile::open(path.clone()).muted_at_button());
        for muted in [true, false] {
            StateFile::open(path.clone())
                .set_muted_at_button(muted)
                .unwrap();
            assert_eq!(StateFile::open(path.clone()).muted_at_button(), muted);
        }
        for text in ["", "{", "{\"muted_at_button\": 0}", "\u{0}"] {
            fs::write(&path, text).unwrap();
            assert!(StateFile::open(path.clone()).muted_at_button(), "{text:?}");
        }
        let nowhere = folder.join("no such folder").join("state.json");
        assert!(StateFile::open(nowhere).set_muted_at_button(true).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
