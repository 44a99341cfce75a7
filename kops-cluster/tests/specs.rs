//! Specifications as kOps writes them: read, written back the same, converted between versions.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use kops_cluster::{
    AnyObject, ApiObject, ApiVersion, Cluster, DnsType, Keyset, Kind, Manifest, Mode, Problems, Role,
    write_manifest,
};
use serde_json::{Value, json};

const HA_PRIVATE: &str = include_str!("cluster/ha-private.yaml");
const V1ALPHA3: &str = include_str!("cluster/ha-private-v1alpha3.yaml");
const V1ALPHA3_AS_V1ALPHA2: &str = include_str!("cluster/ha-private-v1alpha3-as-v1alpha2.yaml");
const OTHER_CLOUDS: &str = include_str!("cluster/other-clouds.yaml");

fn read(text: &str) -> Vec<AnyObject> {
    let manifest = Manifest::read(text, Mode::Strict).unwrap();
    assert_eq!(manifest.problems, Problems::new(), "{}", manifest.problems);
    manifest.into_objects().unwrap().0
}

fn problems(text: &str, mode: Mode) -> Vec<String> {
    let manifest = Manifest::read(text, mode).unwrap();
    manifest.problems.iter().map(ToString::to_string).collect()
}

fn values(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

#[test]
fn what_kops_writes_comes_back() {
    for text in [HA_PRIVATE, OTHER_CLOUDS] {
        let written = write_manifest(&read(text)).unwrap();
        assert_eq!(values(&written), values(text));
        assert_eq!(write_manifest(&read(&written)).unwrap(), written, "a second round changes nothing");
    }
}

#[test]
fn v1alpha2_is_understood() {
    let objects = read(HA_PRIVATE);
    let (AnyObject::Cluster(cluster), AnyObject::InstanceGroup(group)) = (&objects[0], &objects[1]) else {
        panic!("{objects:?}")
    };
    let networking = &cluster.spec.networking;
    assert_eq!(networking.network_cidr, Some("10.20.0.0/16".parse().unwrap()));
    assert_eq!(networking.subnets.len(), 4);
    assert_eq!(networking.dns_type(), DnsType::Private);
    assert_eq!(networking.bastion().unwrap().public_name.as_deref(), Some("bastion.ha.example.com"));
    assert_eq!(networking.tag_subnets, Some(false));
    assert_eq!(networking.plugins().map(|(name, _)| name).collect::<Vec<_>>(), ["cilium"]);
    assert_eq!(cluster.spec.api.access.len(), 3);
    assert!(cluster.spec.additional_policies.contains_key("control-plane"));
    let aws = cluster.spec.cloud_provider.as_ref().unwrap().aws().unwrap();
    assert_eq!(aws.node_ip_families, ["ipv4", "ipv6"]);
    assert!(aws.warm_pool.is_some() && aws.node_termination_handler.is_some());
    assert_eq!(group.role(), Role::ControlPlane);
    assert_eq!(group.spec.root_volume.as_ref().unwrap().size, Some(64));
    assert_eq!(group.spec.associate_public_ip, Some(false));
}

#[test]
fn v1alpha3_is_read_and_written_as_v1alpha2() {
    assert_eq!(values(&write_manifest(&read(V1ALPHA3)).unwrap()), values(V1ALPHA3_AS_V1ALPHA2));
    assert_eq!(read(V1ALPHA3), read(V1ALPHA3_AS_V1ALPHA2));
}

#[test]
fn the_flat_v1alpha3_of_older_versions_is_read() {
    let text = "
apiVersion: kops.k8s.io/v1alpha3
kind: Cluster
metadata: {name: old.example.com}
spec:
  cloudProvider: {gce: {}}
  project: example
  configBase: gs://store/old.example.com
  kubernetesAPIAccess: [0.0.0.0/0]
  networkCIDR: 10.0.0.0/16
  subnets: [{name: a, type: Public, region: us-central1}]
  tagSubnets: false
  topology: {dns: {type: Public}, masters: public, nodes: public}
";
    let objects = read(text);
    let AnyObject::Cluster(cluster) = &objects[0] else { panic!("{objects:?}") };
    assert_eq!(cluster.spec.networking.subnets[0].name, "a");
    assert_eq!(cluster.spec.networking.dns_type(), DnsType::Public);
    assert_eq!(cluster.spec.config_store.base.as_deref(), Some("gs://store/old.example.com"));
    assert_eq!(
        cluster.spec.cloud_provider.as_ref().unwrap().gce().unwrap().project.as_deref(),
        Some("example")
    );
    assert_eq!(cluster.to_document().unwrap()["spec"]["DisableSubnetTags"], json!(true));
}

#[test]
fn the_old_name_of_v1alpha2_is_rewritten() {
    let text =
        "apiVersion: kops/v1alpha2\nkind: InstanceGroup\nmetadata:\n  name: nodes\nspec:\n  role: Node\n";
    assert!(read(text)[0].to_yaml().unwrap().starts_with("apiVersion: kops.k8s.io/v1alpha2\n"));
}

/// Unknown fields at every depth, in both halves of what conversion moves.
const UNKNOWN: &str = "
apiVersion: kops.k8s.io/v1alpha2
kind: Cluster
metadata:
  name: new.example.com
  colour: blue
spec:
  api:
    loadBalancer: {type: Public, sparkle: 2}
  cloudConfig:
    futureSetting: {deep: [1, 2.5, null]}
  cloudProvider: aws
  etcdClusters:
  - name: main
    etcdMembers:
    - name: a
      volumeColour: red
  future: true
  networking:
    futurePlugin: {}
  subnets:
  - name: a
    sidr: 10.0.0.0/24
  topology:
    dns: {type: Public}
    rings: 3
";

#[test]
fn unknown_fields_are_errors_to_people() {
    let found = problems(UNKNOWN, Mode::Strict);
    let expected = [
        "line 6, column 3: metadata.colour: unknown field \"colour\"",
        "line 9, column 34: spec.api.loadBalancer.sparkle: ",
        "line 11, column 5: spec.cloudConfig.futureSetting: ",
        "line 17, column 7: spec.etcdClusters[0].etcdMembers[0].volumeColour: ",
        "line 18, column 3: spec.future: ",
        "line 20, column 5: spec.networking.futurePlugin: ",
        "line 23, column 5: spec.subnets[0].sidr: unknown field \"sidr\" (did you mean cidr?)",
        "line 26, column 5: spec.topology.rings: ",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{expected} in {found}");
    }
}

#[test]
fn unknown_fields_in_stores_are_kept_and_told() {
    let manifest = Manifest::read(UNKNOWN, Mode::Lenient).unwrap();
    assert!(!manifest.problems.has_errors());
    assert_eq!(manifest.problems.warnings().count(), 8);
    let (objects, warnings) = manifest.into_objects().unwrap();
    assert_eq!(warnings.len(), 8);
    let written = write_manifest(&objects).unwrap();
    assert_eq!(values(&written), values(UNKNOWN));
}

#[test]
fn fields_of_another_version_are_no_fields() {
    let text = "
apiVersion: kops.k8s.io/v1alpha2
kind: Cluster
metadata: {name: x.example.com}
spec:
  cloudProvider: {aws: {}}
  networking:
    subnets: []
";
    let found = problems(text, Mode::Lenient);
    assert!(found[0].contains("spec.cloudProvider: must be a string"), "{found:#?}");
    assert!(found[1].contains("spec.networking.subnets: there is no such field"), "{found:#?}");
    assert!(found[1].contains("in this apiVersion it is spec.subnets"), "{found:#?}");

    let twice = "
apiVersion: kops.k8s.io/v1alpha3
kind: Cluster
metadata: {name: x.example.com}
spec:
  cloudProvider: {aws: {}}
  networkCIDR: 10.0.0.0/16
  networking: {networkCIDR: 10.1.0.0/16}
";
    let found = problems(twice, Mode::Lenient);
    assert!(found[0].contains("it is another name of spec.networking.networkCIDR"), "{found:#?}");
}

#[test]
fn every_wrong_document_is_told_at_once() {
    let text = "
apiVersion: kops.k8s.io/v1alpha2
kind: Clutser
---
apiVersion: v1
kind: ConfigMap
---
- a list
---
kind: Cluster
---
apiVersion: kops.k8s.io/v1alpha2
kind: Cluster
metadata: {name: 3}
spec:
  cloudProvider: awss
  kubernetesVersion: 1.34
  networkCIDR: 10.0.0.0
  sshAccess: [anyone, 192.0.2.0/24]
  subnets:
  - just-text
  - name: ok
    type: public
  rollingUpdate: {maxSurge: 1.5, drainAndTerminate: 'yes'}
  updatePolicy: null
";
    let found = problems(text, Mode::Strict);
    for expected in [
        "line 3, column 1: kind: \"Clutser\" is not supported (did you mean Cluster? Supported: Cluster, InstanceGroup",
        "line 5, column 1: an object of Kubernetes lacks metadata.name (set metadata.name to a text)",
        "line 8, column 3: the document is not an object",
        "apiVersion: is required",
        "line 14, column 12: metadata.name: 3 is not text (put it in quotes: \"3\")",
        "line 16, column 3: spec.cloudProvider: \"awss\" is not supported (did you mean aws?",
        "line 17, column 3: spec.kubernetesVersion: 1.34 is not text (put it in quotes: \"1.34\")",
        "line 18, column 3: spec.networkCIDR: \"10.0.0.0\" is not a CIDR (add the length of its prefix, as in 10.0.0.0/16)",
        "line 19, column 15: spec.sshAccess[0]: \"anyone\" is not a CIDR or a prefix list (use one such as 192.0.2.0/24",
        "line 21, column 5: spec.subnets[0]: \"just-text\" is not an object",
        "line 23, column 5: spec.subnets[1].type: \"public\" is not one of Public, Private, Utility, DualStack \
         (did you mean Public?)",
        "spec.rollingUpdate.maxSurge: 1.5 is neither an integer nor a percentage",
        "spec.rollingUpdate.drainAndTerminate: \"yes\" is neither true nor false",
    ] {
        assert!(found.iter().any(|found| found.contains(expected)), "{expected}\nin {found:#?}");
    }
    assert_eq!(found.len(), 13, "{found:#?}");
    let error = Manifest::read(text, Mode::Strict).unwrap().into_objects().unwrap_err();
    assert!(error.to_string().starts_with("13 problems:\n  "), "{error}");
}

#[test]
fn malformed_yaml_is_told_where() {
    let text = "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\n---\nspec:\n  a: [1\n  b: 2\n";
    let error = Manifest::read(text, Mode::Strict).unwrap_err();
    assert!(error.to_string().contains("malformed YAML in document 2, line "), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn an_empty_text_is_not_silently_nothing() {
    for text in ["", "---\n", "# nothing\n"] {
        let error = Manifest::read(text, Mode::Strict).unwrap().into_objects().unwrap_err();
        assert!(error.to_string().contains("contains no objects"), "{error}");
    }
}

#[test]
fn what_gos_tools_write_is_read() {
    // null for what is absent, bare time stamps, words of YAML 1.1, JSON.
    let text = "
apiVersion: kops.k8s.io/v1alpha2
kind: InstanceGroup
metadata:
  creationTimestamp: null
  name: nodes
spec:
  cloudLabels:
    answer: \"yes\"
    since: 2017-01-01T00:00:00Z
  associatePublicIp: yes
  maxSize: 0x10
  subnets: null
  zones: []
  taints:
  - a=b:NoSchedule
---
{\"apiVersion\": \"kops.k8s.io/v1alpha2\", \"kind\": \"SSHCredential\", \"metadata\": {\"name\": \"admin\"},
 \"spec\": {\"publicKey\": \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 a@b\"}}
";
    let objects = read(text);
    let AnyObject::InstanceGroup(group) = &objects[0] else { panic!("{objects:?}") };
    assert_eq!(group.metadata.creation_timestamp, None);
    assert_eq!(group.spec.cloud_labels["since"], "2017-01-01T00:00:00Z");
    assert_eq!(group.spec.cloud_labels["answer"], "yes");
    assert_eq!(group.spec.associate_public_ip, Some(true));
    assert_eq!(group.spec.max_size, Some(16));
    assert_eq!(objects[1].kind(), Kind::SshCredential);
    // The words that YAML 1.1 takes for others stay texts for it.
    let written = objects[0].to_yaml().unwrap();
    assert!(written.contains("answer: \"yes\""), "{written}");
    assert!(written.contains("since: \"2017-01-01T00:00:00Z\""), "{written}");
}

#[test]
fn plugins_and_users_in_the_words_of_v1alpha3() {
    let text = "
apiVersion: kops.k8s.io/v1alpha3
kind: Cluster
metadata: {name: new.example.net}
spec:
  cloudProvider: {aws: {}}
  authentication:
    oidc:
      issuerURL: https://login.example.net
      clientID: cluster
      groupsClaims: [groups, teams]
      groupsPrefix: 'oidc:'
      usernameClaim: email
      usernamePrefix: 'oidc:'
      requiredClaims: {b: two, a: one}
  networking:
    amazonVPC: {image: x}
";
    let document = read(text)[0].to_document().unwrap();
    assert_eq!(document["spec"]["networking"], json!({ "amazonvpc": { "imageName": "x" } }));
    assert_eq!(
        document["spec"]["kubeAPIServer"],
        json!({
            "oidcIssuerURL": "https://login.example.net", "oidcClientID": "cluster", "oidcGroupsClaim": "groups,teams",
            "oidcGroupsPrefix": "oidc:", "oidcUsernameClaim": "email", "oidcUsernamePrefix": "oidc:",
            "oidcRequiredClaim": ["a=one", "b=two"],
        })
    );
    assert_eq!(document["spec"]["authentication"], Value::Null);
    let router = text.replace("amazonVPC: {image: x}", "kubeRouter: {}");
    assert_eq!(read(&router)[0].to_document().unwrap()["spec"]["networking"], json!({ "kuberouter": {} }));
}

#[test]
fn azure_is_spelt_as_each_version_spells_it() {
    let ids = json!({ "subscriptionId": "1", "tenantId": "2", "storageAccountID": "3", "adminUser": "ops" });
    let old = json!({
        "apiVersion": "kops.k8s.io/v1alpha2", "kind": "Cluster", "metadata": { "name": "blue.example.net" },
        "spec": { "cloudProvider": "azure", "cloudConfig": { "azure": ids } },
    });
    let new = "
apiVersion: kops.k8s.io/v1alpha3
kind: Cluster
metadata: {name: blue.example.net}
spec: {cloudProvider: {azure: {subscriptionID: '1', tenantID: '2', storageAccountID: '3', adminUser: ops}}}
";
    assert_eq!(read(&old.to_string()), read(new));
    assert_eq!(read(new)[0].to_document().unwrap(), old);
}

#[test]
fn private_keys_are_read_and_never_shown() {
    let objects = read(HA_PRIVATE);
    let Some(AnyObject::Keyset(keyset)) = objects.last() else { panic!("{objects:?}") };
    let secret = keyset.spec.keys[0].private_material.as_ref().unwrap();
    assert_eq!(secret.reveal(), "LS0tLS1CRUdJTiBTRUNSRVQ=");
    assert!(!format!("{objects:?}").contains(secret.reveal()));

    let wrong = "apiVersion: kops.k8s.io/v1alpha2\nkind: Keyset\nmetadata: {name: ca}\nspec: {keys: [{id: '1', privateMaterial: 20260714}]}";
    let error = Keyset::from_yaml(wrong, Mode::Strict).unwrap_err().to_string();
    assert!(error.contains("spec.keys[0].privateMaterial") && !error.contains("20260714"), "{error}");
}

#[test]
fn problems_found_later_are_told_in_the_version_and_line_of_the_text() {
    let manifest = Manifest::read(V1ALPHA3, Mode::Strict).unwrap();
    let document = &manifest.documents[0];
    assert_eq!(document.version, ApiVersion::V1Alpha3);
    let AnyObject::Cluster(cluster) = &document.object else { panic!("{document:?}") };
    let mut cluster = Cluster::clone(cluster);
    cluster.spec.networking.subnets[0].zone = Some("nowhere".to_owned());
    let mut found = kops_cluster::validate(&cluster, &[]);
    document.localize(&mut found);
    let zone = found.errors().find(|problem| problem.message.contains("nowhere")).unwrap();
    assert_eq!(zone.path.to_string(), "spec.networking.subnets[0].zone");
    assert_eq!(zone.location.map(|at| (at.document, at.line)), Some((1, 58)));
}

#[test]
fn one_document_of_one_kind_can_be_asked_for() {
    let error = Cluster::from_yaml(HA_PRIVATE, Mode::Strict).unwrap_err();
    assert!(error.to_string().contains("more than one document"), "{error}");
    let group = "apiVersion: kops.k8s.io/v1alpha2\nkind: InstanceGroup\nmetadata: {name: nodes}";
    let error = Cluster::from_yaml(group, Mode::Strict).unwrap_err();
    assert!(error.to_string().contains("is of kind InstanceGroup, not Cluster"), "{error}");
}
