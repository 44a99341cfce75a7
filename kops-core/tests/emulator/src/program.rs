//! An emulator as a program.

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::server::Server;

/// A server takes some 150 MiB; tests that keep more of them busy would be a surprise.
const MOST: usize = 4;

/// An emulator: what it is called, what it needs, and its servers in this process.
///
/// ```no_run
/// use kops_emulator::{Needs, Program, Tenant};
///
/// static CLOUD: Program = Program::new(
///     "the emulator of a cloud", // as messages call it
///     "cloud",                   // its folder in the target directory
///     concat!(env!("CARGO_MANIFEST_DIR"), "/server/serve.py"),
///     Needs::Packages { requirements: "requirements.txt", dependencies: true },
/// );
/// let number = CLOUD.next();
/// let tenant = Tenant::of(&CLOUD, number, format!("project-{number}"));
/// assert!(tenant.snapshot().counts().is_empty());
/// ```
#[derive(Debug)]
pub struct Program {
    pub(crate) title: &'static str,
    pub(crate) folder: &'static str,
    pub(crate) script: &'static str,
    pub(crate) needs: Needs,
    tenants: AtomicU64,
    servers: OnceLock<Vec<OnceLock<Result<Server, String>>>>,
}

/// What a program needs beside Python.
#[derive(Clone, Copy, Debug)]
pub enum Needs {
    /// Python packages, in a virtual environment.
    Packages {
        /// The file beside the script that lists them with their versions.
        requirements: &'static str,
        /// Whether the packages that they need are wanted, too.
        dependencies: bool,
    },
    /// A folder that the script itself fills with `--prepare --cache FOLDER`, and runs on with `--cache FOLDER`.
    Prepared {
        /// The files beside the script that say what goes into it.
        sources: &'static [&'static str],
    },
}

impl Program {
    /// A program by its title for messages, its folder in the target directory, and its script.
    pub const fn new(title: &'static str, folder: &'static str, script: &'static str, needs: Needs) -> Self {
        Self { title, folder, script, needs, tenants: AtomicU64::new(1), servers: OnceLock::new() }
    }

    /// A number that no other tenant of this process has, from 1.
    pub fn next(&self) -> u64 {
        self.tenants.fetch_add(1, Ordering::Relaxed)
    }

    /// The server on which the tenant of a number is: as many as there are processors, since Python uses one each.
    pub(crate) fn server(&'static self, number: u64) -> &'static Server {
        let servers = self.servers.get_or_init(|| {
            let processors = thread::available_parallelism().map_or(1, NonZero::get);
            (0..processors.min(MOST)).map(|_| OnceLock::new()).collect()
        });
        let index = usize::try_from(number).unwrap_or_default() % servers.len();
        match servers[index].get_or_init(|| Server::start(self)) {
            Ok(server) => server,
            Err(error) => panic!("{error}"),
        }
    }
}
