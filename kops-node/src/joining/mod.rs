//! Which machines may become nodes.
//!
//! A machine requests its first client certificate with a bootstrap token, which is the same for all
//! machines: anybody with the token could request the name of any node, and with that certificate read the
//! Secrets of that node's pods. So such requests are not approved automatically. The keeper approves them, by
//! [`judge`]: only for a machine that the cloud lists under that name in an instance group of nodes, and that
//! was started recently or whose Node exists and is not Ready. An attacker would have to be faster than a
//! machine that is just booting.
//!
//! ```
//! use kops_node::joining::{CLIENT_SIGNER, Doubt, Machine, Node, Request, Verdict, judge};
//! use kops_node::bundle::{Group, Groups, Role};
//! use std::collections::BTreeMap;
//! use std::time::Duration;
//!
//! let set = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect();
//! let request = Request {
//!     signer: CLIENT_SIGNER.to_owned(),
//!     username: "system:bootstrap:abcdef".to_owned(),
//!     groups: set(&["system:bootstrappers"]),
//!     usages: set(&["digital signature", "client auth"]),
//!     common_name: "system:node:i-0abc".to_owned(),
//!     organisations: vec!["system:nodes".to_owned()],
//!     ..Request::default()
//! };
//! let machine = Machine {
//!     node_name: "i-0abc".to_owned(),
//!     group: "nodes".to_owned(),
//!     addresses: set(&["10.0.0.5"]),
//!     age: Some(Duration::from_secs(90)),
//! };
//! let nodes = Group { role: Role::Node, labels: BTreeMap::new() };
//! let groups = Groups { groups: BTreeMap::from([("nodes".to_owned(), nodes)]) };
//! assert_eq!(judge(&request, &[machine.clone()], &groups, Node::Absent), Verdict::Approve);
//! assert_eq!(judge(&request, &[machine], &groups, Node::Ready), Verdict::Hold(Doubt::Ready));
//! assert_eq!(judge(&request, &[], &groups, Node::Absent), Verdict::Hold(Doubt::NoMachine));
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::bundle::Groups;

#[cfg(feature = "program")]
pub mod csr;

/// How long after its start a machine without a Node may join.
pub const NEW: Duration = Duration::from_mins(30);

/// The signer of kubelets' client certificates.
pub const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client-kubelet";
/// The signer of kubelets' serving certificates.
pub const SERVING_SIGNER: &str = "kubernetes.io/kubelet-serving";

/// A certificate signing request of the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `spec.signerName`.
    pub signer: String,
    /// `spec.username`: the requester, as authenticated by the API server.
    pub username: String,
    /// `spec.groups`.
    pub groups: BTreeSet<String>,
    /// `spec.usages`.
    pub usages: BTreeSet<String>,
    /// The subject's common name.
    pub common_name: String,
    /// The subject's organisations.
    pub organisations: Vec<String>,
    /// The alternative names of type DNS.
    pub dns_names: BTreeSet<String>,
    /// The alternative names that are addresses.
    pub addresses: BTreeSet<String>,
    /// Whether the request asks for anything else: other alternative names, a certificate authority.
    pub more: bool,
}

/// A machine that the cloud lists as alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The name of its Node.
    pub node_name: String,
    /// Its instance group.
    pub group: String,
    /// Its addresses.
    pub addresses: BTreeSet<String>,
    /// How long ago it was started; `None` if the cloud does not say, which counts as long ago.
    pub age: Option<Duration>,
}

/// The Node with the requested name, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// There is none.
    Absent,
    /// It exists and is not Ready.
    NotReady,
    /// It exists and is Ready.
    Ready,
}

/// What to do about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Approve it.
    Approve,
    /// Ignore it: the keeper is not responsible for it.
    Ignore,
    /// Leave it undecided, with the reason. (A denial would be final, and the cloud's listing may lag.)
    Hold(Doubt),
}

/// Why a request is not approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Its subject, usages or names are not a kubelet's.
    Form,
    /// The cloud lists no machine of that name in an instance group of nodes.
    NoMachine,
    /// The machine started too long ago to join now.
    NotNew,
    /// A Node of that name is Ready and would be displaced.
    Ready,
    /// A node requests a certificate for another node.
    Other,
    /// It requests addresses or names that the cloud does not list for the machine.
    Names,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "it is not a kubelet's request: subject, usages or names do not match",
            Self::NoMachine => "the cloud lists no machine of this name in an instance group of nodes",
            Self::NotNew => {
                "the machine started more than 30 minutes ago and has no Node: replace it, so that another one joins in time"
            }
            Self::Ready => "the Node of this name is Ready",
            Self::Other => "it was created by a different node than it is for",
            Self::Names => "it requests names or addresses that the cloud does not list for this machine",
        })
    }
}

/// Whether the request may be approved.
///
/// `machines` are those that the cloud lists as running, `groups` the cluster's groups, `node` the Node that
/// the request is for ([`Request::node`]).
pub fn judge(request: &Request, machines: &[Machine], groups: &Groups, node: Node) -> Verdict {
    match request.signer.as_str() {
        CLIENT_SIGNER if request.username.starts_with("system:bootstrap:") => {
            verdict(first_client(request, machines, groups, node))
        }
        SERVING_SIGNER => verdict(serving(request, machines)),
        _ => Verdict::Ignore,
    }
}

impl Request {
    /// The name of the node that the request is for, from its common name.
    pub fn node(&self) -> Option<&str> {
        self.common_name.strip_prefix("system:node:").filter(|name| !name.is_empty())
    }

    fn is_kubelets(&self, usage: &str) -> bool {
        let allowed = ["digital signature", "key encipherment", usage];
        self.organisations == ["system:nodes"]
            && !self.more
            && self.usages.contains(usage)
            && self.usages.contains("digital signature")
            && self.usages.iter().all(|it| allowed.contains(&it.as_str()))
    }
}

fn verdict(doubt: Result<(), Doubt>) -> Verdict {
    doubt.map_or_else(Verdict::Hold, |()| Verdict::Approve)
}

fn first_client(request: &Request, machines: &[Machine], groups: &Groups, node: Node) -> Result<(), Doubt> {
    let name = request.node().ok_or(Doubt::Form)?;
    let unnamed = request.dns_names.is_empty() && request.addresses.is_empty();
    if !unnamed || !request.is_kubelets("client auth") || !request.groups.contains("system:bootstrappers") {
        return Err(Doubt::Form);
    }
    let machine = machines
        .iter()
        .find(|it| it.node_name == name && groups.may_join(&it.group))
        .ok_or(Doubt::NoMachine)?;
    match node {
        Node::Ready => Err(Doubt::Ready),
        Node::NotReady => Ok(()),
        Node::Absent if machine.age.is_some_and(|age| age < NEW) => Ok(()),
        Node::Absent => Err(Doubt::NotNew),
    }
}

/// A serving certificate is for an existing node: the node itself requests it, for the names that the cloud
/// lists.
fn serving(request: &Request, machines: &[Machine]) -> Result<(), Doubt> {
    let name = request.node().ok_or(Doubt::Form)?;
    if !request.is_kubelets("server auth") {
        return Err(Doubt::Form);
    }
    if request.username != request.common_name || !request.groups.contains("system:nodes") {
        return Err(Doubt::Other);
    }
    let machine = machines.iter().find(|it| it.node_name == name).ok_or(Doubt::NoMachine)?;
    let named = request.dns_names.iter().all(|it| it == name);
    if named && request.addresses.is_subset(&machine.addresses) { Ok(()) } else { Err(Doubt::Names) }
}

#[cfg(test)]
mod tests;
