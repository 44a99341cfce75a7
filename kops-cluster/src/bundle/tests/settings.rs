//! Single settings, and what they become.

use kops_node::bundle::Content;
use serde_json::{Value, json};

use super::*;
use crate::spec::{CloudProvider, UpdatePolicy, VolumeMount};

const CONTROL_PLANE: &str = "control-plane-us-test-1a";
const NODES: &str = "nodes-us-test-1a";

#[expect(clippy::unnecessary_wraps, reason = "fields of specifications are optional")]
fn opaque(value: Value) -> Option<Opaque> {
    Some(Opaque(value))
}

fn api_server(value: Value) -> (Value, Bundle, Problems) {
    let (mut cluster, groups) = ha("1.34.4");
    cluster.spec.kube_api_server = opaque(value);
    let (bundle, problems, _) = rendered(&cluster, &groups, CONTROL_PLANE);
    (document(&bundle.kubeadm.cluster, "ClusterConfiguration")["apiServer"].clone(), bundle, problems)
}

fn file(bundle: &Bundle, path: &str) -> Option<String> {
    let file = bundle.machine.files.iter().find(|it| it.path == path)?;
    match &file.content {
        Content::Text(text) => Some(text.clone()),
        Content::Base64(_) => None,
    }
}

fn authentication(bundle: &Bundle) -> Value {
    serde_json::from_str(&file(bundle, "/etc/kubernetes/pki/authentication.yaml").unwrap()).unwrap()
}

/// What kOps' users have, `anonymousAuth: false`, is what everybody gets; kubeadm's probes still pass.
#[test]
fn anonymous_requests_are_for_probes_only() {
    let (one, bundle, problems) = api_server(json!({"anonymousAuth": false}));
    assert!(problems.is_empty(), "{problems}");
    let paths = authentication(&bundle)["anonymous"]["conditions"].clone();
    assert_eq!(paths, json!([{"path": "/livez"}, {"path": "/readyz"}, {"path": "/healthz"}]));
    assert!(args(&one["extraArgs"], "anonymous-auth").is_empty(), "it excludes the file");
    assert_eq!(api_server(json!({})).0, one);
    let (open, bundle, _) = api_server(json!({"anonymousAuth": true}));
    assert!(args(&open["extraArgs"], "authentication-config").is_empty());
    assert_eq!(file(&bundle, "/etc/kubernetes/pki/authentication.yaml"), None);
}

#[test]
fn an_issuer_of_openid_connect_is_in_the_same_file() {
    let (mut cluster, groups) = ha("1.34.4");
    cluster.spec.authentication = opaque(json!({"oidc": {
        "issuerURL": "https://login.example.com", "clientID": "kops", "groupsClaims": ["groups"], "groupsPrefix": "oidc:",
        "requiredClaims": {"hd": "example.com"},
    }}));
    let bundle = bundle(&cluster, &groups, CONTROL_PLANE);
    let jwt = &authentication(&bundle)["jwt"][0];
    assert_eq!(jwt["issuer"], json!({"url": "https://login.example.com", "audiences": ["kops"]}));
    assert_eq!(
        jwt["claimMappings"]["username"],
        json!({"claim": "sub", "prefix": "https://login.example.com#"})
    );
    assert_eq!(jwt["claimMappings"]["groups"], json!({"claim": "groups", "prefix": "oidc:"}));
    assert_eq!(jwt["claimValidationRules"], json!([{"claim": "hd", "requiredValue": "example.com"}]));
    // The older fields come to the same.
    let (_, older, problems) = api_server(json!({
        "oidcIssuerURL": "https://login.example.com", "oidcClientID": "kops", "oidcGroupsClaim": "groups",
        "oidcGroupsPrefix": "oidc:", "oidcRequiredClaim": ["hd=example.com"],
    }));
    assert!(problems.is_empty(), "{problems}");
    assert_eq!(&authentication(&older)["jwt"][0], jwt);
}

#[test]
fn plugins_of_admission_keep_the_one_that_guards_nodes() {
    let plugins = |value: Value| {
        let (one, _, problems) = api_server(value);
        let list = args(&one["extraArgs"], "enable-admission-plugins")[0].to_owned();
        (list, problems)
    };
    assert!(plugins(json!({})).0.contains("NodeRestriction"));
    assert_eq!(
        plugins(json!({"enableAdmissionPlugins": ["PodNodeSelector"]})).0,
        "PodNodeSelector,NodeRestriction"
    );
    assert!(
        plugins(json!({"appendAdmissionPlugins": ["AlwaysPullImages"]})).0.ends_with(",AlwaysPullImages")
    );
    let (list, problems) = plugins(json!({"disableAdmissionPlugins": ["NodeRestriction"]}));
    assert!(!list.contains("NodeRestriction") && problems.to_string().contains("can change other nodes"));
}

#[test]
fn files_that_the_api_server_reads_are_mounted() {
    let (one, ..) = api_server(json!({
        "auditPolicyFile": "/srv/kubernetes/audit.yaml", "auditLogPath": "/var/log/audit/kube.log",
        "encryptionProviderConfig": "/etc/kubernetes/pki/own.yaml",
    }));
    assert_eq!(
        one["extraVolumes"],
        json!([
            {"name": "kops-audit-log-path", "hostPath": "/var/log/audit", "mountPath": "/var/log/audit", "readOnly": false, "pathType": "DirectoryOrCreate"},
            {"name": "kops-audit-policy-file", "hostPath": "/srv/kubernetes/audit.yaml", "mountPath": "/srv/kubernetes/audit.yaml", "readOnly": true, "pathType": "File"},
        ])
    );
}

#[test]
fn what_is_fixed_is_refused_where_it_differs() {
    for (settings, path) in [
        (json!({"securePort": 6443}), "securePort"),
        (json!({"advertiseAddress": "10.0.0.1"}), "advertiseAddress"),
        (json!({"etcdServers": ["https://10.0.0.1:2379"]}), "etcdServers"),
        (json!({"authorizationMode": "RBAC"}), "authorizationMode"),
        (json!({"serviceClusterIPRange": "10.0.0.0/16"}), "serviceClusterIPRange"),
    ] {
        let (.., problems) = api_server(settings);
        assert!(problems.has_errors() && problems.to_string().contains(path), "{path}: {problems}");
    }
    let (.., problems) = api_server(
        json!({"securePort": 443, "allowPrivileged": true, "serviceClusterIPRange": "100.64.0.0/13"}),
    );
    assert!(problems.is_empty(), "{problems}");
}

#[test]
fn secrets_at_rest_are_encrypted_by_a_file_of_the_store() {
    let (mut cluster, groups) = ha("1.34.4");
    cluster.spec.encryption_config = Some(true);
    let bundle = bundle(&cluster, &groups, CONTROL_PLANE);
    assert_eq!(bundle.kubeadm.files[0].secret, "encryptionconfig");
    let one = &document(&bundle.kubeadm.cluster, "ClusterConfiguration")["apiServer"]["extraArgs"];
    assert_eq!(args(one, "encryption-provider-config"), [bundle.kubeadm.files[0].path.as_str()]);
}

#[test]
fn the_controller_manager_keeps_what_joining_needs() {
    let (mut cluster, groups) = ha("1.34.4");
    cluster.spec.kube_controller_manager = opaque(json!({
        "controllers": ["*", "-nodeipam"], "terminatedPodGCThreshold": 10, "leaderElection": {"leaderElectLeaseDuration": "30s"},
        "memoryLimit": "1Gi",
    }));
    let bundle = bundle(&cluster, &groups, CONTROL_PLANE);
    let one = &document(&bundle.kubeadm.cluster, "ClusterConfiguration")["controllerManager"]["extraArgs"];
    assert_eq!(args(one, "controllers"), ["*,-nodeipam,bootstrapsigner,tokencleaner"]);
    assert_eq!(args(one, "terminated-pod-gc-threshold"), ["10"]);
    assert_eq!(args(one, "leader-elect-lease-duration"), ["30s"]);
    let patch = &bundle.kubeadm.patches["kube-controller-manager0+strategic.json"];
    assert_eq!(patch["spec"]["containers"][0]["resources"]["limits"]["memory"], "1Gi");
}

#[test]
fn the_scheduler_reads_a_file_for_what_has_no_flag() {
    let (mut cluster, groups) = ha("1.34.4");
    cluster.spec.kube_scheduler = opaque(json!({"qps": "50", "burst": 100, "maxPersistentVolumes": 20}));
    let bundle = bundle(&cluster, &groups, CONTROL_PLANE);
    let one = &document(&bundle.kubeadm.cluster, "ClusterConfiguration")["scheduler"];
    assert_eq!(args(&one["extraArgs"], "config"), ["/etc/kubernetes/kops/scheduler.yaml"]);
    assert_eq!(one["extraVolumes"][0]["hostPath"], "/etc/kubernetes/kops/scheduler.yaml");
    assert_eq!(one["extraEnvs"], json!([{"name": "KUBE_MAX_PD_VOLS", "value": "20"}]));
    let text = file(&bundle, "/etc/kubernetes/kops/scheduler.yaml").unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        document["clientConnection"],
        json!({"qps": 50, "burst": 100, "kubeconfig": "/etc/kubernetes/scheduler.conf"})
    );
}

#[test]
fn a_kubelet_is_the_clusters_then_the_roles_then_the_groups() {
    let (mut cluster, mut groups) = ha("1.34.4");
    cluster.spec.kubelet = opaque(json!({
        "maxPods": 50, "evictionHard": "memory.available<5%", "featureGates": {"A": "true"}, "anonymousAuth": false,
        "kubeReserved": {"cpu": "100m"}, "logLevel": 4, "nodeLabels": {"tier": "all", "node-role.kubernetes.io/x": ""},
    }));
    cluster.spec.control_plane_kubelet = opaque(json!({"maxPods": 20}));
    let group = groups.iter_mut().find(|it| it.name() == NODES).unwrap();
    group.spec.kubelet =
        opaque(json!({"maxPods": 200, "kubeReserved": {"memory": "1Gi"}, "failSwapOn": false}));
    group.spec.taints = vec!["dedicated=web:NoSchedule".to_owned()];
    group.spec.node_labels = [("pool".to_owned(), "a".to_owned())].into();
    let node = bundle(&cluster, &groups, NODES);
    let config = &node.kubeadm.patches["kubeletconfiguration0+merge.json"];
    assert_eq!(config["maxPods"], 200);
    assert_eq!(config["kubeReserved"], json!({"cpu": "100m", "memory": "1Gi"}));
    assert_eq!(config["evictionHard"], json!({"memory.available": "5%"}), "as a whole, like a flag");
    assert_eq!(config["featureGates"], json!({"A": true}));
    assert!(!node.machine.swap_off);
    assert_eq!(node.kubelet.taints, [json!({"key": "dedicated", "value": "web", "effect": "NoSchedule"})]);
    let flags: Vec<_> = node.kubelet.args.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(flags, ["node-labels=pool=a,tier=all", "v=4"]);
    let control_plane = bundle(&cluster, &groups, CONTROL_PLANE);
    assert_eq!(control_plane.kubeadm.patches["kubeletconfiguration0+merge.json"]["maxPods"], 20);
    let base = document(&control_plane.kubeadm.cluster, "KubeletConfiguration");
    assert_eq!(base["maxPods"], 50);
    assert!(base["evictionHard"].is_null(), "the patch of a group would keep its signals: {base}");
    assert!(control_plane.machine.swap_off);
    assert_eq!(
        groups_of(&cluster, &groups).groups[NODES].labels["node-role.kubernetes.io/x"],
        "",
        "no kubelet may set it"
    );
}

#[test]
fn kubelets_leave_their_nodes_to_the_clouds_controllers_if_there_are_any() {
    let (mut cluster, groups) = ha("1.34.4");
    let external = |cluster: &Cluster| {
        bundle(cluster, &groups, NODES)
            .kubelet
            .args
            .contains(&("cloud-provider".to_owned(), "external".to_owned()))
    };
    assert!(!external(&cluster), "nobody would ever make the node schedulable");
    cluster.spec.cloud_controller_manager = opaque(json!({}));
    assert!(external(&cluster));
}

#[test]
fn hooks_of_a_group_replace_the_clusters() {
    let (mut cluster, mut groups) = ha("1.34.4");
    cluster.spec.hooks = opaque(json!([
        {"name": "tune", "manifest": "Type=oneshot\nExecStart=/bin/true", "before": ["kubelet.service"], "requires": ["docker.service"]},
        {"execContainer": {"image": "busybox", "command": ["sh", "-c", "echo $A"], "environment": {"A": "1"}}, "roles": ["Node"]},
        {"name": "masters-only", "manifest": "ExecStart=/bin/true", "roles": ["Master"]},
    ]));
    let group = groups.iter_mut().find(|it| it.name() == NODES).unwrap();
    group.spec.hooks = opaque(json!([{"name": "tune", "enabled": false}]));
    let node = bundle(&cluster, &groups, NODES);
    let names: Vec<_> = node.machine.hooks.iter().map(|it| (it.name.as_str(), it.disabled)).collect();
    assert_eq!(names, [("kops-hook-1.service", false), ("tune.service", true)]);
    let container = &node.machine.hooks[0].text;
    assert!(container.contains("images pull docker.io/library/busybox:latest\n"), "{container}");
    assert!(
        container
            .contains(r#"--env "A=1" docker.io/library/busybox:latest kops-hook-1 "sh" "-c" "echo $$A""#),
        "{container}"
    );
    let control_plane = bundle(&cluster, &groups, CONTROL_PLANE);
    assert_eq!(
        control_plane.machine.hooks[0].text,
        "[Unit]\nDescription=tune.service\nRequires=docker.service\nAfter=docker.service\nBefore=kubelet.service\n\
         [Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
    );
    assert!(control_plane.machine.hooks.iter().any(|it| it.name == "masters-only.service"));
}

#[test]
fn files_are_for_roles_and_in_unpadded_base64_too() {
    let (mut cluster, groups) = ha("1.34.4");
    cluster.spec.file_assets = opaque(json!([
        {"name": "motd", "content": "hello\n"},
        {"name": "key", "path": "/etc/app.key", "content": "aGVsbG8", "isBase64": true, "mode": "0400", "roles": ["Node"]},
    ]));
    let node = bundle(&cluster, &groups, NODES);
    assert_eq!(file(&node, "/srv/kubernetes/assets/motd").unwrap(), "hello\n");
    let key = node.machine.files.iter().find(|it| it.path == "/etc/app.key").unwrap();
    assert_eq!((&key.content, key.mode.as_deref()), (&Content::Base64("aGVsbG8=".to_owned()), Some("0400")));
    assert!(
        !bundle(&cluster, &groups, CONTROL_PLANE).machine.files.iter().any(|it| it.path == "/etc/app.key")
    );
    cluster.spec.file_assets =
        opaque(json!([{"name": "x", "path": "../x"}, {"content": "?"}, {"name": "y", "mode": "rw"}]));
    let (_, problems, _) = rendered(&cluster, &groups, NODES);
    let paths: Vec<_> = problems.errors().map(|it| it.path.to_string()).collect();
    assert_eq!(paths, ["spec.fileAssets[0].path", "spec.fileAssets[1].name", "spec.fileAssets[2].mode"]);
}

#[test]
fn containerd_is_configured_for_both_generations() {
    let (mut cluster, mut groups) = ha("1.34.4");
    cluster.spec.containerd = opaque(json!({
        "registryMirrors": {"docker.io": ["https://one.example.com", "https://two.example.com"], "*": ["http://cache:5000"]},
        "configAdditions": {"plugins.\"io.containerd.grpc.v1.cri\".max_concurrent_downloads": 7},
        "logLevel": "debug",
    }));
    let group = groups.iter_mut().find(|it| it.name() == NODES).unwrap();
    group.spec.containerd = opaque(json!({"logLevel": "warn"}));
    let node = bundle(&cluster, &groups, NODES);
    let v1: toml::Table = node.containerd.config_v1.parse().unwrap();
    let cri = &v1["plugins"]["io.containerd.grpc.v1.cri"];
    assert_eq!(v1["version"].as_integer(), Some(2));
    assert_eq!(v1["debug"]["level"].as_str(), Some("warn"));
    assert_eq!(cri["sandbox_image"].as_str(), Some("registry.k8s.io/pause:3.10.1"));
    assert_eq!(cri["max_concurrent_downloads"].as_integer(), Some(7));
    assert_eq!(cri["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"].as_bool(), Some(true));
    let v2: toml::Table = node.containerd.config_v2.parse().unwrap();
    assert_eq!(v2["version"].as_integer(), Some(3));
    let cni = v2["plugins"]["io.containerd.cri.v1.runtime"]["cni"].as_table().unwrap();
    assert!(!cni.contains_key("bin_dir"), "containerd 2.3 does not know it: {cni:?}");
    let images = &v2["plugins"]["io.containerd.cri.v1.images"];
    assert_eq!(images["pinned_images"]["sandbox"].as_str(), Some("registry.k8s.io/pause:3.10.1"));
    assert_eq!(images["registry"]["config_path"].as_str(), Some("/etc/containerd/certs.d"));
    let hosts = file(&node, "/etc/containerd/certs.d/docker.io/hosts.toml").unwrap();
    assert!(hosts.starts_with("server = \"https://registry-1.docker.io\"\n"), "{hosts}");
    assert!(hosts.find("one.example.com").unwrap() < hosts.find("two.example.com").unwrap());
    assert!(
        file(&node, "/etc/containerd/certs.d/_default/hosts.toml").unwrap().contains("http://cache:5000")
    );
}

#[test]
fn containerd_from_an_archive_brings_its_unit() {
    let (mut cluster, groups) = ha("1.34.4");
    let hash = "ab".repeat(32);
    cluster.spec.containerd =
        opaque(json!({"version": "2.3.2", "packages": {"urlAmd64": "https://x/c.tgz", "hashAmd64": hash}}));
    let node = bundle(&cluster, &groups, NODES);
    assert_eq!(node.machine.downloads[0].sha256, hash);
    assert!(node.machine.units.iter().any(|it| it.name == "containerd.service"));
    assert!(!node.machine.packages.iter().any(|it| it.name == "containerd"));
    cluster.spec.containerd = opaque(json!({"packages": {"urlAmd64": "https://x/c.tgz"}}));
    let (_, of_cluster, of_group) = rendered(&cluster, &groups, NODES);
    assert!(of_cluster.has_errors() || of_group.has_errors());
}

#[test]
fn permissions_for_a_registry_are_not_said_to_have_no_effect() {
    let told = |value: bool| {
        let (mut cluster, groups) = ha("1.34.4");
        cluster.spec.containerd = opaque(json!({"useECRCredentialsForMirrors": value}));
        let (_, of_cluster, of_group) = rendered(&cluster, &groups, NODES);
        format!("{of_cluster}{of_group}")
    };
    let text = told(true);
    assert!(text.contains("useECRCredentialsForMirrors: machines on AWS may pull"), "{text}");
    assert!(!text.contains("no effect"), "{text}");
    assert!(!told(false).contains("useECRCredentialsForMirrors"));
}

#[test]
fn machines_are_made_of_the_clusters_and_the_groups_settings() {
    let (mut cluster, mut groups) = ha("1.34.4");
    cluster.spec.sysctl_parameters = vec!["vm.swappiness=10".to_owned(), "kernel.panic = 30".to_owned()];
    cluster.spec.packages = vec!["nfs-common".to_owned()];
    let group = groups.iter_mut().find(|it| it.name() == NODES).unwrap();
    group.spec.sysctl_parameters = vec!["vm.swappiness=20".to_owned()];
    group.spec.update_policy = Some(UpdatePolicy::External);
    group.spec.volume_mounts = vec![VolumeMount {
        device: "/dev/xvdd".to_owned(),
        path: "/data".to_owned(),
        ..VolumeMount::default()
    }];
    let node = bundle(&cluster, &groups, NODES);
    assert_eq!(node.machine.sysctls["vm.swappiness"], "20");
    assert_eq!(node.machine.sysctls["kernel.panic"], "30");
    assert!(node.machine.packages.iter().any(|it| it.name == "nfs-common"));
    assert!(node.machine.units.iter().any(|it| it.mask && it.name == "unattended-upgrades.service"));
    assert_eq!(node.machine.mounts[0].filesystem.as_deref(), Some("ext4"));
}

#[test]
fn members_of_etcd_have_their_settings() {
    let (mut cluster, groups) = ha("1.34.4");
    let main = cluster.spec.etcd_clusters.iter_mut().find(|it| it.name == "main").unwrap();
    main.heartbeat_interval = Some("250ms".parse().unwrap());
    main.leader_election_timeout = Some("2.5s".parse().unwrap());
    main.cpu_request = opaque(json!("200m"));
    let manager = main.manager.get_or_insert_default();
    manager.env = opaque(json!([{"name": "ETCD_QUOTA_BACKEND_BYTES", "value": "8589934592"}]));
    manager.backup_interval = Some("1h".parse().unwrap());
    manager.backup_retention_days = Some(7);
    let bundle = bundle(&cluster, &groups, CONTROL_PLANE);
    let local = &document(&bundle.kubeadm.etcd, "ClusterConfiguration")["etcd"]["local"];
    assert_eq!(args(&local["extraArgs"], "heartbeat-interval"), ["250"]);
    assert_eq!(args(&local["extraArgs"], "election-timeout"), ["2500"]);
    assert_eq!(local["extraEnvs"][0]["name"], "ETCD_QUOTA_BACKEND_BYTES");
    let container = &bundle.kubeadm.patches["etcd0+strategic.json"]["spec"]["containers"][0];
    assert_eq!(container["resources"]["requests"]["cpu"], "200m");
    assert_eq!(container["volumeMounts"][0]["mountPath"], "/etc/hosts");
    let backup = bundle.etcd[0].backup.unwrap();
    assert_eq!((backup.every, backup.days), (3600, 7));
}

#[test]
fn clusters_of_etcd_have_the_same_members() {
    let (mut cluster, groups) = ha("1.34.4");
    let events = cluster.spec.etcd_clusters.iter_mut().find(|it| it.name == "events").unwrap();
    events.members.pop();
    let (facts, keysets) = (facts(), keysets());
    let mut problems = Problems::new();
    check(&BundleCluster::new(&cluster, &groups, &facts, &keysets), &mut problems);
    assert!(problems.has_errors() && problems.to_string().contains("are not those of main"), "{problems}");
}

#[test]
fn a_registry_of_ones_own_serves_all_images() {
    let (mut cluster, groups) = ha("1.34.4");
    cluster.spec.assets = opaque(json!({"containerRegistry": "registry.example.com/k8s"}));
    cluster.spec.cloud_provider = CloudProvider::by_name("memory");
    let bundle = bundle(&cluster, &groups, CONTROL_PLANE);
    let configuration = document(&bundle.kubeadm.cluster, "ClusterConfiguration");
    assert_eq!(configuration["imageRepository"], "registry.example.com/k8s");
    assert!(bundle.containerd.config_v1.contains("registry.example.com/k8s/pause:3.10.1"));
}
