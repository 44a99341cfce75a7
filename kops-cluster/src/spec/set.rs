//! Setting and unsetting fields by path: `--set spec.kubernetesVersion=1.34.2`.
//!
//! A path may use the field names of v1alpha2 or those of the types. The value is parsed as the field's type;
//! a list takes comma-separated values, and a whole object or list may be given as YAML. The index one past
//! the end of a list appends.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::object::{AnyObject, ApiObject};
use super::path::{Path, Segment};
use super::problem::{Problems, Severity};
use super::schema::{Checking, Shape, nearest};
use super::version::{self, ApiVersion};
use super::yaml;
use kops_core::{Error, Result};

/// Sets the field at a path, parsing the value as the field's type.
///
/// ```
/// use kops_cluster::{Cluster, set, unset};
///
/// let mut cluster = Cluster::named("demo.example.com");
/// set(&mut cluster, "spec.kubernetesVersion", "1.34.1")?;
/// set(&mut cluster, "cluster.spec.networkCIDR", "10.0.0.0/16")?; // kOps' prefix is accepted too
/// set(&mut cluster, "spec.subnets[0].name", "a")?;
/// set(&mut cluster, "spec.sshAccess", "192.0.2.0/24,198.51.100.0/24")?;
/// assert_eq!(cluster.spec.ssh_access.len(), 2);
///
/// let error = set(&mut cluster, "spec.subnets[0].sidr", "10.0.0.0/20").unwrap_err();
/// assert!(error.to_string().contains("did you mean cidr?"));
///
/// unset(&mut cluster, "spec.subnets")?;
/// assert!(cluster.spec.networking.subnets.is_empty());
/// # Ok::<(), kops_core::Error>(())
/// ```
///
/// # Errors
/// A malformed or unknown path (with the fields that exist there), or a value that does not fit the field.
pub fn set<T: ApiObject>(object: &mut T, path: &str, value: &str) -> Result<()> {
    change(object, path, Some(value))
}

/// Removes the field, or the list element, at a path; does nothing if it is absent.
///
/// # Errors
/// A malformed or unknown path, with the fields that exist there.
pub fn unset<T: ApiObject>(object: &mut T, path: &str) -> Result<()> {
    change(object, path, None)
}

impl AnyObject {
    /// Sets the field at a path; see [`set`].
    ///
    /// # Errors
    /// As [`set`].
    pub fn set(&mut self, path: &str, value: &str) -> Result<()> {
        match self {
            Self::Cluster(object) => set(object.as_mut(), path, value),
            Self::InstanceGroup(object) => set(object.as_mut(), path, value),
            Self::SshCredential(object) => set(object.as_mut(), path, value),
            Self::Keyset(object) => set(object.as_mut(), path, value),
        }
    }

    /// Removes the field at a path; see [`unset`].
    ///
    /// # Errors
    /// As [`unset`].
    pub fn unset(&mut self, path: &str) -> Result<()> {
        match self {
            Self::Cluster(object) => unset(object.as_mut(), path),
            Self::InstanceGroup(object) => unset(object.as_mut(), path),
            Self::SshCredential(object) => unset(object.as_mut(), path),
            Self::Keyset(object) => unset(object.as_mut(), path),
        }
    }
}

fn change<T: ApiObject>(object: &mut T, written: &str, value: Option<&str>) -> Result<()> {
    let (path, opposite) = resolve::<T>(written)?;
    let value = match value {
        Some("true") if opposite => Some("false"),
        Some("false") if opposite => Some("true"),
        value => value,
    };
    let defect = |error| Error::internal(format!("{} cannot be changed by path", T::KIND)).with_source(error);
    let mut document = serde_json::to_value(&*object).map_err(defect)?;
    let place = Place { written, path: &path };
    match value {
        Some(value) => place.put(&mut document, T::SHAPE, path.segments(), value)?,
        None => place.remove(&mut document, T::SHAPE, path.segments())?,
    }
    // The new value fits its field, but a choice may be left without a value.
    let mut problems = Problems::new();
    Checking::values(Severity::Warning).check(&mut document, T::SHAPE, &Path::root(), &mut problems);
    problems
        .update(|problem| problem.path = version::to_version(ApiVersion::V1Alpha2, T::KIND, &problem.path));
    problems.into_result()?;
    *object = serde_json::from_value(document).map_err(defect)?;
    Ok(())
}

/// The path in the types, and whether the field there has the opposite meaning.
fn resolve<T: ApiObject>(written: &str) -> Result<(Path, bool)> {
    let mut path: Path = written.parse()?;
    // kOps allows the kind as a prefix.
    let prefixes = ["cluster", "instancegroup", "instanceGroup"];
    if let Some(Segment::Key(first)) = path.segments().first()
        && prefixes.contains(&first.as_str())
        && let Some(rest) = path.strip_prefix(&Path::of(first))
        && !rest.is_root()
    {
        path = rest;
    }
    let opposite = version::is_opposite(ApiVersion::V1Alpha2, T::KIND, &path);
    Ok((version::from_version(ApiVersion::V1Alpha2, T::KIND, &path), opposite))
}

/// A path as it was written, for messages.
#[derive(Clone, Copy)]
struct Place<'a> {
    written: &'a str,
    path: &'a Path,
}

impl Place<'_> {
    fn put(self, slot: &mut Value, shape: &'static Shape, rest: &[Segment], value: &str) -> Result<()> {
        let Some((segment, rest)) = rest.split_first() else {
            *slot = self.parse(shape, value)?;
            return Ok(());
        };
        match (shape, segment) {
            (Shape::List(of), segment) => self.put_element(slot, of, segment, rest, value),
            (Shape::Map(of), Segment::Key(key)) => self.put(entry(slot, key), of, rest, value),
            // Settings that are kept as they are take the form that the path gives them.
            (Shape::Opaque, Segment::Index(_)) if slot.is_array() || slot.is_null() => {
                self.put_element(slot, &Shape::Opaque, segment, rest, value)
            }
            (Shape::Opaque, Segment::Key(_)) if slot.is_array() => {
                self.put_element(slot, &Shape::Opaque, segment, rest, value)
            }
            (Shape::Opaque, Segment::Key(key)) => self.put(entry(slot, key), &Shape::Opaque, rest, value),
            (Shape::OneOf(_), Segment::Key(key)) => {
                let field = self.field(shape, key)?;
                // The new choice replaces the old one.
                if slot.get(key).is_none() {
                    *slot = Value::Object(Map::new());
                }
                self.put(entry(slot, key), field, rest, value)
            }
            (_, Segment::Key(key)) => self.put(entry(slot, key), self.field(shape, key)?, rest, value),
            (_, Segment::Index(_)) => Err(self
                .wrong(format!("it is not a list, but {}", shape.expects()))
                .with_hint("remove the index")),
        }
    }

    /// Puts a value into an element of a list; the index after the last appends.
    fn put_element(
        self,
        slot: &mut Value,
        of: &'static Shape,
        segment: &Segment,
        rest: &[Segment],
        value: &str,
    ) -> Result<()> {
        let index = self.index(segment)?;
        let mut items = if let Value::Array(items) = slot.take() { items } else { Vec::new() };
        match index.cmp(&items.len()) {
            Ordering::Less => {}
            Ordering::Equal => items.push(Value::Null),
            Ordering::Greater => {
                return Err(self
                    .wrong(format!("the list has {} elements", items.len()))
                    .with_hint(format!("use an index up to {}, which appends", items.len())));
            }
        }
        self.put(&mut items[index], of, rest, value)?;
        *slot = Value::Array(items);
        Ok(())
    }

    fn remove(self, slot: &mut Value, shape: &'static Shape, rest: &[Segment]) -> Result<()> {
        let Some((segment, rest)) = rest.split_first() else { return Ok(()) };
        let inner = match (shape, segment) {
            (Shape::List(_) | Shape::Opaque, segment) if slot.is_array() => {
                let of = if let Shape::List(of) = shape { *of } else { &Shape::Opaque };
                let index = self.index(segment)?;
                if rest.is_empty() {
                    if let Value::Array(items) = slot
                        && index < items.len()
                    {
                        items.remove(index);
                    }
                    return Ok(());
                }
                slot.get_mut(index).map(|slot| (slot, of))
            }
            // There is no list, or not yet.
            (Shape::List(_), segment) => self.index(segment).map(|_| None)?,
            (_, Segment::Key(key)) => {
                let of = match shape {
                    Shape::Map(of) => of,
                    Shape::Opaque => &Shape::Opaque,
                    // An unknown field can be removed, but not set.
                    _ if slot.get(key).is_some() => shape.field(key).unwrap_or(&Shape::Opaque),
                    _ => self.field(shape, key)?,
                };
                if rest.is_empty() {
                    if let Value::Object(entries) = slot {
                        entries.remove(key);
                    }
                    return Ok(());
                }
                slot.get_mut(key).map(|slot| (slot, of))
            }
            (Shape::Opaque, Segment::Index(index)) => slot.get_mut(*index).map(|slot| (slot, &Shape::Opaque)),
            (_, Segment::Index(_)) => {
                return Err(self
                    .wrong(format!("it is not a list, but {}", shape.expects()))
                    .with_hint("remove the index"));
            }
        };
        match inner {
            Some((slot, shape)) => self.remove(slot, shape, rest),
            None => Ok(()),
        }
    }

    /// The index into a list; kOps' form `subnets.0` is accepted too.
    fn index(self, segment: &Segment) -> Result<usize> {
        match segment {
            Segment::Index(index) => Ok(*index),
            Segment::Key(key) => key.parse().map_err(|_| {
                self.wrong(format!("it is a list, but {key:?} is not an index"))
                    .with_hint("specify the element, as in subnets[0].cidr")
            }),
        }
    }

    fn field(self, shape: &'static Shape, name: &str) -> Result<&'static Shape> {
        if let Some(field) = shape.field(name) {
            return Ok(field);
        }
        let mut names: Vec<&str> = shape.fields().iter().map(|field| field.name).collect();
        if names.is_empty() {
            return Err(self
                .wrong(format!("{name:?} is inside {}, which has no fields", shape.expects()))
                .with_hint("shorten the path"));
        }
        names.sort_unstable();
        let error = self.wrong(format!("unknown field {name:?}"));
        Err(match nearest(name, names.iter().copied()) {
            Some(close) => {
                error.with_hint(format!("did you mean {close}? Valid fields: {}", names.join(", ")))
            }
            None => error.with_hint(format!("valid fields: {}", names.join(", "))),
        })
    }

    /// Parses a text as a value of a shape.
    fn parse(self, shape: &'static Shape, text: &str) -> Result<Value> {
        let value = match shape {
            Shape::Text | Shape::Secret | Shape::Form(_) | Shape::Choice(_) => Some(Value::from(text)),
            Shape::List(of)
                if !matches!(of, Shape::Object(_) | Shape::Opaque)
                    && !text.trim_start().starts_with(['[', '-']) =>
            {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(Value::Array(items.map(|item| self.parse(of, item)).collect::<Result<_>>()?))
            }
            // A single element of such a list is YAML too.
            _ => yaml::read(text)?.into_iter().next().map(|document| document.value),
        };
        let mut value = value.unwrap_or(Value::Null);
        // v1alpha2's names of roles are accepted too.
        if matches!(shape, Shape::Choice(words) if words.contains(&"ControlPlane")) && text == "Master" {
            value = Value::from("ControlPlane");
        }
        // So is the name of a cloud: `cloudProvider=aws`.
        if let (Shape::OneOf(_), Value::String(name)) = (shape, &value) {
            let mut object = Map::new();
            object.insert(name.clone(), Value::Object(Map::new()));
            value = Value::Object(object);
        }
        let mut problems = Problems::new();
        // What was typed is quoted, not what YAML made of it.
        let written = |path: &Path| (path == self.path).then(|| text.trim().to_owned());
        let checking = Checking { unknown: Severity::Error, written: &written };
        checking.check(&mut value, shape, self.path, &mut problems);
        match problems.into_iter().next() {
            None => Ok(value),
            Some(problem) => Err(self.wrong(problem.message).with_hint(problem.fix)),
        }
    }

    fn wrong(self, why: impl std::fmt::Display) -> Error {
        Error::invalid(format!("{}: {why}", self.written))
    }
}

fn entry<'a>(slot: &'a mut Value, key: &str) -> &'a mut Value {
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    &mut slot[key]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Cluster, InstanceGroup, Role};

    fn cluster() -> Cluster {
        let mut cluster = Cluster::named("demo.example.com");
        for (path, value) in [
            ("spec.cloudProvider", "aws"),
            ("spec.subnets[0].name", "a"),
            ("spec.subnets[1].name", "b"),
            ("spec.networking.subnets[1].type", "Private"),
            ("spec.kubelet.maxPods", "110"),
        ] {
            set(&mut cluster, path, value).unwrap();
        }
        cluster
    }

    #[test]
    fn values_are_read_as_the_fields_type() {
        let mut cluster = cluster();
        set(&mut cluster, "spec.kubernetesVersion", "1.34").unwrap();
        set(&mut cluster, "spec.api.loadBalancer.crossZoneLoadBalancing", "true").unwrap();
        set(&mut cluster, "spec.cloudLabels.size", "10").unwrap();
        set(&mut cluster, "spec.cloudLabels[\"a.b/c\"]", "x").unwrap();
        set(&mut cluster, "spec.rollingUpdate.maxSurge", "25%").unwrap();
        set(&mut cluster, "spec.networking.cilium", "{}").unwrap();
        set(&mut cluster, "spec.DisableSubnetTags", "true").unwrap();
        assert_eq!(cluster.spec.networking.tag_subnets, Some(false));
        set(&mut cluster, "spec.subnets.0.cidr", "10.0.0.0/20").unwrap();
        assert_eq!(cluster.spec.kubernetes_version.as_deref(), Some("1.34"));
        assert_eq!(cluster.spec.api.load_balancer.as_ref().unwrap().cross_zone_load_balancing, Some(true));
        assert_eq!(cluster.spec.cloud_labels["size"], "10");
        assert_eq!(cluster.spec.cloud_labels["a.b/c"], "x");
        assert_eq!(cluster.spec.networking.plugins().count(), 1);
        assert_eq!(cluster.spec.networking.subnets[0].cidr, Some("10.0.0.0/20".parse().unwrap()));
        assert_eq!(cluster.spec.kubelet.as_ref().unwrap().0["maxPods"], 110);

        let mut group = InstanceGroup::named("nodes", Role::Node, "demo.example.com");
        set(&mut group, "spec.rootVolumeSize", "64").unwrap();
        set(&mut group, "spec.role", "Master").unwrap();
        set(&mut group, "spec.taints", "a=b:NoSchedule, c=d:NoExecute").unwrap();
        assert_eq!(group.spec.root_volume.as_ref().unwrap().size, Some(64));
        assert_eq!(group.role(), Role::ControlPlane);
        assert_eq!(group.spec.taints, ["a=b:NoSchedule", "c=d:NoExecute"]);
    }

    #[test]
    fn what_cannot_be_set_is_told_with_what_can() {
        for (path, value, expected) in [
            ("spec.kubernetesVersio", "1", "did you mean kubernetesVersion?"),
            ("spec.api.loadBalancer.nope", "x", "valid fields: accessLog, additionalSecurityGroups"),
            ("spec.subnets[5].name", "x", "the list has 2 elements"),
            ("spec.subnets.name", "x", "is not an index"),
            ("spec.subnets[0].cidr", "10.0.0.0", "is not a CIDR"),
            ("spec.subnets[0].type", "Privat", "did you mean Private?"),
            ("spec.rollingUpdate.drainAndTerminate", "maybe", "is neither true nor false"),
            ("spec.kubernetesVersion.x", "1", "has no fields"),
            ("spec.kubernetesVersion[0]", "1", "it is not a list"),
            ("spec.cloudProvider", "awz", "did you mean aws?"),
            ("spec..x", "1", "is not a path"),
        ] {
            let mut changed = cluster();
            let error = set(&mut changed, path, value).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains(path), "{error}");
            assert_eq!(changed, cluster(), "nothing is changed by halves");
        }
    }

    #[test]
    fn lists_inside_settings_that_are_kept_as_they_are_grow_too() {
        let mut cluster = cluster();
        set(&mut cluster, "cluster.spec.addons[0].manifest", "https://example.net/a.yaml").unwrap();
        set(&mut cluster, "spec.addons.1.manifest", "https://example.net/b.yaml").unwrap();
        let addons = |cluster: &Cluster| cluster.spec.addons.as_ref().unwrap().0.to_string();
        assert_eq!(
            addons(&cluster),
            r#"[{"manifest":"https://example.net/a.yaml"},{"manifest":"https://example.net/b.yaml"}]"#
        );
        let error = set(&mut cluster, "spec.addons[7].manifest", "x").unwrap_err();
        assert_eq!(error.hint(), Some("use an index up to 2, which appends"));
        let error = set(&mut cluster, "spec.kubelet[0]", "x").unwrap_err();
        assert!(error.to_string().contains("it is not a list"), "{error}");
        unset(&mut cluster, "spec.addons[0]").unwrap();
        assert_eq!(addons(&cluster), r#"[{"manifest":"https://example.net/b.yaml"}]"#);
    }

    #[test]
    fn fields_and_elements_are_taken_out() {
        let mut cluster = cluster();
        unset(&mut cluster, "spec.subnets[0]").unwrap();
        assert_eq!(cluster.spec.networking.subnets[0].name, "b");
        unset(&mut cluster, "spec.kubelet.maxPods").unwrap();
        unset(&mut cluster, "spec.api.loadBalancer").unwrap();
        unset(&mut cluster, "spec.subnets[7].cidr").unwrap();
        assert!(unset(&mut cluster, "spec.nothing").unwrap_err().hint().is_some());
        cluster.spec.unknown.insert("nothing".to_owned(), Value::Bool(true));
        unset(&mut cluster, "spec.nothing").unwrap();
        assert!(cluster.spec.unknown.is_empty());
    }
}
