//! The API of a cluster in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Unit;
use serde_json::{Value, json};

use super::fields::{self, Path};
use crate::kube::{Eviction, Kube, ObjectQuery, ObjectRef};
use kops_core::clock::Clock;
use kops_core::{Error, ErrorKind, Result};

/// The API of a cluster in memory. Clones are the same cluster.
///
/// ```
/// use std::sync::Arc;
///
/// use kops_cluster::kube::{Kube as _, KubeExt as _, NodeChange};
/// use kops_cluster::testing::MemoryKube;
/// use kops_core::clock::SystemClock;
/// use serde_json::json;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let kube = MemoryKube::new(Arc::new(SystemClock::new()));
/// kube.put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}))?;
/// let node = kube.change_node("a", &NodeChange::new().cordon()).await?;
/// assert!(node.unschedulable);
/// # Ok::<(), kops_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryKube {
    clock: Arc<dyn Clock>,
    world: Arc<Mutex<World>>,
}

impl fmt::Debug for MemoryKube {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryKube({} objects)", self.world().objects.len())
    }
}

#[derive(Default)]
struct World {
    objects: BTreeMap<ObjectRef, Stored>,
    /// The version of the last change.
    version: u64,
    outage: Option<Error>,
    failing_checks: Vec<String>,
    calls: usize,
}

#[derive(Default)]
struct Stored {
    object: Value,
    /// What each manager applied last.
    applied: BTreeMap<String, BTreeMap<Path, Value>>,
}

impl MemoryKube {
    /// The API of a cluster without any objects.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, world: Arc::default() }
    }

    /// Puts an object there, in place of one of that name: what controllers and kubelets do in a cluster.
    ///
    /// # Errors
    /// `Invalid` if the document does not say its kind or name.
    pub fn put(&self, mut document: Value) -> Result<()> {
        let reference = ObjectRef::of(&document)?;
        let mut world = self.world();
        let known = world.objects.remove(&reference).unwrap_or_default();
        let identity = ["uid", "creationTimestamp"].map(|name| known.object["metadata"][name].clone());
        for (name, value) in ["uid", "creationTimestamp"].into_iter().zip(identity) {
            if !value.is_null() {
                document["metadata"][name] = value;
            }
        }
        let now = self.now();
        world.write(&reference, Stored { object: document, ..known }, &now);
        Ok(())
    }

    /// Removes an object: what controllers do in a cluster.
    pub fn remove(&self, object: &ObjectRef) {
        self.world().objects.remove(object);
    }

    /// Makes all calls fail, or none.
    pub fn set_outage(&self, error: Option<Error>) {
        self.world().outage = error;
    }

    /// Sets the checks that the API server fails.
    pub fn set_failing_checks(&self, checks: impl IntoIterator<Item = impl Into<String>>) {
        self.world().failing_checks = checks.into_iter().map(Into::into).collect();
    }

    /// The number of calls so far.
    pub fn calls(&self) -> usize {
        self.world().calls
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call.
    fn call(&self) -> Result<MutexGuard<'_, World>> {
        let mut world = self.world();
        world.calls += 1;
        match &world.outage {
            Some(error) => Err(error.clone()),
            None => Ok(world),
        }
    }

    fn now(&self) -> String {
        let now = self.clock.now();
        now.round(Unit::Second).unwrap_or(now).to_string()
    }
}

impl World {
    /// Writes an object under its next version.
    fn write(&mut self, reference: &ObjectRef, mut stored: Stored, now: &str) -> Value {
        self.version += 1;
        let metadata = &mut stored.object["metadata"];
        metadata["resourceVersion"] = json!(self.version.to_string());
        if metadata["uid"].is_null() {
            metadata["uid"] = json!(format!("uid-{}", self.version));
        }
        if metadata["creationTimestamp"].is_null() {
            metadata["creationTimestamp"] = json!(now);
        }
        let object = stored.object.clone();
        self.objects.insert(reference.clone(), stored);
        object
    }
}

#[async_trait]
impl Kube for MemoryKube {
    async fn version(&self) -> Result<String> {
        self.call().map(|_| "v1.34.4".to_owned())
    }

    async fn failing_checks(&self) -> Result<Vec<String>> {
        Ok(self.call()?.failing_checks.clone())
    }

    async fn get(&self, object: &ObjectRef) -> Result<Option<Value>> {
        Ok(self.call()?.objects.get(object).map(|it| it.object.clone()))
    }

    async fn list(&self, query: &ObjectQuery) -> Result<Vec<Value>> {
        let world = self.call()?;
        let selected = world.objects.iter().filter(|(at, it)| selects(query, at, &it.object));
        Ok(selected.map(|(_, it)| it.object.clone()).collect())
    }

    async fn apply(&self, document: &Value, manager: &str, force: bool) -> Result<Value> {
        let reference = ObjectRef::of(document)?;
        let now = self.now();
        let mut world = self.call()?;
        let mut stored = world.objects.remove(&reference).unwrap_or_default();
        let existed = !stored.object.is_null();
        let (before, known) = (stored.object.clone(), stored.applied.clone());
        let wanted = fields::leaves(document);
        let conflict = claim(&mut stored, &wanted, manager, force);
        if let Err(field) = conflict {
            (stored.object, stored.applied) = (before, known);
            world.objects.insert(reference.clone(), stored);
            let message = format!("Apply failed with 1 conflict: {field}");
            return Err(Error::new(ErrorKind::Conflict, message).with_call(format!("apply {reference}")));
        }
        stored.applied.insert(manager.to_owned(), wanted);
        if existed && stored.object == before {
            world.objects.insert(reference, stored);
            return Ok(before);
        }
        Ok(world.write(&reference, stored, &now))
    }

    async fn patch(&self, object: &ObjectRef, patch: &Value) -> Result<Value> {
        let now = self.now();
        let mut world = self.call()?;
        let known = world.objects.get(object).map(|it| it.object["metadata"]["resourceVersion"].clone());
        let known = known.ok_or_else(|| absent(object, "patch"))?;
        let expected = &patch["metadata"]["resourceVersion"];
        if !expected.is_null() && *expected != known {
            let message = format!("{object} was changed in the meantime");
            return Err(Error::new(ErrorKind::Conflict, message).with_call(format!("patch {object}")));
        }
        let mut stored = world.objects.remove(object).unwrap_or_default();
        let before = stored.object.clone();
        fields::merge(&mut stored.object, patch);
        if stored.object == before {
            world.objects.insert(object.clone(), stored);
            return Ok(before);
        }
        Ok(world.write(object, stored, &now))
    }

    async fn delete(&self, object: &ObjectRef, uid: Option<&str>) -> Result<()> {
        let mut world = self.call()?;
        let Some(known) = world.objects.get(object) else { return Ok(()) };
        let known = &known.object["metadata"]["uid"];
        if uid.is_some_and(|it| known != it) {
            let message = format!("{object} is another object than the one to delete: its uid is {known}");
            return Err(Error::new(ErrorKind::Conflict, message).with_call(format!("delete {object}")));
        }
        world.objects.remove(object);
        Ok(())
    }

    async fn evict(&self, namespace: &str, pod: &str, _grace: Option<Duration>) -> Result<Eviction> {
        let reference = ObjectRef::new("v1", "Pod", pod).in_namespace(namespace);
        let mut world = self.call()?;
        let Some(stored) = world.objects.get(&reference) else { return Ok(Eviction::Accepted) };
        // As the API server: a pod that does not serve is evicted whatever the budget says.
        let serves = stored.object["status"]["phase"] == "Running";
        let labels = stored.object["metadata"]["labels"].clone();
        let budgets: Vec<ObjectRef> = world
            .objects
            .iter()
            .filter(|(at, it)| {
                at.kind == "PodDisruptionBudget"
                    && at.namespace.as_deref() == Some(namespace)
                    && matches(&it.object["spec"]["selector"]["matchLabels"], &labels)
            })
            .map(|(at, _)| at.clone())
            .filter(|_| serves)
            .collect();
        let allowed = |world: &World, at: &ObjectRef| {
            world.objects[at].object["status"]["disruptionsAllowed"].as_u64().unwrap_or(0)
        };
        if let Some(at) = budgets.iter().find(|at| allowed(&world, at) == 0) {
            return Ok(Eviction::Blocked {
                reason: format!("The disruption budget {} does not allow it", at.name),
            });
        }
        for at in &budgets {
            let left = allowed(&world, at) - 1;
            if let Some(budget) = world.objects.get_mut(at) {
                budget.object["status"]["disruptionsAllowed"] = json!(left);
            }
        }
        world.objects.remove(&reference);
        Ok(Eviction::Accepted)
    }
}

/// Makes the wanted fields those of the manager; the field that another one has set otherwise if not forced to.
fn claim(
    stored: &mut Stored,
    wanted: &BTreeMap<Path, Value>,
    manager: &str,
    force: bool,
) -> Result<(), String> {
    let before = stored.applied.remove(manager).unwrap_or_default();
    for (path, value) in wanted {
        for (other, theirs) in &mut stored.applied {
            if theirs.get(path).is_some_and(|it| it != value) {
                if !force {
                    return Err(format!("conflict with {other:?}: .{}", path.join(".")));
                }
                theirs.remove(path);
            }
        }
        fields::set(&mut stored.object, path, value.clone());
    }
    for path in before.keys().filter(|path| !wanted.contains_key(*path)) {
        if !stored.applied.values().any(|theirs| theirs.contains_key(path)) {
            fields::remove(&mut stored.object, path);
        }
    }
    Ok(())
}

fn selects(query: &ObjectQuery, at: &ObjectRef, object: &Value) -> bool {
    let field = |path: &str| {
        path.split('.').fold(object, |value, name| &value[name]).as_str().unwrap_or_default().to_owned()
    };
    at.api_version == query.api_version
        && at.kind == query.kind
        && query.namespace.as_ref().is_none_or(|it| at.namespace.as_ref() == Some(it))
        && query.labels.iter().all(|(key, value)| object["metadata"]["labels"][key.as_str()] == **value)
        && query.fields.iter().all(|(path, value)| field(path) == *value)
}

/// Whether a selector's labels are among the labels; an empty selector selects everything.
fn matches(selector: &Value, labels: &Value) -> bool {
    selector.as_object().is_none_or(|all| all.iter().all(|(key, value)| labels[key.as_str()] == *value))
}

fn absent(object: &ObjectRef, verb: &str) -> Error {
    Error::not_found(format!("{object} does not exist")).with_call(format!("{verb} {object}"))
}
