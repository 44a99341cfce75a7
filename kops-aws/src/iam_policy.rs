//! IAM policies, in a canonical form that can be compared.
//!
//! IAM returns a policy as it was written, but tools and people write the same policy in many ways: a list of
//! one as a plain string, members and lists in any order. [`Policy`] is the text of a policy in canonical
//! form, so that two policies with the same meaning are equal.

use std::fmt;

use kops_core::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

/// An IAM policy document.
///
/// ```
/// use kops_aws::Policy;
///
/// let one = Policy::parse(r#"{"Statement": {"Action": "ec2:RunInstances", "Effect": "Allow"}}"#)?;
/// let other = Policy::parse(r#"{"Statement": [{"Effect": "Allow", "Action": ["ec2:RunInstances"]}]}"#)?;
/// assert_eq!(one, other);
/// # Ok::<(), kops_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Policy(String);

impl Policy {
    /// Parses a policy from JSON text.
    ///
    /// # Errors
    /// `Invalid` if the text is not a JSON object with statements.
    pub fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            Error::invalid(format!("the policy is not valid JSON: {error}")).with_source(error)
        })?;
        Self::from_value(&value)
    }

    /// Creates a policy from a JSON value.
    ///
    /// # Errors
    /// `Invalid` if the value is not an object with statements.
    pub fn from_value(value: &Value) -> Result<Self> {
        let Value::Object(members) = value else {
            return Err(Error::invalid("a policy must be a JSON object with a member Statement"));
        };
        if !members.contains_key("Statement") {
            return Err(Error::invalid("the policy has no member Statement"));
        }
        Ok(Self(document(members).to_string()))
    }

    /// Creates a policy from a list of statements.
    ///
    /// # Errors
    /// `Invalid` if the statements are malformed.
    pub(crate) fn of_statements(statements: &Value) -> Result<Self> {
        Self::from_value(&serde_json::json!({ "Statement": statements, "Version": VERSION }))
    }

    /// Its statements.
    pub(crate) fn statements(&self) -> Vec<Value> {
        // The text was produced by this type.
        let value: Value = serde_json::from_str(&self.0).unwrap_or_default();
        value.get("Statement").and_then(Value::as_array).cloned().unwrap_or_default()
    }

    /// A policy that nobody writes, in place of one that cannot be read.
    pub(crate) fn nothing() -> Self {
        Self("{}".to_owned())
    }

    /// The text, as JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The only version of the policy language that supports variables.
pub(crate) const VERSION: &str = "2012-10-17";

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

fn document(members: &Map<String, Value>) -> Value {
    sorted(members.iter().map(|(name, value)| match (name.as_str(), value) {
        ("Statement", Value::Array(statements)) => (name, statements.iter().map(statement).collect()),
        ("Statement", one) => (name, Value::Array(vec![statement(one)])),
        _ => (name, value.clone()),
    }))
}

fn statement(value: &Value) -> Value {
    let Value::Object(members) = value else { return value.clone() };
    sorted(members.iter().map(|(name, value)| match name.as_str() {
        "Action" | "NotAction" | "Resource" | "NotResource" => (name, set(value)),
        // Two levels of names above the values: operator and key; for principals, the type.
        "Condition" | "Principal" | "NotPrincipal" => (name, leaves(value)),
        _ => (name, value.clone()),
    }))
}

/// Members sorted by name, the values under them as sets.
fn leaves(value: &Value) -> Value {
    match value {
        Value::Object(members) => sorted(members.iter().map(|(name, value)| (name, leaves(value)))),
        plain => set(plain),
    }
}

/// One value, or several in any order.
fn set(value: &Value) -> Value {
    let mut texts: Vec<Value> = match value {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    };
    texts.sort_by_key(ToString::to_string);
    texts.dedup();
    Value::Array(texts)
}

fn sorted<'a>(members: impl Iterator<Item = (&'a String, Value)>) -> Value {
    let mut members: Vec<_> = members.collect();
    members.sort_by(|a, b| a.0.cmp(b.0));
    members.into_iter().map(|(name, value)| (name.clone(), value)).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_brackets_do_not_matter() {
        let one = Policy::parse(
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*",
                "Action": ["s3:PutObject", "s3:GetObject"],
                "Condition": {"StringEquals": {"aws:ResourceTag/a": "b"}}}]}"#,
        );
        let other = Policy::parse(
            r#"{"Statement": {"Condition": {"StringEquals": {"aws:ResourceTag/a": ["b"]}},
                "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["*"], "Effect": "Allow"},
                "Version": "2012-10-17"}"#,
        );
        assert_eq!(one.unwrap(), other.unwrap());
    }

    #[test]
    fn a_condition_more_is_a_difference() {
        let open = Policy::parse(r#"{"Statement": {"Effect": "Allow", "Action": "a:B"}}"#).unwrap();
        let tight = Policy::parse(
            r#"{"Statement": {"Effect": "Allow", "Action": "a:B", "Condition": {"Bool": {"aws:x": "true"}}}}"#,
        );
        assert_ne!(open, tight.unwrap());
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for text in ["", "[]", "{}", "{\"Statement\"}"] {
            assert!(Policy::parse(text).is_err(), "{text}");
        }
    }
}
