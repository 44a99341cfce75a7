//! A process of an emulator.
//!
//! It listens on a port that the system picks and tells it on its standard output. Its standard input is a pipe that
//! only this process holds: when this process ends, in whatever way, the pipe closes and the server ends too. So
//! there is nothing to clean up, and nothing is left behind by a test that is killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::{Program, install};

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    title: &'static str,
    port: u16,
    agent: ureq::Agent,
    // Holds the pipe; see above.
    _process: Child,
}

impl Server {
    pub(crate) fn start(program: &Program) -> Result<Self, String> {
        let title = program.title;
        let mut process = install::command(program)?
            .arg("--until-eof")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{title} does not start: {error}"))?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output)
                .read_line(&mut line)
                .map_err(|error| format!("{title} does not tell its port: {error}"))?;
        }
        let port = line
            .trim()
            .parse()
            .map_err(|_| format!("{title} ended before it listened; its own words are on standard error"))?;
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A snapshot of a big account takes seconds, a hang must not last for ever.
            .timeout_global(Some(Duration::from_mins(2)));
        Ok(Self { title, port, agent: config.build().into(), _process: process })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A control request about a tenant.
    pub(crate) fn control(&self, tenant: &str, name: &str, arguments: &Value) -> Value {
        match self.try_control(tenant, name, arguments) {
            Ok(answer) => answer,
            Err(error) => panic!("{}, asked for {name}: {error}", self.title),
        }
    }

    /// A control request that may fail.
    pub(crate) fn try_control(&self, tenant: &str, name: &str, arguments: &Value) -> Result<Value, String> {
        let address = format!("{}/_emulator/{tenant}/{name}", self.endpoint());
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
