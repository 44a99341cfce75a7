//! The proxy for outgoing traffic, for the user data and everything that systemd starts after it.

use serde_json::Value;

use super::text::shell_word;
use crate::spec::{Cluster, Path, Problems};

/// Destinations that are never reached through a proxy, besides the cluster's own names and CIDRs.
const DIRECT: [&str; 4] = ["127.0.0.1", "localhost", "169.254.169.254", ".svc"];

/// Shell commands that set the environment of this script and, through systemd, that of containerd, the
/// kubelet and the program, from which kubeadm copies it to the control plane's pods. Empty without a proxy.
pub(super) fn lines(cluster: &Cluster, problems: &mut Problems) -> String {
    let networking = &cluster.spec.networking;
    let Some(proxy) = networking.egress_proxy.as_ref().map(|it| &it.0) else { return String::new() };
    let at = Path::of("spec.networking.egressProxy");
    let Some(host) = proxy["httpProxy"]["host"].as_str().filter(|it| !it.is_empty()) else {
        problems.error(
            at.key("httpProxy").key("host"),
            "is required",
            "specify the proxy, or remove egressProxy",
        );
        return String::new();
    };
    let scheme = if host.contains("://") { "" } else { "http://" };
    let url = match &proxy["httpProxy"]["port"] {
        Value::Null => format!("{scheme}{host}"),
        Value::Number(port) => format!("{scheme}{host}:{port}"),
        other => {
            problems.error(at.key("httpProxy").key("port"), format!("{other} is not a port"), "use a number");
            return String::new();
        }
    };
    let mut direct: Vec<String> = DIRECT.map(str::to_owned).into();
    direct.push(cluster.name().to_owned()); // and all names that end with it
    direct.extend(cluster.spec.cluster_dns_domain.iter().map(|it| format!(".{it}")));
    let ranges =
        networking.network_cidrs().chain(&networking.pod_cidr).chain(&networking.service_cluster_ip_range);
    direct.extend(ranges.map(ToString::to_string));
    direct.extend(
        proxy["excludes"].as_str().into_iter().flat_map(|it| it.split(',')).map(|it| it.trim().to_owned()),
    );
    direct.retain(|it| !it.is_empty());
    let direct = direct.join(",");
    if [&url, &direct].iter().any(|it| it.contains(['"', '\n', '\\', '%', ' '])) {
        problems.error(
            at,
            "has characters that are invalid in the address of a proxy",
            "remove quotes, blanks, backslashes and percent signs",
        );
        return String::new();
    }
    // Programs read one or the other.
    let names = [("http_proxy", &url), ("https_proxy", &url), ("no_proxy", &direct)];
    let both =
        names.into_iter().flat_map(|(name, value)| [(name.to_owned(), value), (name.to_uppercase(), value)]);
    let both: Vec<_> = both.collect();
    let exports: String =
        both.iter().map(|(name, value)| format!("export {name}={}\n", shell_word(value))).collect();
    let variables: Vec<String> = both.iter().map(|(name, _)| format!("\"{name}=${name}\"")).collect();
    format!(
        "{exports}mkdir -p /etc/systemd/system.conf.d\ncat >/etc/systemd/system.conf.d/10-kops-proxy.conf <<E\n\
         [Manager]\nDefaultEnvironment={}\nE\nsystemctl daemon-reexec\n",
        variables.join(" ")
    )
}
