//! Keys that sign URLs of containers.

use async_trait::async_trait;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Update,
};
use kops_core::resource::Resource;
use kops_core::{Error, ErrorKind, Result};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::clients::{Call, Clients, Service};
use crate::temp_url;

/// The key that signs URLs of a container ([TempURL]); its identifier is the container's name. An existing
/// key of the container is used unchanged. It carries no mark and is never deleted, because others may have
/// signed URLs with it.
///
/// [TempURL]: https://docs.openstack.org/swift/latest/api/temporary_url_middleware.html
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TempUrlKey {
    /// The container.
    pub container: String,
}

impl Resource for TempUrlKey {
    const KIND: &'static str = "TempUrlKey";
    type Resolved = Self;
}

#[derive(Debug)]
pub(crate) struct TempUrlKeys(pub(crate) Clients);

#[async_trait]
impl Handler for TempUrlKeys {
    type Kind = TempUrlKey;

    /// A second key would replace the first, so there is still one.
    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<TempUrlKey>>> {
        let mut found = Vec::new();
        if let Filter::Ids(ids) = query.filter {
            for container in ids {
                let spec = TempUrlKey { container: container.clone() };
                found.extend(
                    self.has_key(query.cx, container).await?.then(|| Object::foreign(container, spec)),
                );
            }
            return Ok(found);
        }
        for (name, spec) in query.wanted_as::<TempUrlKey>()? {
            if self.has_key(query.cx, &spec.container).await? {
                found.push(Object::owned(&spec.container, name, spec.clone()));
            }
        }
        Ok(found)
    }

    async fn create(&self, request: Create<'_, TempUrlKey>) -> Result<Object<TempUrlKey>> {
        let container = &request.spec.container;
        let key = HeaderValue::from_str(&random()?)
            .map_err(|error| Error::internal("a key is not a valid header value").with_source(error))?;
        self.set(request.cx, container, temp_url::KEY, key).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                error.with_hint(format!("create the container: `openstack container create {container}`"))
            }
            _ => error,
        })?;
        Ok(Object::owned(container, request.name, request.spec.clone()))
    }

    async fn update(&self, request: Update<'_, TempUrlKey>) -> Result<Object<TempUrlKey>> {
        // No field can be changed in place.
        Ok(request.object.clone())
    }

    async fn delete(&self, request: Delete<'_, TempUrlKey>) -> Result<Deletion> {
        let container = &request.object.id;
        let any = HeaderValue::from_static("x");
        self.set(request.cx, container, "x-remove-container-meta-temp-url-key", any).await?;
        Ok(Deletion::Done)
    }
}

impl TempUrlKeys {
    async fn has_key(&self, cx: &Context, container: &str) -> Result<bool> {
        match temp_url::headers(&self.0, cx, container).await {
            Ok(headers) => Ok(temp_url::key(&headers).is_some()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn set(
        &self,
        cx: &Context,
        container: &str,
        header: &'static str,
        value: HeaderValue,
    ) -> Result<()> {
        let call = Call::new(Method::POST, Service::ObjectStore, container);
        let headers = HeaderMap::from_iter([(reqwest::header::HeaderName::from_static(header), value)]);
        self.0.exchange(cx, call, headers, Vec::new()).await.map(drop)
    }
}

/// 32 random bytes, in hexadecimal.
fn random() -> Result<String> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::internal("the operating system provides no random numbers"))?;
    Ok(bytes.iter().map(|it| format!("{it:02x}")).collect())
}
