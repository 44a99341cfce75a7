//! The emulator's processes: for a test process as many as there are processors, since Python uses one each.
//!
//! A server listens on a port that the system picks and tells it on its standard output. Its standard input is a
//! pipe that only this process holds: when this process ends, in whatever way, the pipe closes and the server
//! ends too. So there is nothing to clean up, and nothing is left behind by a test that is killed.

use std::io::{BufRead, BufReader};
use std::num::NonZero;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, OnceLock};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::install;

/// Tests that keep more of them busy would be a surprise.
const MOST: usize = 4;

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    agent: ureq::Agent,
    // Holds the pipe; see above.
    _process: Child,
}

impl Server {
    /// The server on which the subscription of a number is.
    pub(crate) fn of(number: u64) -> &'static Self {
        static SERVERS: LazyLock<Vec<OnceLock<Result<Server, String>>>> = LazyLock::new(|| {
            let processors = thread::available_parallelism().map_or(1, NonZero::get);
            (0..processors.min(MOST)).map(|_| OnceLock::new()).collect()
        });
        let index = usize::try_from(number).unwrap_or_default() % SERVERS.len();
        match SERVERS[index].get_or_init(Self::start) {
            Ok(server) => server,
            Err(error) => panic!("{error}"),
        }
    }

    fn start() -> Result<Self, String> {
        let tables = install::tables()?;
        let mut process = Command::new("python3")
            // No byte code beside the sources.
            .args(["-B", install::SERVER, "--until-eof", "--cache"])
            .arg(tables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the Azure emulator does not start: {error}"))?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output)
                .read_line(&mut line)
                .map_err(|error| format!("the Azure emulator does not tell its port: {error}"))?;
        }
        let port = line.trim().parse().map_err(|_| {
            "the Azure emulator ended before it listened; its own words are on standard error".to_owned()
        })?;
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A hang must not last for ever.
            .timeout_global(Some(Duration::from_mins(2)));
        Ok(Self { port, agent: config.build().into(), _process: process })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A control request about a subscription.
    pub(crate) fn control(&self, subscription: &str, name: &str, arguments: &Value) -> Value {
        match self.request(subscription, name, arguments) {
            Ok(answer) => answer,
            Err(error) => panic!("the Azure emulator, asked for {name}: {error}"),
        }
    }

    /// A control request that may fail.
    pub(crate) fn try_control(&self, subscription: &str, name: &str, arguments: &Value) -> Option<Value> {
        self.request(subscription, name, arguments).ok()
    }

    fn request(&self, subscription: &str, name: &str, arguments: &Value) -> Result<Value, String> {
        let address = format!("{}/_emulator/{subscription}/{name}", self.endpoint());
        let mut answer =
            self.agent.post(address).send(arguments.to_string()).map_err(|error| error.to_string())?;
        let text = answer.body_mut().with_config().limit(u64::MAX).read_to_string();
        let text = text.map_err(|error| error.to_string())?;
        let value: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        match value.get("error") {
            Some(error) if !answer.status().is_success() => Err(error.as_str().unwrap_or(&text).to_owned()),
            _ => Ok(value),
        }
    }
}
