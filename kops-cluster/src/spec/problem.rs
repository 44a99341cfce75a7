//! Problems of a specification: all of them at once, each with its location and a fix.

use std::fmt;

use super::path::Path;
use kops_core::Error;
use serde::Serialize;

/// The severity of a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is done until it is fixed.
    Error,
    /// Reported; the operation continues.
    Warning,
}

/// A location in the text of a manifest, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// The document in the file.
    pub document: usize,
    /// The line in the file.
    pub line: u64,
    /// The column in the line.
    pub column: u64,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// What kind of problem it is, for programs that treat some differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ProblemKind {
    /// A rule is broken, or a value cannot be read.
    #[default]
    Rule,
    /// A field is not known; it may be one of a later version.
    UnknownField,
}

/// A problem, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// What kind of problem it is.
    pub kind: ProblemKind,
    /// How severe it is.
    pub severity: Severity,
    /// The object, as `Cluster/ha.example.com`; empty when it is not known.
    pub object: String,
    /// The field, in the API version that the user wrote.
    pub path: Path,
    /// Its location in the text, if it came from one.
    pub location: Option<Location>,
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lead = Vec::new();
        if !self.object.is_empty() {
            lead.push(self.object.clone());
        }
        if let Some(location) = self.location {
            lead.push(location.to_string());
        }
        if !self.path.is_root() {
            lead.push(self.path.to_string());
        }
        for part in lead {
            write!(f, "{part}: ")?;
        }
        f.write_str(&self.message)?;
        if !self.fix.is_empty() {
            write!(f, " ({})", self.fix)?;
        }
        Ok(())
    }
}

/// All problems, errors and warnings, in the order in which they were found. Serialises as a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems {
    list: Vec<Problem>,
}

impl Problems {
    /// The problems that an error was created from, if any: for programs that show problems by their paths.
    ///
    /// ```
    /// use kops_cluster::{Path, Problems};
    ///
    /// let mut problems = Problems::new();
    /// problems.error(Path::of("spec.subnets"), "it is empty", "name a subnet");
    /// let error = kops_core::Error::from(problems.clone());
    /// assert_eq!(Problems::of(&error), Some(&problems));
    /// ```
    pub fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }

    /// An empty list of problems.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an error.
    pub fn error(&mut self, path: Path, message: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Error, path, message, fix);
    }

    /// Adds a warning.
    pub fn warn(&mut self, path: Path, message: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Warning, path, message, fix);
    }

    /// Adds a problem of a severity known at run time.
    pub fn add(
        &mut self,
        severity: Severity,
        path: Path,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(ProblemKind::Rule, severity, path, message.into(), fix.into());
    }

    /// Adds a field that is not known.
    pub(crate) fn unknown_field(
        &mut self,
        severity: Severity,
        path: Path,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(ProblemKind::UnknownField, severity, path, message.into(), fix.into());
    }

    fn push(&mut self, kind: ProblemKind, severity: Severity, path: Path, message: String, fix: String) {
        self.list.push(Problem { kind, severity, object: String::new(), path, location: None, message, fix });
    }

    /// Adds the problems of another list.
    pub fn extend(&mut self, other: Self) {
        self.list.extend(other.list);
    }

    /// Adds the problems of another list about the same specification, except those of fields for which this
    /// list has a problem already. A warning does not stand for an error.
    pub(crate) fn extend_new(&mut self, other: Self) {
        let known = self.list.len();
        for problem in other.list {
            let told = |it: &Problem| {
                let same_field = it.object == problem.object && it.path == problem.path;
                same_field && (it.severity == Severity::Error || problem.severity == Severity::Warning)
            };
            if !self.list[..known].iter().any(told) {
                self.list.push(problem);
            }
        }
    }

    /// Every problem.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// The errors.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// The warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(|problem| problem.severity == Severity::Warning)
    }

    /// Whether there are neither errors nor warnings.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether there are errors.
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    /// The warnings, or all errors combined into one [`Error`].
    ///
    /// # Errors
    /// If there are errors.
    pub fn into_result(self) -> Result<Vec<Problem>, Error> {
        if self.has_errors() { Err(self.into()) } else { Ok(self.list) }
    }

    /// Sets the object of every problem that has none yet.
    pub(crate) fn name_object(&mut self, object: &str) {
        for problem in self.list.iter_mut().filter(|problem| problem.object.is_empty()) {
            object.clone_into(&mut problem.object);
        }
    }

    /// Sorts the problems by their location in the text.
    pub(crate) fn sort_by_location(&mut self) {
        self.list.sort_by_key(|problem| problem.location);
    }

    /// Changes every problem, for example to use other paths or to add locations.
    pub(crate) fn update(&mut self, change: impl FnMut(&mut Problem)) {
        self.list.iter_mut().for_each(change);
    }
}

impl From<Problems> for Error {
    /// One error that lists all errors, one per line; [`Problems::of`] returns the problems again.
    fn from(problems: Problems) -> Self {
        let errors: Vec<String> = problems.errors().map(ToString::to_string).collect();
        let message = match errors.as_slice() {
            [one] => one.clone(),
            _ => format!("{} problems:\n  {}", errors.len(), errors.join("\n  ")),
        };
        Self::invalid(message).with_source(problems)
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            let kind = match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            writeln!(f, "{kind}: {problem}")?;
        }
        Ok(())
    }
}
