//! Writing a whole cluster as one operation.

use std::collections::{BTreeMap, BTreeSet};

use super::document;
use super::{AdditionalObjects, ClusterState, ClusterStore, INSTANCE_GROUPS, SSH_KEYS};
use crate::spec::{AdditionalObject, ApiObject as _, ClusterFiles, InstanceGroup, SshCredential};
use kops_core::store::{Precondition, StoreKey, Version};
use kops_core::{Error, ErrorKind, Result};

/// Groups and keys, as they will be written, by key.
struct Parts {
    groups: BTreeMap<StoreKey, Box<InstanceGroup>>,
    keys: BTreeMap<StoreKey, String>,
}

/// The groups and keys in the store, with their versions.
type Found = BTreeMap<StoreKey, Version>;

impl ClusterStore {
    /// Writes a new cluster: its groups, keys and additional objects first, its own specification last.
    ///
    /// Everything is checked before the first write. Because a cluster exists only with its own specification, an
    /// interrupted write has no visible effect and can be repeated, also with other groups: leftovers are replaced or
    /// removed. Two programs that create different clusters of the same name at once may mix their groups; use the
    /// lease ([`ClusterStore::operate`]) to prevent that.
    ///
    /// # Errors
    /// `AlreadyExists` if there is a cluster of that name; `Invalid`, with nothing written, if the parts belong to
    /// different clusters, two groups have the same name, or a key is not valid.
    pub async fn create_all(&self, files: &ClusterFiles) -> Result<ClusterState> {
        let parts = self.parts(files)?;
        let config = self.at.config()?;
        let additional = self.at.additional()?;
        let (known, found, old) =
            futures_util::join!(self.store.get(&config), self.found(), self.store.get(&additional));
        if known?.is_some() {
            return Err(document::exists(&*self.store, &document::title(&files.cluster)));
        }
        let mut found = found?;
        let leftover = AdditionalObjects { objects: Vec::new(), version: old?.map(|object| object.version) };
        let mut instance_groups = Vec::new();
        for (key, group) in &parts.groups {
            let leftover = found.remove(key);
            let written = document::create(&*self.store, key, &**group, self.clock.now(), leftover);
            instance_groups.push(written.await?);
        }
        let ssh_keys = self.put_keys(&parts, &mut found).await?;
        self.remove(&found).await?;
        let additional = self.replace_additional(&leftover, &files.additional_objects).await?;
        let cluster = document::create(&*self.store, &config, &files.cluster, self.clock.now(), None).await?;
        Ok(ClusterState { cluster, instance_groups, ssh_keys, additional })
    }

    /// Replaces a cluster that was read with `files`: writes the groups that are new or differ and the keys that are
    /// new, then its own specification, and then removes the groups and keys that are not in `files`.
    ///
    /// Everything is checked before the first write, including that nothing has changed since `base` was read. An
    /// interrupted write can be completed by repeating it, after another [`ClusterStore::read`].
    ///
    /// # Errors
    /// `Conflict`, naming both generations, if any of it was changed in the meantime; `Invalid`, with nothing
    /// written, as in [`ClusterStore::create_all`].
    pub async fn replace_all(&self, base: &ClusterState, files: &ClusterFiles) -> Result<ClusterState> {
        let parts = self.parts(files)?;
        let config = self.at.config()?;
        let (known, found) = futures_util::join!(self.store.get(&config), self.found());
        let (known, mut found) = (known?.map(|object| object.version), found?);
        if base.additional.objects != files.additional_objects {
            let now = self.store.get(&self.at.additional()?).await?.map(|object| object.version);
            self.additional_is_current(&base.additional, now.as_ref())?;
        }
        document::is_current(&*self.store, &config, &base.cluster, known.as_ref()).await?;
        let mut bases = BTreeMap::new();
        for group in &base.instance_groups {
            let key = self.at.instance_group(group.name())?;
            document::is_current(&*self.store, &key, group, found.get(&key)).await?;
            bases.insert(key, group);
        }
        for (key, group) in parts.groups.iter().filter(|(key, _)| !bases.contains_key(key)) {
            if found.contains_key(key) {
                let title = document::title(&**group);
                let message = format!("{title} was created in the meantime");
                return Err(Error::new(ErrorKind::Conflict, message)
                    .with_hint("nothing was written; read the cluster again and retry the change"));
            }
        }
        let mut instance_groups = Vec::new();
        for (key, group) in &parts.groups {
            found.remove(key);
            instance_groups.push(match bases.get(key) {
                Some(base) => document::update(&*self.store, key, base, &**group).await?,
                None => document::create(&*self.store, key, &**group, self.clock.now(), None).await?,
            });
        }
        let ssh_keys = self.put_keys(&parts, &mut found).await?;
        let additional = self.update_additional(&base.additional, &files.additional_objects).await?;
        let cluster = document::update(&*self.store, &config, &base.cluster, &files.cluster).await?;
        // Groups that were added in the meantime belong to someone who has not seen this change.
        let keys = base.ssh_keys.iter().map(|key| self.ssh_key_at(key.spec.public_key.trim()));
        let keys: BTreeSet<StoreKey> = keys.collect::<Result<_>>()?;
        found.retain(|key, _| bases.contains_key(key) || keys.contains(key));
        self.remove(&found).await?;
        Ok(ClusterState { cluster, instance_groups, ssh_keys, additional })
    }

    /// Writes additional objects in the place of what an interrupted write has left.
    async fn replace_additional(
        &self,
        leftover: &AdditionalObjects,
        objects: &[AdditionalObject],
    ) -> Result<AdditionalObjects> {
        match (&leftover.version, objects) {
            (Some(version), []) => {
                self.store.delete(&self.at.additional()?, Some(version)).await?;
                Ok(AdditionalObjects::default())
            }
            _ => self.update_additional(leftover, objects).await,
        }
    }

    /// The objects to write, or all problems.
    fn parts(&self, files: &ClusterFiles) -> Result<Parts> {
        let mut errors = Vec::new();
        errors.extend(self.same_name(files.cluster.name()).err());
        errors.extend(files.cluster.to_yaml().err());
        let mut parts = Parts { groups: BTreeMap::new(), keys: BTreeMap::new() };
        for group in &files.instance_groups {
            let placed = self.label(group).and_then(|group| {
                group.to_yaml()?;
                Ok((self.at.instance_group(group.name())?, group))
            });
            match placed {
                Ok((key, group)) => {
                    if let Some(twin) = parts.groups.insert(key, group) {
                        errors.push(Error::invalid(format!("{} occurs twice", document::title(&*twin))));
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        for key in &files.ssh_keys {
            let text = key.spec.public_key.trim();
            match self.ssh_key_at(text) {
                Ok(at) => drop(parts.keys.insert(at, text.to_owned())),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(parts) } else { Err(Error::from_many(errors)) }
    }

    /// The groups and keys in the store, with their versions.
    async fn found(&self) -> Result<Found> {
        let (groups, keys) = (self.at.cluster.join(INSTANCE_GROUPS)?, self.at.cluster.join(SSH_KEYS)?);
        let (groups, keys) =
            futures_util::try_join!(self.store.list(&groups, None), self.store.list(&keys, None))?;
        Ok(groups.into_iter().chain(keys).map(|entry| (entry.key, entry.version)).collect())
    }

    /// Writes the keys that do not exist yet, and removes all of them from `found`.
    async fn put_keys(&self, parts: &Parts, found: &mut Found) -> Result<Vec<SshCredential>> {
        let mut credentials = Vec::new();
        for (key, text) in &parts.keys {
            if found.remove(key).is_none() {
                self.store.put(key, text.clone().into_bytes(), Precondition::Any).await?;
            }
            credentials.push(self.credential(text.clone()));
        }
        Ok(credentials)
    }

    async fn remove(&self, found: &Found) -> Result<()> {
        for (key, version) in found {
            self.store.delete(key, Some(version)).await?;
        }
        Ok(())
    }
}
