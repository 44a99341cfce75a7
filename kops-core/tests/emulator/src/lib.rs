//! What the emulators of clouds have in common, for tests: nothing to install or start by hand.
//!
//! A [`Program`] says what an emulator needs and how it is run; a [`Tenant`] is an account of it (a project, a
//! subscription) that one test has to itself. Behind them, once for a target directory, what the program needs is
//! installed at pinned versions (`install.rs`); and for a test process, a few servers run on free ports
//! (`server.rs`) and end with the process, however that ends. Tenants share nothing, so tests in one process run
//! side by side.
//!
//! What a program has to do for that: with `--until-eof` it prints the port it listens on and ends when its standard
//! input does; and it answers `POST /_emulator/TENANT/NAME` with the arguments as a JSON object, for each NAME that
//! [`Tenant`] asks for.
//!
//! Everything panics on failure: a test can do no better.

#![expect(clippy::disallowed_methods, reason = "tests wait in real time")]
#![expect(clippy::missing_panics_doc, reason = "everything here panics on failure, and says so above")]

mod calls;
mod fault;
mod install;
mod program;
mod server;
mod snapshot;
mod tenant;

pub use calls::{Call, Calls};
pub use fault::Fault;
pub use install::{installed, run};
pub use program::{Needs, Program};
pub use snapshot::Snapshot;
pub use tenant::Tenant;
