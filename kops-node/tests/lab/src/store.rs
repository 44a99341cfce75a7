//! The lab's state store: its folder, its faults, the requests that it has seen.

use std::fs;
use std::path::PathBuf;

use crate::Lab;

/// What is wrong with the state store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody answers.
    Away,
    /// Every request is denied (403).
    Denied,
    /// Requests of the machine at this address are denied.
    DeniedTo(String),
}

/// A request that the store has seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// When, in seconds since 1970.
    pub at: f64,
    /// The machine's address.
    pub by: String,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
}

impl Lab {
    /// The folder of the state store. What is written here is what machines read at [`STORE`](crate::STORE).
    pub fn store(&self) -> PathBuf {
        self.state().join("store")
    }

    /// Breaks the store, or mends it.
    pub fn fault(&self, fault: Option<&Fault>) {
        let file = self.state().join("store.fault");
        let text = match fault {
            None => String::new(),
            Some(Fault::Away) => "away\n".to_owned(),
            Some(Fault::Denied) => "denied\n".to_owned(),
            Some(Fault::DeniedTo(address)) => format!("denied {address}\n"),
        };
        fs::write(file, text).unwrap_or_else(|error| panic!("the store's fault: {error}"));
    }

    /// All requests so far.
    pub fn calls(&self) -> Vec<Call> {
        let log = fs::read_to_string(self.state().join("store.log")).unwrap_or_default();
        let call = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            let at = words.next()?.parse().ok()?;
            Some(Call { at, by: words.next()?, method: words.next()?, path: words.next()? })
        };
        log.lines().filter_map(call).collect()
    }
}
