//! Durations in Go's format, as Kubernetes writes them.

use std::fmt;
use std::str::FromStr;

use kops_core::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::schema::{Form, Schema, Shape};

/// A duration in Go's format: `24h30m`, `1.5h`, `0`. It is written back as it was read.
///
/// ```
/// use kops_cluster::GoDuration;
///
/// let lifetime: GoDuration = "1.5h".parse()?;
/// assert_eq!(lifetime.to_std(), std::time::Duration::from_secs(5_400));
/// assert_eq!(lifetime.to_string(), "1.5h");
/// assert!("0".parse::<GoDuration>()?.to_std().is_zero());
/// assert!("12 hours".parse::<GoDuration>().is_err());
/// # Ok::<(), kops_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoDuration {
    text: String,
    value: std::time::Duration,
}

impl GoDuration {
    const FORM: Form = Form {
        what: "a duration",
        example: "24h30m or 90s",
        fits: |text| read(text).is_some(),
        mend: |text| text.parse::<u64>().ok().map(|number| format!("add the unit, as in {number}s")),
    };

    /// The duration. Negative ones cannot be read.
    pub fn to_std(&self) -> std::time::Duration {
        self.value
    }
}

/// The nanoseconds of a unit.
fn unit(name: &str) -> Option<u64> {
    Some(match name {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return None,
    })
}

/// Reads a sequence of decimal numbers, each with a fraction if it has one and a unit; zero needs no unit.
fn read(text: &str) -> Option<std::time::Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(std::time::Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        total = total.checked_add(nanoseconds(number, unit(name)?)?)?;
        rest = after;
    }
    // Go keeps durations in an i64.
    i64::try_from(total).ok()?;
    Some(std::time::Duration::from_nanos(total))
}

fn nanoseconds(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    // More digits than these say nothing about nanoseconds.
    let fraction = &fraction[..fraction.len().min(15)];
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let digits = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? };
    let part = u64::try_from(digits * u128::from(unit) / scale).ok()?;
    whole.checked_mul(unit)?.checked_add(part)
}

impl FromStr for GoDuration {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        read(text).map(|value| Self { text: text.to_owned(), value }).ok_or_else(|| {
            Error::invalid(format!("{text:?} is not a duration")).with_hint("use one such as 24h30m or 90s")
        })
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Schema for GoDuration {
    const SHAPE: &'static Shape = &Shape::Form(&Self::FORM);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, milliseconds) in [
            ("0", 0),
            ("0s", 0),
            ("+90s", 90_000),
            ("1.5h", 5_400_000),
            (".5m", 30_000),
            ("1.m", 60_000),
            ("24h30m", 88_200_000),
            ("1h0m0.250s", 3_600_250),
            ("300ms", 300),
            ("1500us", 1),
            ("720h", 2_592_000_000),
        ] {
            assert_eq!(read(text).map(|it| it.as_millis()), Some(milliseconds), "{text}");
        }
        for text in ["", "1", "h", ".", ".h", "1.2.3h", "-1h", "1d", "1 h", "9999999999h", "1h-5m", "é", "1é"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
