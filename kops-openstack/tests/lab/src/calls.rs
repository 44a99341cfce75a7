//! The log of calls.

use std::fs;

use crate::project::Project;

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
        !["GET", "HEAD"].contains(&self.method.as_str())
    }
}

pub(crate) fn of(project: &Project) -> Vec<Call> {
    let log = fs::read_to_string(project.file("calls.log")).unwrap_or_default();
    let call = |line: &str| {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap_or_default().to_owned();
        let (service, method, path) = (field(), field(), field());
        Call { service, method, path, status: field().parse().unwrap_or_default() }
    };
    log.lines().map(call).collect()
}
