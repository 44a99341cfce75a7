//! The files by which a test and the services' processes speak about its project; `oslab/faults.py` says what is in
//! them.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use serde_json::{Value, json};

/// A project's folder.
#[derive(Debug)]
pub(crate) struct Project {
    folder: PathBuf,
}

impl Project {
    pub(crate) fn new(folder: PathBuf) -> Self {
        told(&folder, fs::create_dir_all(&folder));
        Self { folder }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The faults as they stand.
    pub(crate) fn faults(&self) -> Value {
        let path = self.file("faults.json");
        match fs::read(&path) {
            Ok(bytes) => told(&path, serde_json::from_slice(&bytes).map_err(io::Error::from)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                json!({ "rules": [], "round": 0, "held": 0, "busy": 0 })
            }
            Err(error) => told(&path, Err(error)),
        }
    }

    /// Changes the faults while nobody else does. Those who only look do not wait, so the file is replaced whole.
    pub(crate) fn change_faults(&self, change: impl FnOnce(&mut Value)) {
        let lock = self.file("lock");
        let lock = told(&lock, File::create(&lock).and_then(|file| file.lock().map(|()| file)));
        let mut faults = self.faults();
        change(&mut faults);
        let (path, new) = (self.file("faults.json"), self.file("faults.json.new"));
        told(&path, fs::write(&new, faults.to_string()).and_then(|()| fs::rename(&new, &path)));
        drop(lock);
    }
}

fn told<T>(path: &std::path::Path, result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
