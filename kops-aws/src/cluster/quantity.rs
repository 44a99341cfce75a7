//! Quantities as written in Kubernetes specifications.

use serde_json::Value;

/// An integer count: `2` or `"2"`.
pub(super) fn count(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => u32::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// An amount of memory in MiB, rounded down: `4Gi`, `4G`, `4294967296`.
pub(super) fn mebibytes(value: &Value) -> Option<u32> {
    const UNITS: [(&str, u64); 8] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
    ];
    let bytes = match value {
        Value::Number(number) => number.as_u64()?,
        Value::String(text) => {
            let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
            let (digits, unit) = unit.unwrap_or((text, 1));
            digits.parse::<u64>().ok()?.checked_mul(unit)?
        }
        _ => return None,
    };
    u32::try_from(bytes >> 20).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn memory_is_read_in_all_units() {
        for (value, expected) in [
            (json!("4Gi"), Some(4096)),
            (json!("512Mi"), Some(512)),
            (json!("4G"), Some(3814)),
            (json!(1_073_741_824), Some(1024)),
            (json!("many"), None),
            (json!("4Xi"), None),
        ] {
            assert_eq!(mebibytes(&value), expected, "{value}");
        }
    }
}
