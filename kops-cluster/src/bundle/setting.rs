//! The rule that converts a field of a specification to a flag, and the exceptions.
//!
//! kOps derives the flags of its components by one rule: a field is the flag of the same name in kebab case;
//! lists are joined by commas, maps are sorted `key=value` pairs, durations are in Go's format, and empty
//! values are omitted. So a component is a table of [`Setting`]s, and every field of a specification is in
//! one: fields that are in none are reported.

use serde_json::{Map, Value, json};

use crate::spec::{Path, Problems};

/// A flag or argument; a name may occur several times.
pub(super) type Args = Vec<(String, String)>;

/// The effect of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// A flag, with the minor version of Kubernetes that removed it.
    Flag { name: &'static str, gone: Option<u64> },
    /// The flag once for each item of a list.
    Repeated(&'static str),
    /// A field of a configuration document, by its dotted path.
    Config(&'static str),
    /// A field that the code of its component reads.
    Code,
    /// A field that only kubeadm decides.
    Kubeadm,
    /// A field that no supported version of Kubernetes has.
    Gone,
    /// A field of an add-on, or of a program that is not used here.
    Idle(&'static str),
}

/// The type of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Bool,
    Integer,
    List,
    Map,
    Duration,
    Quantity,
    /// Any type: the code that reads it checks it.
    Any,
}

/// A field of a component.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) field: &'static str,
    pub(crate) kind: Kind,
    pub(crate) to: To,
    /// The value for which the flag is omitted.
    unless: &'static str,
}

impl Setting {
    const fn new(field: &'static str, kind: Kind, to: To) -> Self {
        Self { field, kind, to, unless: "" }
    }

    /// The same setting under another name.
    pub(super) const fn named(mut self, name: &'static str) -> Self {
        self.to = match self.to {
            To::Flag { gone, .. } => To::Flag { name, gone },
            To::Config(_) => To::Config(name),
            other => other,
        };
        self
    }

    /// The same setting, removed in a minor version.
    pub(super) const fn gone(mut self, minor: u64) -> Self {
        if let To::Flag { name, .. } = self.to {
            self.to = To::Flag { name, gone: Some(minor) };
        }
        self
    }

    /// The same setting, once for each item.
    pub(super) const fn repeated(mut self, name: &'static str) -> Self {
        self.to = To::Repeated(name);
        self
    }

    /// The same setting, omitted for a value.
    pub(super) const fn unless(mut self, value: &'static str) -> Self {
        self.unless = value;
        self
    }
}

/// A flag of the same name.
pub(super) const fn flag(field: &'static str, kind: Kind) -> Setting {
    Setting::new(field, kind, To::Flag { name: "", gone: None })
}

/// A field of a document, of the same name.
pub(super) const fn config(field: &'static str, kind: Kind) -> Setting {
    Setting::new(field, kind, To::Config(""))
}

/// A field that the component's code reads.
pub(super) const fn code(field: &'static str) -> Setting {
    Setting::new(field, Kind::Any, To::Code)
}

/// A field that kubeadm decides.
pub(super) const fn kubeadm(field: &'static str) -> Setting {
    Setting::new(field, Kind::Any, To::Kubeadm)
}

/// A field that no supported version has.
pub(super) const fn gone(field: &'static str) -> Setting {
    Setting::new(field, Kind::Any, To::Gone)
}

/// A field that is not used here, and why.
pub(super) const fn idle(field: &'static str, why: &'static str) -> Setting {
    Setting::new(field, Kind::Any, To::Idle(why))
}

/// The result of a component's settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Applied {
    /// Its flags.
    pub(super) args: Args,
    /// Its configuration document.
    pub(super) config: Map<String, Value>,
}

impl Applied {
    /// The value of a flag.
    pub(super) fn arg(&self, name: &str) -> Option<&str> {
        self.args.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// Adds a flag unless the settings have it.
    pub(super) fn or_set(&mut self, name: &str, value: impl Into<String>) {
        if self.arg(name).is_none() {
            self.args.push((name.to_owned(), value.into()));
        }
    }

    /// Replaces a flag.
    pub(super) fn replace(&mut self, name: &str, value: impl Into<String>) {
        self.args.retain(|(it, _)| it != name);
        self.args.push((name.to_owned(), value.into()));
    }
}

/// Applies a component's settings by its tables; fields that are in none of them are reported.
pub(super) fn apply(
    settings: &Value,
    tables: &[&[Setting]],
    at: &Path,
    minor: u64,
    problems: &mut Problems,
) -> Applied {
    let mut applied = Applied::default();
    let Some(fields) = object(settings, at, problems) else { return applied };
    for (field, value) in fields {
        let here = at.key(field);
        let Some(setting) = tables.iter().copied().flatten().find(|it| it.field == field) else {
            problems.warn(here, "unknown field: it has no effect", "remove it, or correct its name");
            continue;
        };
        one(setting, value, &here, minor, &mut applied, problems);
    }
    applied
}

/// The fields of an object; other values are reported.
pub(super) fn object<'a>(
    value: &'a Value,
    at: &Path,
    problems: &mut Problems,
) -> Option<&'a Map<String, Value>> {
    if !value.is_object() && !value.is_null() {
        problems.error(at.clone(), "is not an object", "nest its settings under it, or remove it");
    }
    value.as_object()
}

fn one(
    setting: &Setting,
    value: &Value,
    at: &Path,
    minor: u64,
    applied: &mut Applied,
    problems: &mut Problems,
) {
    match setting.to {
        To::Code => return,
        To::Kubeadm => {
            problems.error(at.clone(), "kubeadm decides it on these machines", "remove it");
            return;
        }
        To::Gone => {
            problems.warn(
                at.clone(),
                "no supported version of Kubernetes has it: it has no effect",
                "remove it",
            );
            return;
        }
        To::Idle(why) => {
            problems.warn(at.clone(), format!("it has no effect: {why}"), "remove it");
            return;
        }
        To::Flag { gone: Some(gone), .. } if minor >= gone => {
            problems.warn(
                at.clone(),
                format!("Kubernetes 1.{gone} removed it: it has no effect"),
                "remove it",
            );
            return;
        }
        To::Flag { .. } | To::Repeated(_) | To::Config(_) => {}
    }
    let Some(text) = text(setting.kind, value) else {
        problems.error(
            at.clone(),
            format!("{value} is not {}", expected(setting.kind)),
            format!("use {}", expected(setting.kind)),
        );
        return;
    };
    let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
    if empty || text.is_empty() || text == setting.unless {
        return;
    }
    match setting.to {
        To::Flag { name, .. } => {
            let name = if name.is_empty() { kebab(setting.field) } else { name.to_owned() };
            applied.args.push((name, text));
        }
        To::Repeated(name) => {
            let items = value.as_array().into_iter().flatten().filter_map(Value::as_str);
            applied.args.extend(items.map(|it| (name.to_owned(), it.to_owned())));
        }
        To::Config(path) => {
            let path = if path.is_empty() { setting.field } else { path };
            let as_text = matches!(setting.kind, Kind::Duration | Kind::Quantity);
            put(&mut applied.config, path, if as_text { json!(text) } else { value.clone() });
        }
        To::Code | To::Kubeadm | To::Gone | To::Idle(_) => {}
    }
}

/// Sets a field of a document by its dotted path.
pub(super) fn put(document: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(document.insert(path.to_owned(), value)),
        Some((first, rest)) => {
            let inner = document.entry(first).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// A value in the form of a flag; `None` if it is of another type.
fn text(kind: Kind, value: &Value) -> Option<String> {
    match (kind, value) {
        (Kind::Text, Value::String(text)) => Some(text.clone()),
        (Kind::Bool, Value::Bool(_)) => Some(value.to_string()),
        (Kind::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => {
            Some(number.to_string())
        }
        (Kind::List, Value::Array(items)) => {
            let items: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            Some(items?.join(","))
        }
        (Kind::Map, Value::Object(entries)) => {
            let mut pairs: Vec<_> = entries
                .iter()
                .map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
                .collect::<Option<_>>()?;
            pairs.sort();
            Some(pairs.join(","))
        }
        (Kind::Duration, Value::String(text)) => duration(text).map(|_| text.clone()),
        (Kind::Quantity, Value::String(_) | Value::Number(_)) => quantity(value),
        _ => None,
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Bool => "true or false",
        Kind::Integer => "an integer",
        Kind::List => "a list of strings",
        Kind::Map => "a map of strings",
        Kind::Duration => "a duration such as 1m30s",
        Kind::Quantity => "a quantity such as 2 or 100m",
        Kind::Any => "a value",
    }
}

/// A duration in Go's format, in nanoseconds: `1h30m`, `1.5s`, `100ms`, `0`.
pub(crate) fn duration(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at_checked(digits)?;
        let end = unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit.len());
        let (unit, after) = unit.split_at_checked(end)?;
        let nanoseconds: u64 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && part.is_empty() || part.len() > 9 {
            return None;
        }
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(nanoseconds)?)?;
        if !part.is_empty() {
            let scale = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
            total = total
                .checked_add(part.parse::<u64>().ok()?.checked_mul(nanoseconds / scale.min(nanoseconds))?)?;
        }
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// A Kubernetes quantity as a plain decimal, if flags support it: `100m` is `0.1`, `2` is `2`.
fn quantity(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if let Some(milli) = text.strip_suffix('m') {
        let milli: u64 = milli.parse().ok()?;
        let decimal = format!("{}.{:03}", milli / 1000, milli % 1000);
        return Some(decimal.trim_end_matches('0').trim_end_matches('.').to_owned());
    }
    text.parse::<f64>().ok().map(|_| text)
}

/// The name of a field's flag: `clientCAFile` is `client-ca-file`.
fn kebab(field: &str) -> String {
    let all: Vec<char> = field.chars().collect();
    let mut out = String::with_capacity(field.len() + 4);
    for (at, &c) in all.iter().enumerate() {
        let before = at.checked_sub(1).map(|it| all[it]);
        let after = all.get(at + 1);
        let starts = before.is_some_and(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
            || before.is_some_and(|it| it.is_ascii_uppercase())
                && after.is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && starts {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_named_like_flags() {
        for (field, flag) in [
            ("clientCAFile", "client-ca-file"),
            ("http2MaxStreamsPerConnection", "http2-max-streams-per-connection"),
            ("nodeCIDRMaskSize", "node-cidr-mask-size"),
            ("v", "v"),
        ] {
            assert_eq!(kebab(field), flag);
        }
    }

    #[test]
    fn durations_are_gos() {
        assert_eq!(duration("1h30m"), Some(5_400_000_000_000));
        assert_eq!(duration("1.5s"), Some(1_500_000_000));
        assert_eq!(duration("100ms"), Some(100_000_000));
        assert_eq!(duration("0"), Some(0));
        for wrong in ["", "1", "m", "1d", "5 m", "1.s2"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn quantities_are_decimals() {
        assert_eq!(quantity(&json!("100m")).as_deref(), Some("0.1"));
        assert_eq!(quantity(&json!(2)).as_deref(), Some("2"));
        assert_eq!(quantity(&json!("many")), None);
    }

    #[test]
    fn values_become_flags_and_what_does_not_fit_is_told() {
        const TABLE: &[Setting] = &[
            flag("eventTTL", Kind::Duration),
            flag("runtimeConfig", Kind::Map),
            flag("maxRequestsInflight", Kind::Integer).unless("0"),
            flag("cloudProvider", Kind::Text).gone(33),
            flag("serviceAccountKeyFile", Kind::List).repeated("service-account-key-file"),
            config("podPidsLimit", Kind::Integer),
            kubeadm("etcdServers"),
        ];
        let settings = json!({
            "eventTTL": "2h", "runtimeConfig": {"b": "false", "a": "true"}, "maxRequestsInflight": 0, "cloudProvider": "aws",
            "serviceAccountKeyFile": ["/a", "/b"], "podPidsLimit": 5, "etcdServers": ["x"], "typo": 1,
        });
        let mut problems = Problems::new();
        let applied = apply(&settings, &[TABLE], &Path::of("spec.kubeAPIServer"), 34, &mut problems);
        let args: Vec<_> = applied.args.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            args,
            [
                "event-ttl=2h",
                "runtime-config=a=true,b=false",
                "service-account-key-file=/a",
                "service-account-key-file=/b",
            ]
        );
        assert_eq!(Value::Object(applied.config), json!({"podPidsLimit": 5}));
        let told: Vec<_> = problems.iter().map(|it| it.path.to_string()).collect();
        assert_eq!(
            told,
            ["spec.kubeAPIServer.cloudProvider", "spec.kubeAPIServer.etcdServers", "spec.kubeAPIServer.typo"]
        );
        let mut problems = Problems::new();
        apply(&json!({"eventTTL": "soon"}), &[TABLE], &Path::of("spec.kubeAPIServer"), 34, &mut problems);
        assert!(problems.to_string().contains("use a duration such as 1m30s"), "{problems}");
    }
}
