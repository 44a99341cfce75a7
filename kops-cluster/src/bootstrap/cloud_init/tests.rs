//! What machines get is valid, complete and always the same.

use super::*;
use crate::bootstrap::Endpoint;
use crate::extensions::MachineRole;
use crate::spec::{Cluster, UserData};
use kops_core::graph::{Part, Secret};
use kops_core::resource::LoadBalancer;

fn cluster() -> Cluster {
    let mut cluster = Cluster::named("ha.example.com");
    cluster.spec.kubernetes_version = Some("1.34.1".to_owned());
    cluster.spec.sysctl_parameters = vec!["vm.max_map_count=262144".to_owned()];
    cluster
}

fn group() -> InstanceGroup {
    let mut group = InstanceGroup::named("nodes", crate::spec::Role::Node, "ha.example.com");
    group.spec.node_labels = BTreeMap::from([
        ("example.com/tier".to_owned(), "web".to_owned()),
        ("kops.k8s.io/instancegroup".to_owned(), "nodes".to_owned()),
        ("node.kubernetes.io/pool".to_owned(), "a".to_owned()),
        ("notk8s.io/x".to_owned(), "y".to_owned()),
    ]);
    group.spec.taints = vec!["dedicated=web:NoSchedule".to_owned()];
    group.spec.packages = vec!["nfs-common".to_owned()];
    group
}

fn known() -> Endpoint {
    Endpoint::new("api.internal.ha.example.com", 443)
}

fn user_data(group: &InstanceGroup, role: MachineRole, endpoint: &Endpoint) -> Option<Input<Secret>> {
    let mut problems = Problems::new();
    let cluster = cluster();
    let machine = BootMachine::new(&cluster, group, role, endpoint);
    let data = CloudInit::default().user_data(&machine, &mut problems);
    assert!(!problems.has_errors(), "{problems}");
    data
}

/// The text of user data that is known.
fn text(data: Option<Input<Secret>>) -> String {
    data.unwrap().known().unwrap().expose().to_owned()
}

/// The content of a file of a cloud-config.
fn file(config: &serde_json::Value, path: &str) -> String {
    let files = config["write_files"].as_array().unwrap();
    let file = files.iter().find(|file| file["path"] == path).unwrap();
    file["content"].as_str().unwrap().to_owned()
}

#[test]
fn it_is_a_cloud_config() {
    let text = text(user_data(&group(), MachineRole::Node, &known()));
    assert!(text.starts_with("#cloud-config\n"));
    assert!(text.is_ascii());
    let config: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(config["runcmd"], serde_json::json!([["/usr/local/lib/kops/prepare.sh"]]));
    assert_eq!(file(&config, "/etc/kops/api-endpoint"), "api.internal.ha.example.com:443\n");
    assert_eq!(
        file(&config, "/etc/kops/prepare.env"),
        "KUBERNETES_VERSION='1.34.1'\nREPOSITORY='https://pkgs.k8s.io/core:/stable:/v1.34'\n\
         PACKAGES='nfs-common'\n"
    );
    assert!(file(&config, "/etc/sysctl.d/99-kops.conf").ends_with("vm.max_map_count=262144\n"));
    assert_eq!(
        file(&config, "/etc/kops/kubelet.env"),
        "KUBELET_EXTRA_ARGS=\"--node-labels=example.com/tier=web,node.kubernetes.io/pool=a,notk8s.io/x=y \
         --register-with-taints=dedicated=web:NoSchedule\"\n"
    );
    let machine: serde_json::Value = serde_json::from_str(&file(&config, "/etc/kops/machine.json")).unwrap();
    assert_eq!(machine["role"], "Node");
    assert_eq!(machine["nodeLabels"]["kops.k8s.io/instancegroup"], "nodes");
    assert_eq!(file(&config, "/usr/local/lib/kops/prepare.sh"), PREPARE);
    // EC2 takes 16 KiB, the least of the clouds served.
    assert!(text.len() < 12 * 1024, "{} bytes", text.len());
}

#[test]
fn it_waits_for_what_is_not_known() {
    let host =
        kops_core::graph::Handle::<LoadBalancer>::named("api.ha.example.com").get(LoadBalancer::DNS_NAME);
    let data = user_data(&group(), MachineRole::ControlPlane, &Endpoint::new(host, 443)).unwrap();
    let Input::Concat(parts) = data else { panic!("it is known") };
    let outputs = parts.iter().filter(|part| matches!(part, Part::Output { .. }));
    assert_eq!(outputs.count(), 1);
    let joined: String = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Secret(_) => "",
            Part::Output { .. } => "lb-1.example.net",
        })
        .collect();
    let config: serde_json::Value = serde_saphyr::from_str(&joined).unwrap();
    assert_eq!(file(&config, "/etc/kops/api-endpoint"), "lb-1.example.net:443\n");
}

#[test]
fn further_parts_follow_as_kops_has_them() {
    let mut group = group();
    let part = |name: &str, kind: &str, content: &str| UserData {
        name: name.to_owned(),
        r#type: kind.to_owned(),
        content: content.to_owned(),
        ..UserData::default()
    };
    group.spec.additional_user_data = vec![
        part("hello.sh", "text/x-shellscript", "#!/bin/sh\necho MIMEBOUNDARY\n"),
        part("more.yaml", "text/cloud-config", "#cloud-config\nruncmd:\n- echo é\n"),
    ];
    let data = user_data(&group, MachineRole::Node, &known());
    assert!(!format!("{data:?}").contains("echo"), "what users add may be secret");
    let text = text(data);
    assert!(text.starts_with(
        "Content-Type: multipart/mixed; boundary=\"MIMEBOUNDARYX\"\nMIME-Version: 1.0\n\n--MIMEBOUNDARYX\n"
    ));
    assert!(text.ends_with("\n--MIMEBOUNDARYX--\n"));
    assert_eq!(text.matches("--MIMEBOUNDARYX\n").count(), 3);
    assert!(text.contains(
        "filename=\"hello.sh\"\nContent-Transfer-Encoding: 7bit\nContent-Type: text/x-shellscript\n"
    ));
    assert!(text.contains("Merge-Type: list(append)"));
    assert!(text.contains("I2Nsb3VkLWNvbmZpZwpydW5jbWQ6Ci0gZWNobyDDqQo="), "what is not ASCII is encoded");

    // A bastion gets those parts alone, or nothing.
    let bastion = super::tests::text(user_data(&group, MachineRole::Bastion, &known()));
    assert!(!bastion.contains("kops.yaml") && bastion.contains("hello.sh"));
    group.spec.additional_user_data.clear();
    assert_eq!(user_data(&group, MachineRole::Bastion, &known()), None);
}

#[test]
fn it_is_always_the_same() {
    assert_eq!(
        user_data(&group(), MachineRole::Node, &known()),
        user_data(&group(), MachineRole::Node, &known())
    );
}

#[test]
fn a_version_that_is_none_is_refused() {
    let mut cluster = cluster();
    cluster.spec.kubernetes_version = Some("1.34".to_owned());
    let mut problems = Problems::new();
    let (group, endpoint) = (group(), known());
    let machine = BootMachine::new(&cluster, &group, MachineRole::Node, &endpoint);
    CloudInit::default().user_data(&machine, &mut problems);
    assert!(problems.to_string().contains("\"1.34\" is not a version"), "{problems}");
}
