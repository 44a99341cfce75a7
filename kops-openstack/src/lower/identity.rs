//! Lowers an identity: machines of OpenStack have none. What a machine of a cluster may do is what it finds by the URLs in
//! its user data: objects of the state store, and on control planes an application credential.

use kops_core::graph::{Handle, Id, Input};
use kops_core::lower::Lowered;
use kops_core::resource::Identity;
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site};
use crate::kinds::{ApplicationCredential, TempUrlKey};

/// The extension with a machine's role in a Kubernetes cluster.
const CLUSTER: &str = "kops/Identity";

/// What the machines of a role log in with.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "roles are a cluster's"))]
pub(crate) struct Access {
    /// The container of their state store.
    pub(crate) container: String,
    /// The credential, for those that need more than URLs.
    pub(crate) credential: Option<ApplicationCredential>,
}

/// The same, as the tasks of servers refer to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Login {
    pub(super) temp_url_key: Option<Input<Id<TempUrlKey>>>,
    pub(super) credential: Option<Input<Id<ApplicationCredential>>>,
}

impl Lowered<Site> for Identity {
    /// None.
    type Native = Self;

    const IMPLICIT: bool = true;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        if let Some(extension) = spec.extensions.names().find(|name| *name != CLUSTER) {
            let message = format!("machines of OpenStack have no identity to which {extension} could apply");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let Some(Access { container, credential }) = access(&spec, cx)? else { return Ok(()) };
        cx.add_once(&container.clone(), TempUrlKey { container });
        if let Some(credential) = credential {
            cx.add(name, credential);
        }
        Ok(())
    }
}

/// What machines with an identity log in with.
pub(super) fn login(identity: Option<&Input<Id<Identity>>>, cx: &Lowering<'_>) -> Result<Login> {
    let Some(identity) = identity else { return Ok(Login::default()) };
    let found = cx.specs::<Identity>()?.into_iter().find(|(name, _)| Lowering::is_for(identity, name));
    let Some((name, spec)) = found else { return Ok(Login::default()) };
    let Some(access) = access(&spec, cx)? else { return Ok(Login::default()) };
    Ok(Login {
        temp_url_key: Some(Handle::<TempUrlKey>::named(&access.container).id()),
        credential: access.credential.map(|_| Handle::<ApplicationCredential>::named(name).id()),
    })
}

#[cfg(feature = "cluster")]
fn access(spec: &Identity, cx: &Lowering<'_>) -> Result<Option<Access>> {
    crate::cluster::identity::access(spec, cx.provider())
}

/// Roles are a cluster's.
#[cfg(not(feature = "cluster"))]
#[expect(clippy::unnecessary_wraps, reason = "with clusters there are roles")]
fn access(_: &Identity, _: &Lowering<'_>) -> Result<Option<Access>> {
    Ok(None)
}
