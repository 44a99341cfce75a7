//! Failures on order.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::project::Project;

/// What happens to calls: to which of them, and how. Without further words, to all that match.
///
/// A service is named as in [`Call`](crate::Call), or `*`; a method `GET`, `POST` …, or `*` for all that change
/// something; and a path by a regular expression that is found in it.
///
/// ```
/// use kops_openstack_lab::Fault;
///
/// // The second and third port are made, and nobody hears of it.
/// let fault = Fault::lose("neutron", "POST", "/ports").times(1, 2);
/// // The answer to the fortieth call that changes anything is kept back.
/// let fault = Fault::hold("*", "*", "").times(39, 1);
/// ```
#[derive(Clone, Debug)]
pub struct Fault(Value);

impl Fault {
    fn of(service: &str, method: &str, path: &str) -> Self {
        Self(json!({ "service": service, "method": method, "path": path }))
    }

    /// Calls are answered with a status; nothing is done.
    pub fn answer(service: &str, method: &str, path: &str, status: u16) -> Self {
        let mut fault = Self::of(service, method, path);
        fault.0["status"] = status.into();
        fault
    }

    /// The same, after the work has been done: the answer is lost.
    pub fn lose(service: &str, method: &str, path: &str) -> Self {
        let mut fault = Self::answer(service, method, path, 503);
        fault.0["after"] = true.into();
        fault
    }

    /// The work is done, and the answer is kept back until [`Lab::release`](crate::Lab::release) (or for two minutes):
    /// the moment to kill the client. A failing call is answered at once, and the next one held in its stead.
    pub fn hold(service: &str, method: &str, path: &str) -> Self {
        let mut fault = Self::of(service, method, path);
        fault.0["hold"] = true.into();
        fault
    }

    /// The request is kept back, and carried out at [`Lab::release`](crate::Lab::release), whether its client still lives
    /// or not.
    pub fn stall(service: &str, method: &str, path: &str) -> Self {
        let mut fault = Self::hold(service, method, path);
        fault.0["before"] = true.into();
        fault
    }

    /// Seconds that calls of a service take longer.
    pub fn delay(service: &str, seconds: f64) -> Self {
        Self(json!({ "service": service, "delay": seconds }))
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
}

/// Puts faults in place of those before, whose held answers go out.
pub(crate) fn inject(project: &Project, faults: &[Fault]) {
    project.change_faults(|file| {
        let numbered = faults.iter().enumerate().map(|(number, fault)| {
            let mut rule = fault.0.clone();
            rule["number"] = number.into();
            rule["seen"] = 0.into();
            rule["hits"] = 0.into();
            rule
        });
        file["rules"] = numbered.collect();
        next_round(file);
    });
}

pub(crate) fn release(project: &Project) {
    project.change_faults(next_round);
}

fn next_round(file: &mut Value) {
    file["round"] = (file["round"].as_u64().unwrap_or_default() + 1).into();
    file["held"] = 0.into();
}

pub(crate) fn held(project: &Project) -> u64 {
    project.faults()["held"].as_u64().unwrap_or_default()
}

pub(crate) fn wait_until_held(project: &Project) {
    wait_until(|| held(project) > 0, "no call came that was to be held");
}

pub(crate) fn wait_until_quiet(project: &Project) {
    wait_until(|| project.faults()["busy"] == 0, "a call takes for ever");
}

#[expect(clippy::disallowed_methods, reason = "tests wait in real time")]
fn wait_until(is_so: impl Fn() -> bool, otherwise: &str) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_mins(1), "{otherwise}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
