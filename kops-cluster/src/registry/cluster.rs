//! One cluster of a store.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::document::{self, Versioned};
use super::{
    ADDITIONAL, APPLIED_VERSION, AdditionalObjects, COMPLETED, INSTANCE_GROUPS, Paths, SSH_KEYS, is_known,
    ssh_fingerprint,
};
use crate::pki::{Keysets, authorities};
use crate::spec::{ApiObject as _, CLUSTER_LABEL, Cluster, ClusterFiles, InstanceGroup, SshCredential};
use kops_core::CancellationToken;
use kops_core::clock::Clock;
use kops_core::store::{
    Entry, Journal, Lease, LeaseRequest, Operation, Precondition, Prefix, StateStore, StateStoreExt as _,
    StoreKey, StoredObject,
};
use kops_core::{Error, ErrorKind, Result};

/// The number of objects deleted concurrently.
const DELETIONS_AT_ONCE: usize = 32;
/// The number of foreign objects that an error names.
const NAMED: usize = 5;

/// One cluster of a store: its specification, instance groups, SSH keys, and lease.
#[derive(Clone, Debug)]
pub struct ClusterStore {
    pub(super) store: Arc<dyn StateStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) name: String,
    pub(super) at: Paths,
}

/// The complete specification of a cluster.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClusterState {
    /// The cluster.
    pub cluster: Versioned<Cluster>,
    /// Its instance groups, by name.
    pub instance_groups: Vec<Versioned<InstanceGroup>>,
    /// The public SSH keys of its administrators, by fingerprint.
    pub ssh_keys: Vec<SshCredential>,
    /// The objects of Kubernetes that are kept with it.
    pub additional: AdditionalObjects,
}

impl From<ClusterState> for ClusterFiles {
    fn from(state: ClusterState) -> Self {
        let groups = state.instance_groups.into_iter().map(Versioned::into_inner);
        let mut files = Self::new(state.cluster.into_inner(), groups, state.ssh_keys);
        files.additional_objects = state.additional.objects;
        files
    }
}

/// A cluster whose own specification has been read; of the rest, only the keys are known.
#[derive(Debug)]
pub struct OpenedCluster<'a> {
    store: &'a ClusterStore,
    cluster: Versioned<Cluster>,
    listed: Vec<Entry>,
}

impl<'a> OpenedCluster<'a> {
    /// The cluster's specification.
    pub fn cluster(&self) -> &Versioned<Cluster> {
        &self.cluster
    }

    /// Like [`ClusterStore::keysets`], but does not ask for what was not listed: a new cluster's take no read.
    ///
    /// # Errors
    /// Those of [`ClusterStore::keysets`].
    pub fn keysets(&self) -> impl Future<Output = Result<Keysets>> + Send + use<'a> {
        let store = self.store;
        let listed = |name: &'static str| {
            let key = store.keyset_at(name)?;
            Ok((name, self.listed.iter().any(|entry| entry.key == key)))
        };
        let names: Result<Vec<_>> = authorities(&self.cluster).iter().map(|it| listed(it.name)).collect();
        async move { store.keysets_of(names?).await }
    }

    /// Reads the rest, instance groups, SSH keys and additional objects, concurrently and each once.
    ///
    /// # Errors
    /// `Invalid` if an object cannot be read.
    pub async fn read(self) -> Result<ClusterState> {
        let Self { store: ClusterStore { store, at, .. }, cluster, listed } = self;
        let (groups, keys) = (at.cluster.join(INSTANCE_GROUPS)?, at.cluster.join(SSH_KEYS)?);
        let additional = at.additional()?;
        let wanted = listed
            .into_iter()
            .map(|entry| entry.key)
            .filter(|key| *key == additional || groups.contains(key) || keys.contains(key));
        let (instance_groups, ssh_keys) = (Vec::new(), Vec::new());
        let mut state =
            ClusterState { cluster, instance_groups, ssh_keys, additional: AdditionalObjects::default() };
        for (key, object) in store.get_all(wanted.collect()).await? {
            if key == additional {
                state.additional = AdditionalObjects::from_object(&**store, &key, object)?;
            } else if groups.contains(&key) {
                state.instance_groups.push(Versioned::from_object(&**store, &key, object)?);
            } else {
                state.ssh_keys.push(self.store.ssh_key(&key, object)?);
            }
        }
        Ok(state)
    }
}

/// What to do with objects that kOps does not know when a cluster is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClusterDeletion {
    /// Fails, and deletes nothing.
    #[default]
    KnownOnly,
    /// Deletes them too.
    Everything,
}

impl ClusterStore {
    pub(super) fn new(store: Arc<dyn StateStore>, clock: Arc<dyn Clock>, name: &str) -> Result<Self> {
        Ok(Self { store, clock, name: name.to_owned(), at: Paths::of(name)? })
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL of the cluster's directory: kOps' `configBase`.
    pub fn config_base(&self) -> String {
        format!("{}/{}", self.store.location(), self.name)
    }

    /// What is to be planned of a cluster that was read. A specification that does not say where its machines read from
    /// means the directory that it is in.
    pub fn to_plan(&self, state: ClusterState) -> ClusterFiles {
        let mut files = ClusterFiles::from(state);
        files.cluster.spec.config_store.base.get_or_insert_with(|| self.config_base());
        files
    }

    /// The whole cluster, with one list call and one read per object, concurrently.
    ///
    /// # Errors
    /// `NotFound` if there is no such cluster; `Invalid` if an object cannot be read.
    pub async fn read(&self) -> Result<ClusterState> {
        self.open().await?.read().await
    }

    /// Reads the cluster's specification and lists the rest, to be read next, so that a program can connect to the
    /// cloud in the meantime.
    ///
    /// # Errors
    /// Those of [`ClusterStore::read`].
    pub async fn open(&self) -> Result<OpenedCluster<'_>> {
        let config = self.at.config()?;
        // What comes before are backups and the completed specification.
        let start = self.at.cluster.key(ADDITIONAL)?;
        let (cluster, listed) = futures_util::join!(
            document::read(&*self.store, &config),
            self.store.list(&self.at.cluster, Some(&start))
        );
        let cluster = cluster?.ok_or_else(|| self.absent())?;
        Ok(OpenedCluster { store: self, cluster, listed: listed? })
    }

    /// The cluster's specification.
    ///
    /// # Errors
    /// Those of [`ClusterStore::read`].
    pub async fn cluster(&self) -> Result<Versioned<Cluster>> {
        document::read(&*self.store, &self.at.config()?).await?.ok_or_else(|| self.absent())
    }

    /// Writes the specification of a new cluster.
    ///
    /// # Errors
    /// `AlreadyExists` if there is one of that name.
    pub async fn create(&self, cluster: &Cluster) -> Result<Versioned<Cluster>> {
        self.same_name(&cluster.metadata.name)?;
        document::create(&*self.store, &self.at.config()?, cluster, self.clock.now(), None).await
    }

    /// Replaces the specification, if it is still at the version of `base`.
    ///
    /// # Errors
    /// `Conflict`, naming both generations, if it was changed in the meantime.
    pub async fn update(&self, base: &Versioned<Cluster>, cluster: &Cluster) -> Result<Versioned<Cluster>> {
        document::update(&*self.store, &self.at.config()?, base, cluster).await
    }

    /// The specification of an instance group.
    ///
    /// # Errors
    /// `NotFound` if there is none of that name; `Invalid` if it cannot be read.
    pub async fn instance_group(&self, name: &str) -> Result<Versioned<InstanceGroup>> {
        let group = document::read(&*self.store, &self.at.instance_group(name)?).await?;
        group.ok_or_else(|| Error::not_found(format!("cluster {} has no instance group {name}", self.name)))
    }

    /// Writes the specification of a new instance group.
    ///
    /// # Errors
    /// `AlreadyExists` if there is one of that name; `Invalid` if its label names another cluster.
    pub async fn create_instance_group(&self, group: &InstanceGroup) -> Result<Versioned<InstanceGroup>> {
        let key = self.at.instance_group(&group.metadata.name)?;
        document::create(&*self.store, &key, &*self.label(group)?, self.clock.now(), None).await
    }

    /// Replaces the specification of an instance group, if it is still at the version of `base`.
    ///
    /// # Errors
    /// `Conflict`, naming both generations, if it was changed in the meantime.
    pub async fn update_instance_group(
        &self,
        base: &Versioned<InstanceGroup>,
        group: &InstanceGroup,
    ) -> Result<Versioned<InstanceGroup>> {
        let key = self.at.instance_group(&base.metadata.name)?;
        document::update(&*self.store, &key, base, &*self.label(group)?).await
    }

    /// Deletes the specification of an instance group.
    ///
    /// # Errors
    /// `Conflict` if it was changed since it was read.
    pub async fn delete_instance_group(&self, base: &Versioned<InstanceGroup>) -> Result<()> {
        self.store.delete(&self.at.instance_group(&base.metadata.name)?, Some(&base.version)).await
    }

    /// The public SSH keys of the administrators, by fingerprint.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn ssh_keys(&self) -> Result<Vec<SshCredential>> {
        let listed = self.store.list(&self.at.cluster.join(SSH_KEYS)?, None).await?;
        let keys = self.store.get_all(listed.into_iter().map(|entry| entry.key).collect()).await?;
        keys.into_iter().map(|(key, object)| self.ssh_key(&key, object)).collect()
    }

    /// Adds a public SSH key, given as a line of `authorized_keys`; an existing one is left as it is.
    ///
    /// # Errors
    /// `Invalid` if it is not a public SSH key.
    pub async fn add_ssh_key(&self, public_key: &str) -> Result<()> {
        let key = self.ssh_key_at(public_key)?;
        match self.store.put(&key, public_key.as_bytes().to_vec(), Precondition::Absent).await {
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Removes a public SSH key, if it exists.
    ///
    /// # Errors
    /// `Invalid` if it is not a public SSH key.
    pub async fn delete_ssh_key(&self, public_key: &str) -> Result<()> {
        self.store.delete(&self.ssh_key_at(public_key)?, None).await
    }

    /// Stores the specification with all defaults, as it was applied.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn write_completed(&self, cluster: &Cluster) -> Result<()> {
        self.same_name(&cluster.metadata.name)?;
        let bytes = cluster.to_yaml()?.into_bytes();
        self.store.put(&self.at.cluster.key(COMPLETED)?, bytes, Precondition::Any).await.map(drop)
    }

    /// The version of the program, kOps or another, that last applied the cluster.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn applied_version(&self) -> Result<Option<String>> {
        let object = self.store.get(&self.at.cluster.key(APPLIED_VERSION)?).await?;
        Ok(object.map(|object| String::from_utf8_lossy(&object.bytes).trim().to_owned()))
    }

    /// Stores the version of the program that applied the cluster.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn write_applied_version(&self, version: &str) -> Result<()> {
        let key = self.at.cluster.key(APPLIED_VERSION)?;
        self.store.put(&key, version.as_bytes().to_vec(), Precondition::Any).await.map(drop)
    }

    /// Deletes everything that the store has of the cluster: specifications, keys, secrets and etcd backups,
    /// as kOps does, and the journal. Call it while holding the lease, then remove the lease with
    /// [`Lease::remove`].
    ///
    /// The specification is deleted last, so that an interrupted deletion can be repeated.
    ///
    /// # Errors
    /// `NotFound` if there is nothing to delete; `Conflict` if there are objects that kOps does not know
    /// (unless [`ClusterDeletion::Everything`] is given), or if the specification is changed in the meantime.
    pub async fn delete(&self, deletion: ClusterDeletion) -> Result<()> {
        let journal = self.journal_at()?;
        let (found, intents) =
            futures_util::join!(self.store.list(&self.at.cluster, None), self.store.list(&journal, None));
        let (found, intents) = (found?, intents?);
        if found.is_empty() {
            return Err(self.absent());
        }
        if deletion == ClusterDeletion::KnownOnly {
            self.only_known(&found)?;
        }
        let config = self.at.config()?;
        let (last, first): (Vec<Entry>, Vec<Entry>) =
            found.into_iter().partition(|entry| entry.key == config);
        // Collected: a closure that borrows would make this future one that no executor takes as `Send`.
        let deletions = first.iter().chain(&intents).map(|entry| self.store.delete(&entry.key, None));
        stream::iter(deletions.collect::<Vec<_>>())
            .buffer_unordered(DELETIONS_AT_ONCE)
            .try_collect::<()>()
            .await?;
        for entry in last {
            self.store.delete(&entry.key, Some(&entry.version)).await?;
        }
        Ok(())
    }

    /// The key of the cluster's lease.
    ///
    /// # Errors
    /// None for a cluster name of usual length.
    pub fn lock_key(&self) -> Result<StoreKey> {
        self.at.ours.key("lock")
    }

    /// Acquires the lease of the cluster.
    ///
    /// # Errors
    /// `Locked`, naming the holder, if it is held.
    pub async fn lock(&self, request: LeaseRequest) -> Result<Lease> {
        request.acquire(self.store.clone(), self.lock_key()?, self.clock.clone()).await
    }

    /// Acquires the lease of the cluster, does the work, and releases the lease, like [`LeaseRequest::hold`]. In
    /// addition, if the work fails and the cluster does not exist, its lock is removed, so that requests for clusters
    /// that do not exist leave nothing behind. Work that deletes the cluster has to call [`Operation::remove_lock`].
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use kops_cluster::registry::ClusterRegistry;
    /// use kops_core::clock::SystemClock;
    /// use kops_core::store::{Holder, LeaseRequest, MemoryStore};
    /// use kops_core::CancellationToken;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let registry = ClusterRegistry::new(Arc::new(MemoryStore::new()), Arc::new(SystemClock::new()));
    /// let cluster = registry.cluster("ha.example.com")?;
    ///
    /// let request = LeaseRequest::new(Holder::new("ann@desk", "update cluster"));
    /// let state = cluster.operate(request, CancellationToken::new(), |operation| {
    ///     let cluster = &cluster;
    ///     async move {
    ///         let _stop = operation.cancel(); // for an engine's run
    ///         cluster.read().await
    ///     }
    /// });
    /// assert_eq!(state.await.unwrap_err().kind(), kops_core::ErrorKind::NotFound);
    /// # Ok::<(), kops_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// Those of [`LeaseRequest::hold`].
    pub async fn operate<T, F>(
        &self,
        request: LeaseRequest,
        cancel: CancellationToken,
        work: impl FnOnce(Operation) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let config = self.at.config()?;
        let here = store.clone();
        let work = |operation: Operation| {
            let (removes, work) = (operation.clone(), work(operation));
            async move {
                let outcome = work.await;
                if outcome.is_err() && matches!(here.get(&config).await, Ok(None)) {
                    removes.remove_lock();
                }
                outcome
            }
        };
        request.hold(store, self.lock_key()?, clock, cancel, work).await
    }

    /// The journal of the cluster.
    ///
    /// # Errors
    /// None for a cluster name of usual length.
    pub fn journal(&self) -> Result<Journal> {
        Ok(Journal::new(self.store.clone(), self.journal_at()?))
    }

    fn journal_at(&self) -> Result<Prefix> {
        self.at.ours.join("journal")
    }

    pub(super) fn ssh_key_at(&self, public_key: &str) -> Result<StoreKey> {
        self.at.cluster.join(SSH_KEYS)?.key(&ssh_fingerprint(public_key)?.replace(':', ""))
    }

    fn ssh_key(&self, key: &StoreKey, object: StoredObject) -> Result<SshCredential> {
        let text = String::from_utf8(object.bytes).map_err(|_| {
            Error::invalid(format!("{}/{key} is not a public SSH key", self.store.location()))
                .with_hint("delete it, and add the key again")
        })?;
        Ok(self.credential(text))
    }

    pub(super) fn credential(&self, public_key: String) -> SshCredential {
        let mut credential = SshCredential::default();
        "admin".clone_into(&mut credential.metadata.name);
        credential.metadata.labels.insert(CLUSTER_LABEL.to_owned(), self.name.clone());
        credential.spec.public_key = public_key;
        credential
    }

    pub(super) fn same_name(&self, name: &str) -> Result<()> {
        if name == self.name {
            return Ok(());
        }
        Err(Error::invalid(format!("the specification is of cluster {name}, not of {}", self.name)))
    }

    /// The group with the label that assigns it to this cluster, as kOps writes it.
    pub(super) fn label(&self, group: &InstanceGroup) -> Result<Box<InstanceGroup>> {
        let mut group = Box::new(group.clone());
        let label =
            group.metadata.labels.entry(CLUSTER_LABEL.to_owned()).or_insert_with(|| self.name.clone());
        if *label == self.name {
            return Ok(group);
        }
        let (name, other) = (&group.metadata.name, label.clone());
        Err(Error::invalid(format!(
            "InstanceGroup/{name} has the label of cluster {other}, not of {}",
            self.name
        ))
        .with_hint(format!("set metadata.labels[\"{CLUSTER_LABEL}\"] to {}", self.name)))
    }

    fn only_known(&self, found: &[Entry]) -> Result<()> {
        let foreign: Vec<&str> = found
            .iter()
            .filter_map(|entry| self.at.cluster.relative(&entry.key))
            .filter(|key| !is_known(key))
            .collect();
        let Some(named) = foreign.get(..foreign.len().min(NAMED)).filter(|named| !named.is_empty()) else {
            return Ok(());
        };
        let more = match foreign.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "{} contains objects that kOps does not know: {}{more}",
                self.config_base(),
                named.join(", ")
            ),
        )
        .with_hint("nothing was deleted; move these objects away, or force the deletion of everything"))
    }

    /// The error for a cluster that does not exist. It does not reveal the names of other clusters.
    fn absent(&self) -> Error {
        let location = self.store.location();
        Error::not_found(format!("there is no cluster {} in the state store {location}", self.name))
            .with_hint("check its name and the URL of the store, or create it first")
    }
}
