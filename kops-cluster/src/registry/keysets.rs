//! Keysets in the store: kOps' `pki/private/<name>/keyset.yaml`.

use futures_util::future::try_join_all;

use super::{ClusterStore, KEYSETS};
use crate::pki::{self, Keypair, Keysets, authorities};
use crate::spec::{self, ApiObject as _, Cluster, Mode};
use kops_core::store::{Precondition, StateStoreExt as _, StoreKey, StoredObject, Version};
use kops_core::{Error, ErrorKind, Result};

/// The name of the file in a keyset's directory.
const FILE: &str = "keyset.yaml";

impl ClusterStore {
    /// The names and ids of the keysets that a specification needs, without ids if they do not exist yet.
    /// Nothing is written.
    ///
    /// The layout has one object for the certificates and the private keys of a keyset, so planning requires
    /// permission to read it; the private keys in it are not decoded.
    ///
    /// # Errors
    /// `Invalid` if one cannot be read.
    pub async fn keysets(&self, cluster: &Cluster) -> Result<Keysets> {
        self.keysets_of(authorities(cluster).iter().map(|it| (it.name, true))).await
    }

    /// Keysets by name, and whether to read each.
    pub(super) async fn keysets_of(
        &self,
        names: impl IntoIterator<Item = (&'static str, bool)>,
    ) -> Result<Keysets> {
        let ids = names.into_iter().map(|(name, listed)| async move {
            let found = if listed { self.stored_keyset(name).await? } else { None };
            let ids = found.map(|(document, _)| trusted(&document)).unwrap_or_default();
            Ok::<_, Error>((name.to_owned(), ids))
        });
        Ok(Keysets::new(try_join_all(ids).await?))
    }

    /// Stores the keysets that were generated for a plan ([`Keysets::generate_missing`]).
    ///
    /// # Errors
    /// `Conflict` if another process has created one in the meantime, because the plan is for different keys.
    pub async fn create_keysets(&self, keysets: &[pki::Keyset]) -> Result<()> {
        try_join_all(keysets.iter().map(|it| self.create_one(it))).await.map(drop)
    }

    async fn create_one(&self, keyset: &pki::Keyset) -> Result<()> {
        let document = keyset.document();
        if trusted(&self.put_new(&document).await?) == trusted(&document) {
            return Ok(());
        }
        let message = format!("keyset {} was created in the meantime", keyset.name());
        Err(Error::new(ErrorKind::Conflict, message).with_hint("nothing was applied; run again"))
    }

    /// The keysets that a specification needs; those that do not exist are created, each with a new
    /// self-signed authority. If several processes create one concurrently, all get the keys of the first.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use kops_cluster::Cluster;
    /// use kops_cluster::pki::KUBERNETES_CA;
    /// use kops_cluster::registry::ClusterRegistry;
    /// use kops_core::clock::SystemClock;
    /// use kops_core::store::MemoryStore;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let registry = ClusterRegistry::new(Arc::new(MemoryStore::new()), Arc::new(SystemClock::new()));
    /// let store = registry.cluster("ha.example.com")?;
    /// let cluster = Cluster::named("ha.example.com");
    ///
    /// assert_eq!(store.keysets(&cluster).await?.missing().count(), 4); // a plan creates nothing
    /// let (one, other) = tokio::join!(store.ensure_keysets(&cluster), store.ensure_keysets(&cluster));
    /// let keysets = one?;
    /// assert_eq!(keysets, other?);
    /// assert_eq!(keysets.ids(KUBERNETES_CA).len(), 1);
    /// # Ok::<(), kops_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `Invalid` if one exists and cannot be read: it is never replaced.
    pub async fn ensure_keysets(&self, cluster: &Cluster) -> Result<Keysets> {
        let ids = authorities(cluster).iter().map(|it| async move {
            let document = match self.stored_keyset(it.name).await? {
                Some((document, _)) => document,
                None => self.put_new(&pki::Keyset::generate(it.name, self.clock.now())?.document()).await?,
            };
            Ok::<_, Error>((it.name.to_owned(), trusted(&document)))
        });
        Ok(Keysets::new(try_join_all(ids).await?))
    }

    /// A keyset, private keys included.
    ///
    /// # Errors
    /// `NotFound` if there is none of that name; `Invalid` if it cannot be read.
    pub async fn keyset(&self, name: &str) -> Result<pki::Keyset> {
        let (document, _) = self.stored_keyset(name).await?.ok_or_else(|| self.no_keyset(name))?;
        pki::Keyset::from_document(&document)
    }

    /// All keysets of the cluster by name, private keys included: one list call, and one read for each.
    ///
    /// # Errors
    /// `Invalid` if one cannot be read.
    pub async fn all_keysets(&self) -> Result<Vec<pki::Keyset>> {
        let listed = self.store.list(&self.at.cluster.join(KEYSETS)?, None).await?;
        let keys = listed.into_iter().map(|entry| entry.key).filter(|key| key.name() == FILE);
        let found = self.store.get_all(keys.collect()).await?;
        found
            .into_iter()
            .map(|(key, object)| pki::Keyset::from_document(&self.read_keyset(&key, &object)?))
            .collect()
    }

    /// Adds a key pair to a keyset, which is created if it does not exist, and returns its id.
    ///
    /// # Errors
    /// `Invalid` if no key pairs can be added to this keyset, or if it does not exist and the key pair is not
    /// to be primary; `Conflict` if the keyset was changed concurrently.
    pub async fn add_keypair(&self, name: &str, keypair: Keypair, primary: bool) -> Result<String> {
        if !pki::is_rotatable(name) {
            return Err(Error::invalid(format!("no key pairs can be added to keyset {name}"))
                .with_hint("choose service-account or a keyset of an authority, such as kubernetes-ca"));
        }
        let key = self.keyset_at(name)?;
        let (keyset, id, condition) = match self.stored_keyset(name).await? {
            Some((document, version)) => {
                let mut keyset = pki::Keyset::from_document(&document)?;
                let id = keyset.add(keypair, primary, self.clock.now())?.to_owned();
                (keyset, id, Precondition::Match(version))
            }
            None if primary => {
                let id = keypair.id().to_owned();
                (pki::Keyset::new(name, keypair)?, id, Precondition::Absent)
            }
            None => {
                return Err(Error::invalid(format!(
                    "keyset {name} does not exist, so its first key pair must be primary"
                ))
                .with_hint("add it as primary"));
            }
        };
        let bytes = keyset.document().to_yaml()?.into_bytes();
        match self.store.put(&key, bytes, condition).await {
            Ok(_) => Ok(id),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let message = format!("keyset {name} was changed in the meantime");
                Err(Error::new(ErrorKind::Conflict, message)
                    .with_hint("nothing was written; run again")
                    .with_source(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a new keyset unless it exists, and returns the stored one.
    async fn put_new(&self, document: &spec::Keyset) -> Result<spec::Keyset> {
        let name = &document.metadata.name;
        let bytes = document.to_yaml()?.into_bytes();
        match self.store.put(&self.keyset_at(name)?, bytes, Precondition::Absent).await {
            Ok(_) => Ok(document.clone()),
            // Also if a retried write finds the result of the first attempt.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                Ok(self.stored_keyset(name).await?.ok_or(error)?.0)
            }
            Err(error) => Err(error),
        }
    }

    async fn stored_keyset(&self, name: &str) -> Result<Option<(spec::Keyset, Version)>> {
        let key = self.keyset_at(name)?;
        let Some(object) = self.store.get(&key).await? else { return Ok(None) };
        Ok(Some((self.read_keyset(&key, &object)?, object.version)))
    }

    /// The document at a key. No error quotes the text.
    fn read_keyset(&self, key: &StoreKey, object: &StoredObject) -> Result<spec::Keyset> {
        let place = format!("{}/{key}", self.store.location());
        let wrong = |why: &str| {
            Error::invalid(format!("{place}: {why}")).with_hint("restore it from a backup of the state store")
        };
        let text = std::str::from_utf8(&object.bytes).map_err(|_| wrong("it is not text"))?;
        let (mut document, _) =
            spec::Keyset::from_yaml(text, Mode::Lenient).map_err(|error| wrong(error.message()))?;
        let directory = key.as_str().rsplit('/').nth(1).unwrap_or_default();
        directory.clone_into(&mut document.metadata.name);
        Ok(document)
    }

    pub(super) fn keyset_at(&self, name: &str) -> Result<StoreKey> {
        if name.is_empty() || name.contains('/') {
            let message = format!("`{}` is not a valid keyset name", name.escape_debug());
            return Err(Error::invalid(message).with_hint("use a name such as kubernetes-ca"));
        }
        self.at.cluster.join(KEYSETS)?.join(name)?.key(FILE)
    }

    fn no_keyset(&self, name: &str) -> Error {
        Error::not_found(format!("cluster {} has no keyset {name}", self.name))
            .with_hint(format!("keysets are created by `kops update cluster {} --yes`", self.name))
    }
}

/// The ids of the trusted keys.
fn trusted(document: &spec::Keyset) -> Vec<String> {
    let trusted = document.spec.keys.iter().filter(|it| it.distrust_timestamp.is_none());
    trusted.map(|it| it.id.clone()).collect()
}
