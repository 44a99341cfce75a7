//! The log of calls, and faults in them.

use std::fs;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::up;

/// A call that the program under test has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The service: `nova`, `neutron` …
    pub service: String,
    /// `GET`, `POST` …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
}

impl Call {
    /// Whether it may change something.
    pub fn mutates(&self) -> bool {
        !["GET", "HEAD"].contains(&self.method.as_str()) && self.service != "keystone"
    }
}

/// What happens to calls.
#[derive(Clone, Debug)]
pub struct Fault(Value);

impl Fault {
    /// Calls of a service, by their method and a regular expression for the path, are answered with a status.
    pub fn answer(service: &str, method: &str, path: &str, status: u16) -> Self {
        Self(json!({ "service": service, "method": method, "path": path, "status": status }))
    }

    /// The same, after the work has been done: the answer is lost.
    pub fn lose(service: &str, method: &str, path: &str) -> Self {
        let mut fault = Self::answer(service, method, path, 503);
        fault.0["after"] = true.into();
        fault
    }

    /// Only the first so many, after letting some through.
    pub fn times(mut self, skip: usize, times: usize) -> Self {
        self.0["skip"] = skip.into();
        self.0["times"] = times.into();
        self
    }

    /// With a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0["headers"][name] = value.into();
        self
    }

    /// Seconds that calls take longer.
    pub fn delay(service: &str, seconds: f64) -> Self {
        Self(json!({ "service": service, "delay": seconds }))
    }
}

fn folder() -> std::path::PathBuf {
    up::home().unwrap_or_else(|why| panic!("{why}")).folder.clone()
}

pub(crate) fn of(agent: &str) -> Vec<Call> {
    let log = fs::read_to_string(folder().join("calls.log")).unwrap_or_default();
    let calls = log.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        if fields.next()? != agent {
            return None;
        }
        let mut field = || fields.next().unwrap_or_default().to_owned();
        let (service, method, path) = (field(), field(), field());
        Some(Call { service, method, path, status: field().parse().unwrap_or_default() })
    });
    calls.collect()
}

pub(crate) fn inject(agent: &str, faults: &[Fault]) {
    // Tests of a process share the file.
    static RULES: Mutex<Vec<Value>> = Mutex::new(Vec::new());
    let mut rules = RULES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    rules.retain(|rule| rule["agent"] != agent);
    rules.extend(faults.iter().map(|fault| {
        let mut rule = fault.0.clone();
        rule["agent"] = agent.into();
        rule
    }));
    let (file, new) = (folder().join("faults.json"), folder().join("faults.json.new"));
    let written =
        fs::write(&new, Value::from(rules.clone()).to_string()).and_then(|()| fs::rename(&new, &file));
    written.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
