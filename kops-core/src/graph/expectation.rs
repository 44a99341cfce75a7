//! What a graph relies on in shared objects, which it does not manage.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Document;
use crate::Result;
use crate::domain::is_in_domain;

/// A fact about a shared object that is compared when planning, see
/// [`GraphBuilder::expect`](super::GraphBuilder::expect).
///
/// ```
/// use kops_core::graph::{Expectation, TaskGraph};
/// use kops_core::resource::Subnet;
///
/// let mut graph = TaskGraph::builder();
/// let subnet = graph.share::<Subnet>("a", "subnet-1");
/// graph.expect(&subnet, Expectation::is("zone", &"zone-a", "spec.subnets[0].zone")?);
/// # graph.build()?;
/// # Ok::<(), kops_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Expectation {
    /// What is compared: a member of the object's specification, or one of its outputs. An object that has neither is
    /// not compared.
    pub fact: String,
    /// What it must be.
    pub requirement: Requirement,
    /// Where the requirement comes from, for messages: `spec.subnets[0].zone`.
    pub source: String,
    /// What to do if it is not met; by default, to change one of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What a fact must be. Values may be outputs of other tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Requirement {
    /// This value.
    Is(Document),
    /// One of these values.
    In(Document),
    /// CIDRs, one of which contains this one.
    Covers(IpNet),
    /// A domain that this name is or ends in.
    DomainOf(String),
}

impl Expectation {
    /// The fact is a value, which may be an output of another task.
    ///
    /// # Errors
    /// `Internal` for values that are not documents.
    pub fn is(fact: &str, value: &impl Serialize, source: impl Into<String>) -> Result<Self> {
        Ok(Self::new(fact, Requirement::Is(Document::of(value)?), source))
    }

    /// The fact is one of these values, which may be an output of another task.
    ///
    /// # Errors
    /// `Internal` for values that are not documents.
    pub fn is_in(fact: &str, values: &impl Serialize, source: impl Into<String>) -> Result<Self> {
        Ok(Self::new(fact, Requirement::In(Document::of(values)?), source))
    }

    /// The fact is one or more CIDRs, one of which contains this one.
    pub fn covers(fact: &str, cidr: IpNet, source: impl Into<String>) -> Self {
        Self::new(fact, Requirement::Covers(cidr.trunc()), source)
    }

    /// The fact is a domain that this name is or ends in.
    pub fn domain_of(fact: &str, name: &str, source: impl Into<String>) -> Self {
        Self::new(fact, Requirement::DomainOf(name.to_owned()), source)
    }

    fn new(fact: &str, requirement: Requirement, source: impl Into<String>) -> Self {
        Self { fact: fact.to_owned(), requirement, source: source.into(), hint: None }
    }

    /// Sets what to do if it is not met.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The requirement's value, if it may refer to other tasks.
    pub(crate) fn value(&self) -> Option<&Document> {
        match &self.requirement {
            Requirement::Is(value) | Requirement::In(value) => Some(value),
            Requirement::Covers(_) | Requirement::DomainOf(_) => None,
        }
    }

    /// The expectation with its value converted.
    pub(crate) fn map(&self, change: impl Fn(&Document) -> Document) -> Self {
        let requirement = match &self.requirement {
            Requirement::Is(value) => Requirement::Is(change(value)),
            Requirement::In(values) => Requirement::In(change(values)),
            plain @ (Requirement::Covers(_) | Requirement::DomainOf(_)) => plain.clone(),
        };
        Self { requirement, ..self.clone() }
    }
}

impl Requirement {
    /// Whether the fact is as required.
    pub(crate) fn is_met_by(&self, actual: &Value) -> bool {
        match self {
            Self::Is(value) => value.as_value() == actual,
            Self::In(values) => values.as_value().as_array().is_some_and(|values| values.contains(actual)),
            Self::Covers(cidr) => {
                let covers = |text: &Value| {
                    text.as_str()
                        .and_then(|text| text.parse::<IpNet>().ok())
                        .is_some_and(|range| range.contains(cidr))
                };
                actual.as_array().map_or_else(|| covers(actual), |ranges| ranges.iter().any(covers))
            }
            Self::DomainOf(name) => actual.as_str().is_some_and(|domain| is_in_domain(name, domain)),
        }
    }

    /// The required value, as text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Is(value) | Self::In(value) => plain(&value.redacted()),
            Self::Covers(cidr) => cidr.to_string(),
            Self::DomainOf(name) => name.clone(),
        }
    }
}

/// A value as text: lists with commas, text without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
