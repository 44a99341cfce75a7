//! What a cluster's specification says in OpenStack's words.

use kops_core::cluster::model::Dialect;

/// OpenStack takes no settings of groups or clusters beyond those that all clouds take. What `cloudProvider.openstack`
/// says of the router and its name servers is the connection's: see
/// [`OpenstackBuilder`](crate::OpenstackBuilder).
///
/// ```
/// use kops_core::cluster::model::Dialect;
/// use kops_openstack::OpenstackDialect;
///
/// assert!(OpenstackDialect.group_fields().is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenstackDialect;

impl Dialect for OpenstackDialect {}
