//! What machines get as user data is small, complete and always the same.

use super::*;
use crate::bootstrap::{Endpoint, MemberVolume};
use crate::cloud::EtcdVolumes;
use crate::spec::{
    Cluster, InstanceGroup, NewCluster, Opaque, TopologyKind, UserData, new_cluster, populate,
};
use kops_core::graph::{Handle, Part};
use kops_core::resource::{LoadBalancer, Volume};
use kops_node::bundle::Bundle;

const NODES: &str = "nodes-zone-1a";
const CONTROL_PLANE: &str = "control-plane-zone-1a";

fn cluster() -> (Cluster, Vec<InstanceGroup>) {
    let new = NewCluster::new("ha.example.com", "memory")
        .zones(["zone-1a"])
        .topology(TopologyKind::Private)
        .bastion(true)
        .networking("cni")
        .config_base("https://state.example.com/ha.example.com");
    let (cluster, groups) = new_cluster(&new).unwrap();
    populate(&cluster, &groups)
}

fn facts() -> NodeFacts {
    let cloud = kops_node::bundle::Cloud::None {};
    NodeFacts::of_plain_store(cloud, "https://state.example.com/ha.example.com").unwrap()
}

fn machines() -> KopsNode {
    let mut program = vec![0; 64];
    program[..6].copy_from_slice(b"\x7fELF\x02\x01");
    program[18] = 62; // x86-64
    let keysets = Keysets::new([("etcd-ca".to_owned(), vec!["1".to_owned()])]);
    KopsNode::new(NodeProgram::new().with_binary(program).unwrap(), keysets)
}

fn published() -> Endpoint {
    Endpoint::new("api.internal.ha.example.com", 443)
}

/// The user data of a group, the files it needs, and what was told.
fn boot(
    (cluster, groups): &(Cluster, Vec<InstanceGroup>),
    group: &str,
    endpoint: &Endpoint,
) -> (Option<Input<Secret>>, StoreFiles, Problems) {
    let facts = facts();
    let of = BootCluster::new(cluster, groups, Ok(&facts));
    let group = groups.iter().find(|it| it.name() == group).unwrap();
    let role = match group.role() {
        crate::spec::Role::ControlPlane => MachineRole::ControlPlane,
        crate::spec::Role::Bastion => MachineRole::Bastion,
        _ => MachineRole::Node,
    };
    let (mut files, mut problems) = (StoreFiles::new(), Problems::new());
    let data = machines().user_data(&BootMachine::new(of, group, role, endpoint), &mut files, &mut problems);
    (data, files, problems)
}

/// The text of user data that is known.
fn text(data: Option<Input<Secret>>) -> String {
    data.unwrap().known().unwrap().expose().to_owned()
}

#[test]
fn it_is_stage_0_with_the_hashes_of_what_is_in_the_store() {
    let all = cluster();
    for (group, role) in [(NODES, "node"), (CONTROL_PLANE, "control-plane")] {
        let (data, files, problems) = boot(&all, group, &published());
        assert!(problems.is_empty(), "{problems}");
        let script = text(data);
        assert!(script.starts_with("#!/bin/sh\n") && script.is_ascii() && script.len() <= LONGEST);
        let known = files.get(Groups::KEY).map(|it| Groups::parse(it).unwrap());
        assert_eq!(known.is_some_and(|it| it.may_join(NODES)), role == "control-plane");
        let hashed: Vec<_> = files.iter().filter(|(key, _)| *key != Groups::KEY).collect();
        let keys: Vec<_> = hashed.iter().map(|(key, _)| (*key).to_owned()).collect();
        let [bundle, program] = keys.as_slice() else { panic!("{keys:?}") };
        assert!(
            bundle.starts_with(&format!("igconfig/{role}/{group}/"))
                && program.starts_with("kops-node/amd64/")
        );
        for (key, bytes) in hashed {
            let hash = bundle::sha256(bytes);
            assert!(
                key.contains(&hash)
                    && script.contains(&format!("'{hash}'"))
                    && script.contains(&format!("'{key}'"))
            );
        }
        assert_eq!(Bundle::parse(files.get(bundle).unwrap()).unwrap().group, group);
        assert!(!script.contains("API="), "its name is published");
    }
}

#[test]
fn what_is_not_known_yet_is_outside_of_what_is_hashed() {
    let all = cluster();
    let host =
        kops_core::graph::Handle::<LoadBalancer>::named("api.ha.example.com").get(LoadBalancer::DNS_NAME);
    for group in [NODES, CONTROL_PLANE] {
        let (data, files, _) = boot(&all, group, &Endpoint::new(host.clone(), 443));
        let Some(Input::Concat(parts)) = data else { panic!("it is known") };
        let joined: String = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Secret(_) => "",
                Part::Output { .. } => "lb-1.example.net",
            })
            .collect();
        assert!(joined.contains("\nAPI='lb-1.example.net'\n"), "{joined}");
        assert_eq!(files, boot(&all, group, &published()).1, "the bundle is the same");
    }
}

/// The identifiers of volumes that the plan attaches are known once the volumes are there.
#[test]
fn volumes_are_named_where_the_plan_attaches_them() {
    let ((cluster, groups), endpoint) = (cluster(), published());
    let of_member = |etcd: &str| {
        MemberVolume::new(etcd, "a", Handle::<Volume>::named(&format!("a.etcd-{etcd}.ha.example.com")).id())
    };
    let volumes = [of_member("main"), of_member("events")];
    let told = |how: EtcdVolumes| {
        let facts = facts().volumes(how);
        let of = BootCluster::new(&cluster, &groups, Ok(&facts));
        let group = groups.iter().find(|it| it.name() == CONTROL_PLANE).unwrap();
        let machine = BootMachine::new(of, group, MachineRole::ControlPlane, &endpoint).volumes(&volumes);
        machines().user_data(&machine, &mut StoreFiles::new(), &mut Problems::new())
    };
    let Some(Input::Concat(parts)) = told(EtcdVolumes::Attached) else { panic!("it is known") };
    let joined: String = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Secret(_) => String::new(),
            Part::Output { output } => format!("<{}>", output.task),
        })
        .collect();
    let line = |etcd: &str| format!("/mnt/etcd-{etcd} a <Volume/a.etcd-{etcd}.ha.example.com>");
    assert!(joined.contains(&format!("\nVOLUMES='{}\n{}'\n", line("main"), line("events"))), "{joined}");
    assert!(!text(told(EtcdVolumes::Mounted)).contains("VOLUMES='"));
}

#[test]
fn further_parts_follow_as_kops_has_them() {
    let mut all = cluster();
    let part = |name: &str, kind: &str, content: &str| UserData {
        name: name.to_owned(),
        r#type: kind.to_owned(),
        content: content.to_owned(),
        ..UserData::default()
    };
    let more = vec![
        part("hello.sh", "text/x-shellscript", "#!/bin/sh\necho MIMEBOUNDARY\n"),
        part("more.yaml", "text/cloud-config", "#cloud-config\nruncmd:\n- echo é\n"),
    ];
    for group in &mut all.1 {
        group.spec.additional_user_data.clone_from(&more);
    }
    let (data, ..) = boot(&all, NODES, &published());
    assert!(!format!("{data:?}").contains("echo MIME"), "what users add may be secret");
    let script = text(data);
    assert!(script.starts_with(
        "Content-Type: multipart/mixed; boundary=\"MIMEBOUNDARYX\"\nMIME-Version: 1.0\n\n--MIMEBOUNDARYX\n"
    ));
    assert!(script.ends_with("\n--MIMEBOUNDARYX--\n"));
    assert_eq!(script.matches("--MIMEBOUNDARYX\n").count(), 3);
    assert!(script.contains(
        "filename=\"kops.sh\"\nContent-Transfer-Encoding: 7bit\nContent-Type: text/x-shellscript\n"
    ));
    assert!(script.contains("Merge-Type: list(append)"));
    assert!(script.contains("I2Nsb3VkLWNvbmZpZwpydW5jbWQ6Ci0gZWNobyDDqQo="), "what is not ASCII is encoded");

    // A bastion gets those parts alone, or nothing.
    let bastion = super::tests::text(boot(&all, "bastions", &published()).0);
    assert!(!bastion.contains("kops.sh") && bastion.contains("hello.sh"));
    for group in &mut all.1 {
        group.spec.additional_user_data.clear();
    }
    assert_eq!(boot(&all, "bastions", &published()).0, None);
}

#[test]
fn long_parts_are_compressed() {
    let mut all = cluster();
    let long = format!("#!/bin/sh\n{}", "echo again and again\n".repeat(500));
    let nodes = all.1.iter_mut().find(|it| it.name() == NODES).unwrap();
    nodes.spec.compress_user_data = Some(true);
    nodes.spec.additional_user_data = vec![UserData {
        name: "long.sh".to_owned(),
        r#type: "text/x-shellscript".to_owned(),
        content: long.clone(),
        ..UserData::default()
    }];
    let script = text(boot(&all, NODES, &published()).0);
    assert!(
        script.len() < long.len() && script.contains("Content-Type: application/gzip\n"),
        "{} bytes",
        script.len()
    );
    let encoded = script.rsplit_once("Mime-Version: 1.0\n").unwrap().1;
    let encoded: String = encoded.lines().take_while(|it| !it.starts_with("--")).collect();
    let packed = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).unwrap();
    let mut unpacked = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*packed), &mut unpacked).unwrap();
    assert_eq!(unpacked, long);
}

#[test]
fn a_proxy_is_set_before_anything_is_fetched() {
    let mut all = cluster();
    all.0.spec.networking.egress_proxy = Some(Opaque(
        serde_json::json!({"httpProxy": {"host": "proxy.example.com", "port": 3128}, "excludes": "corp.example.com"}),
    ));
    let script = text(boot(&all, NODES, &published()).0);
    let at = script.find("export http_proxy='http://proxy.example.com:3128'\n").unwrap();
    assert!(at < script.find("get() {").unwrap());
    assert!(script.contains("corp.example.com'") && script.contains("100.64.0.0/13"));
    assert!(script.len() <= LONGEST, "{} bytes", script.len());
}

#[test]
fn a_program_that_is_missing_is_told_with_how_to_give_it() {
    let (cluster, mut groups) = cluster();
    for group in &mut groups {
        group.spec.machine_type = Some("arm".to_owned());
    }
    let facts = facts().architecture(|_| Architecture::Arm64);
    let of = BootCluster::new(&cluster, &groups, Ok(&facts));
    let endpoint = published();
    let mut problems = Problems::new();
    let machine = BootMachine::new(of, &groups[0], MachineRole::ControlPlane, &endpoint);
    assert_eq!(machines().user_data(&machine, &mut StoreFiles::new(), &mut problems), None);
    assert!(problems.to_string().contains("built for linux/arm64, to the NodeProgram"), "{problems}");
}

#[test]
fn what_does_nothing_on_bastions_is_told() {
    let mut all = cluster();
    let bastion = all.1.iter_mut().find(|it| it.is_bastion()).unwrap();
    bastion.spec.packages = vec!["htop".to_owned()];
    let (.., problems) = boot(&all, "bastions", &published());
    assert!(!problems.has_errors() && problems.to_string().contains("spec.packages"), "{problems}");
}

#[test]
fn balancers_ask_api_servers_whether_they_are_ready() {
    let (mut cluster, _) = cluster();
    assert!(machines().answers_probes(&cluster));
    let mut answers = |own| {
        cluster.spec.kube_api_server = Some(Opaque(own));
        machines().answers_probes(&cluster)
    };
    let file = serde_json::json!({ "authenticationConfigFile": "/srv/authentication.yaml" });
    assert!(!answers(file), "what that file permits is not known");
    assert!(answers(serde_json::json!({ "authorizationMode": "Node, RBAC" })));
    assert!(!answers(serde_json::json!({ "authorizationMode": "Node,Webhook" })), "nothing permits it");
}
