//! Situations from the field: files and stores that people really have.

use std::fs;

use super::{CREATE, HA, desk};
use crate::common::{Desk, changes, summary};

/// A small cluster, with a subnet of its own name and further fields below `spec`.
fn cluster(name: &str, subnet: &str, more: &str) -> String {
    format!(
        "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata:\n  name: {name}\nspec:\n  \
         api:\n    loadBalancer:\n      type: Public\n  cloudProvider: memory\n  \
         etcdClusters:\n  - etcdMembers:\n    - instanceGroup: cp\n      name: a\n    name: main\n  \
         kubernetesApiAccess:\n  - 192.0.2.0/24\n  kubernetesVersion: 1.34.1\n  networkCIDR: 172.20.0.0/16\n  \
         networking:\n    cilium: {{}}\n  nonMasqueradeCIDR: 100.64.0.0/10\n  \
         subnets:\n  - cidr: 172.20.0.0/19\n    name: {subnet}\n    type: Public\n    zone: zone-1a\n{more}"
    )
}

fn group(cluster: &str, name: &str, role: &str, subnet: &str, more: &str) -> String {
    format!(
        "---\napiVersion: kops.k8s.io/v1alpha2\nkind: InstanceGroup\nmetadata:\n  labels:\n    \
         kops.k8s.io/cluster: {cluster}\n  name: {name}\nspec:\n  image: ubuntu-24.04\n  machineType: medium\n  \
         maxSize: 1\n  minSize: 1\n  role: {role}\n  subnets:\n  - {subnet}\n{more}"
    )
}

const NO_NAMES: &str = "  topology:\n    dns:\n      type: None\n";

/// A cluster with a control plane and nodes.
fn whole(name: &str, subnet: &str, more: &str) -> String {
    cluster(name, subnet, more)
        + &group(name, "cp", "Master", subnet, "")
        + &group(name, "nodes", "Node", subnet, "")
}

#[test]
fn subnets_may_have_dots_in_their_names() {
    let desk = Desk::new();
    let file = desk.write("a.yaml", &whole("demo.example.com", "public.a", NO_NAMES));
    desk.ok(&["create", "-f", &file]);
    let plan = desk.plan("demo.example.com", &["--yes"]);
    assert!(changes(&plan).contains(&"create Subnet/public.a.demo.example.com".to_owned()), "{plan}");
    assert_eq!(summary(&desk.plan("demo.example.com", &[]))[0], 0);
    desk.ok(&["delete", "cluster", "demo.example.com", "--yes"]);
    let twice = whole("demo.example.com", "public.a", NO_NAMES).replace(
        "  subnets:\n  - cidr",
        "  subnets:\n  - cidr: 172.20.64.0/19\n    name: public.a\n    zone: zone-1a\n  - cidr",
    );
    let file = desk.write("b.yaml", &twice);
    assert!(desk.fails(&["create", "-f", &file]).contains("another subnet is also named public.a"));
}

#[test]
fn a_cluster_that_publishes_no_names_needs_no_domain() {
    let desk = Desk::new();
    let file = desk.write("a.yaml", &whole("staging", "a", NO_NAMES));
    desk.ok(&["create", "-f", &file]);
    assert!(summary(&desk.plan("staging", &["--yes"]))[0] > 10);
    assert_eq!(summary(&desk.plan("staging", &[]))[0], 0);
    assert!(desk.ok(&["get", "clusters"]).contains("staging"));
    desk.ok(&["delete", "cluster", "staging", "--yes"]);
    for dns in ["Public", "Private"] {
        let file = desk.write("b.yaml", &whole("staging", "a", &NO_NAMES.replace("None", dns)));
        let error = desk.fails(&["create", "-f", &file]);
        assert!(error.contains("add a domain, as in staging.example.com"), "{error}");
    }
    desk.ok(&["create", "cluster", "testing", "--cloud=memory", "--zones=zone-1a"]);
    let error =
        desk.fails(&["create", "cluster", "live", "--cloud=memory", "--zones=zone-1a", "--dns=public"]);
    assert!(error.contains("live.example.com"), "{error}");
}

#[test]
fn labels_without_quotes_are_quoted_as_they_are_written() {
    let desk = desk();
    let labels = "  nodeLabels:\n    a: on\n    b: 1e3\n    c: 0123\n    d: 1.10\n";
    let file = desk.write("group.yaml", &group(HA, "numbers", "Node", "zone-1a", labels));
    let error = desk.fails(&["create", "-f", &file]);
    for (value, line) in [("on", 17), ("1e3", 18), ("0123", 19), ("1.10", 20)] {
        let expected = format!("{value} is not text (put it in quotes: \"{value}\")");
        assert!(
            error.contains(&expected) && error.contains(&format!("line {line}, ")),
            "{expected}\n{error}"
        );
    }
    for wrong in ["true", "1000", "83", "1.1)"] {
        assert!(!error.contains(wrong), "{wrong} in {error}");
    }
    let quoted = labels
        .replace("on", "\"on\"")
        .replace("1e3", "\"1e3\"")
        .replace("0123", "\"0123\"")
        .replace("1.10", "\"1.10\"");
    let file = desk.write("group.yaml", &group(HA, "numbers", "Node", "zone-1a", &quoted));
    desk.ok(&["create", "-f", &file]);
    let got = desk.ok(&["get", "ig", "numbers", "--name", HA, "-o", "yaml"]);
    assert!(got.contains("a: \"on\"") && got.contains("c: \"0123\""), "{got}");
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@desk";

fn credential(key: &str) -> String {
    format!(
        "---\napiVersion: kops.k8s.io/v1alpha2\nkind: SSHCredential\nmetadata:\n  name: admin\n  labels:\n    \
         kops.k8s.io/cluster: demo.example.com\nspec:\n  publicKey: >\n    {key}\n"
    )
}

#[test]
fn a_broken_key_is_told_with_its_line_and_nothing_is_written() {
    let desk = Desk::new();
    let text = whole("demo.example.com", "a", NO_NAMES);
    let line = text.lines().count() + 9;
    for (key, why) in [
        (
            KEY.replace("CAkK", "CAk\n    K").replace("AAIAAB", "AAIA\n    AB"),
            "the key is cut into pieces by blanks",
        ),
        (KEY.replace("HR4f", ""), "the key is cut off"),
    ] {
        let file = desk.write("a.yaml", &(text.clone() + &credential(&key)));
        let error = desk.fails(&["create", "-f", &file]);
        let place = format!("{file}: SSHCredential/admin: line {line}, column 3: spec.publicKey: ");
        assert!(error.contains(&place) && error.contains(why), "{place}{why}\n{error}");
        assert_eq!(desk.files("state").len(), 0);
    }
    let file = desk.write("a.yaml", &(text + &credential(KEY)));
    desk.ok(&["create", "-f", &file]);
    assert!(desk.ok(&["get", "clusters"]).contains("demo.example.com"));
}

/// A specification as kOps wrote it years ago.
const OLD: &str = "apiVersion: kops/v1alpha2
kind: Cluster
metadata:
  creationTimestamp: 2018-01-23T23:26:25Z
  name: old.example.com
spec:
  api:
    dns: {}
  channel: stable
  cloudProvider: memory
  docker:
    version: 17.03.2
  etcdClusters:
  - enableEtcdTLS: true
    enableTLSAuth: true
    etcdMembers:
    - instanceGroup: master-zone-1a
      name: a
    manager:
      listenClientHTTPURLs:
      - http://127.0.0.1:2379
    name: main
    version: 3.2.18
  fieldOfTomorrow:
    deep: 1
  kubernetesApiAccess:
  - 0.0.0.0/0
  kubernetesVersion: 1.8.11
  networkCIDR: 172.20.0.0/16
  networking:
    weave: {}
  sshAccess:
  - 0.0.0.0/0
  subnets:
  - cidr: 172.20.32.0/19
    name: zone-1a
    type: Public
    zone: zone-1a
  topology:
    dns:
      type: Public
    masters: public
    nodes: public
";

#[test]
fn what_the_store_holds_already_does_not_stop_an_edit() {
    let mut desk = Desk::new();
    fs::create_dir(desk.path("state/old.example.com")).unwrap();
    fs::write(desk.path("state/old.example.com/config"), OLD).unwrap();
    let run = desk.run(&["get", "clusters"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let dead = "nothing acts on enableEtcdTLS, enableTLSAuth, listenClientHTTPURLs";
    assert_eq!(run.err.matches("Warning: ").count(), 2, "{}", run.err);
    assert!(run.err.contains(dead) && run.err.contains("unknown field \"fieldOfTomorrow\""), "{}", run.err);

    desk.ok(&[
        "edit",
        "cluster",
        "old.example.com",
        "--set",
        "spec.kubernetesVersion=1.8.12",
        "--unset",
        "spec.docker",
    ]);
    desk.set("EDITOR", "sed -i s/1.8.12/1.34.1/");
    let run = desk.run(&["edit", "cluster", "old.example.com"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.err.contains(dead), "{}", run.err);
    let got = desk.ok(&["get", "cluster", "old.example.com", "-o", "yaml"]);
    assert!(got.contains("kubernetesVersion: \"1.34.1\"") && !got.contains("docker"), "{got}");
    for kept in [
        "enableEtcdTLS: true",
        "enableTLSAuth: true",
        "listenClientHTTPURLs:",
        "fieldOfTomorrow:",
        "weave: {}",
    ] {
        assert!(got.contains(kept), "{kept}\n{got}");
    }
    let run = desk.run_with(&["replace", "-f", "-"], &got);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(desk.ok(&["get", "cluster", "old.example.com", "-o", "yaml"]), got);
    // A field that is not there yet is a misspelling.
    let error =
        desk.run_with(&["replace", "-f", "-"], &got.replace("  channel:", "  chanel: x\n  channel:")).err;
    assert!(error.contains("unknown field \"chanel\" (did you mean channel?)"), "{error}");
}

#[test]
fn what_is_printed_as_json_is_read_again() {
    let desk = desk();
    let json = desk.ok(&["get", "all", "--name", HA, "-o", "json"]);
    let yaml = desk.ok(&["get", "all", "--name", HA, "-o", "yaml"]);
    let other = Desk::new();
    let file = other.write("all.json", &json);
    other.ok(&["create", "-f", &file]);
    assert_eq!(other.ok(&["get", "all", "--name", HA, "-o", "yaml"]), yaml);
    desk.ok(&["replace", "-f", &other.write("all.json", &json)]);
    assert_eq!(desk.ok(&["get", "all", "--name", HA, "-o", "yaml"]), yaml);
    // Each document of a list has its own place for messages.
    let broken = json.replacen("\"minSize\": 1", "\"minSize\": \"one\"", 1);
    let error = other.fails(&["replace", "-f", &other.write("all.json", &broken)]);
    let line = 1 + broken.lines().position(|line| line.contains("\"one\"")).unwrap();
    assert!(error.contains(&format!("line {line}, ")) && error.contains("InstanceGroup/"), "{error}");

    let mut create = CREATE.to_vec();
    create.extend(["--dry-run", "-o", "json"]);
    let third = Desk::new();
    let file = third.write("new.json", &third.ok(&create));
    third.ok(&["create", "-f", &file]);
    let list = format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": {json}}}");
    let fourth = Desk::new();
    let file = fourth.write("list.json", &list);
    fourth.ok(&["create", "-f", &file]);
    assert_eq!(fourth.ok(&["get", "all", "--name", HA, "-o", "yaml"]), yaml);
}

#[test]
fn a_key_that_is_there_twice_is_told_in_plain_words() {
    let desk = desk();
    let labels = "  nodeLabels:\n    team: red\n    size: big\n    team: blue\n";
    let file = desk.write("group.yaml", &group(HA, "twice", "Node", "zone-1a", labels));
    let error = desk.fails(&["create", "-f", &file]);
    assert!(error.contains("line 19, column 5: key \"team\" is there twice"), "{error}");
    assert!(error.contains("keep one of them") && !error.contains("Policy"), "{error}");
}

#[test]
fn an_address_is_told_with_what_to_write() {
    let desk = Desk::new();
    for (field, fix) in [
        (
            "  sshAccess:\n  - 198.51.100.7\n",
            "\"198.51.100.7\" is not a CIDR or a prefix list (write 198.51.100.7/32 for this single address)",
        ),
        ("  sshAccess:\n  - 2001:db8::1\n", "write 2001:db8::1/128 for this single address"),
        (
            "  sshAccess:\n  - 198.051.100.0/24\n",
            "write 198.51.100.0/24, or 198.41.100.0/24 if the part with the leading zero is octal",
        ),
        ("  additionalNetworkCIDRs:\n  - 010.0.0.0/16\n", "write 10.0.0.0/16, or 8.0.0.0/16 if"),
        ("  podCIDR: 100.064.0.0/10\n", "write 100.64.0.0/10, or 100.52.0.0/10 if"),
        ("  nodePortAccess: [home]\n", "use one such as 192.0.2.0/24"),
    ] {
        let file = desk.write("a.yaml", &whole("demo.example.com", "a", &(field.to_owned() + NO_NAMES)));
        let error = desk.fails(&["create", "-f", &file]);
        assert!(error.contains(fix), "{fix}\n{error}");
        assert_eq!(error.matches("is not a CIDR").count(), 1, "{error}");
    }
    let flag = [
        "create",
        "cluster",
        "x.example.com",
        "--cloud=memory",
        "--zones=zone-1a",
        "--network-cidr=10.0.0.0",
    ];
    assert!(desk.fails(&flag).contains("write 10.0.0.0/32"));
}

#[test]
fn a_group_lives_without_limit_if_it_says_zero() {
    let desk = Desk::new();
    let text = whole("demo.example.com", "a", NO_NAMES);
    let file = desk
        .write("a.yaml", &text.replace("  role: Node\n", "  maxInstanceLifetime: 12 hours\n  role: Node\n"));
    let error = desk.fails(&["create", "-f", &file]);
    assert!(error.contains("\"12 hours\" is not a duration (use one such as 24h30m or 90s)"), "{error}");
    assert!(error.contains("line "), "{error}");
    let file =
        desk.write("a.yaml", &text.replace("  role: Node\n", "  maxInstanceLifetime: \"0\"\n  role: Node\n"));
    desk.ok(&["create", "-f", &file]);
    assert!(
        desk.ok(&["get", "ig", "--name", "demo.example.com", "-o", "yaml"])
            .contains("maxInstanceLifetime: \"0\"")
    );
    // A cloud that has no limit at all has none here, either.
    let plan = desk.plan("demo.example.com", &[]);
    assert!(changes(&plan).iter().any(|change| change.contains("InstanceGroup")), "{plan}");
}

#[test]
fn no_key_is_no_key_although_one_is_there() {
    let desk = Desk::new();
    let text = whole("demo.example.com", "a", &format!("  sshKeyName: \"\"\n{NO_NAMES}")) + &credential(KEY);
    let file = desk.write("a.yaml", &text);
    desk.ok(&["create", "-f", &file]);
    let plan = desk.plan("demo.example.com", &[]);
    assert!(!changes(&plan).iter().any(|change| change.contains("SshKey")), "{plan}");
    desk.ok(&["edit", "cluster", "demo.example.com", "--unset", "spec.sshKeyName"]);
    let plan = desk.plan("demo.example.com", &[]);
    assert!(changes(&plan).iter().any(|change| change.contains("SshKey")), "{plan}");
}

#[test]
fn a_load_balancer_counts_and_dns_beside_it_says_nothing() {
    let desk = Desk::new();
    let both = whole("demo.example.com", "a", NO_NAMES).replace("  api:\n", "  api:\n    dns: {}\n");
    let file = desk.write("a.yaml", &both);
    desk.ok(&["create", "-f", &file]);
    assert!(summary(&desk.plan("demo.example.com", &[]))[0] > 10);
    let got = desk.ok(&["get", "cluster", "demo.example.com", "-o", "yaml"]);
    assert!(got.contains("dns: {}") && got.contains("loadBalancer:"), "{got}");
    let alone = both.replace("    loadBalancer:\n      type: Public\n", "").replace("demo.", "other.");
    let error = desk.fails(&["create", "-f", &desk.write("b.yaml", &alone)]);
    assert!(error.contains("spec.api.dns: the API cannot use DNS if no names are published"), "{error}");
}

#[test]
fn the_name_in_the_environment_gives_way_to_what_is_written() {
    let mut desk = desk();
    desk.set("KOPS_CLUSTER_NAME", "other.example.com");
    assert!(desk.ok(&["get", "cluster", HA]).contains(HA));
    assert!(desk.ok(&["get", "ig", "--name", HA]).contains("nodes-zone-1a"));
    assert_eq!(summary(&desk.plan(HA, &[])), [0, 0, 0, 0, 46]);
    let error = desk.fails(&["update", "cluster"]);
    assert!(error.contains("other.example.com"), "{error}");
    let error = desk.fails(&["update", "cluster", HA, "--name", "third.example.com"]);
    assert!(error.contains("two clusters are specified"), "{error}");
    desk.set("KOPS_CLUSTER_NAME", HA);
    assert!(desk.ok(&["get", "ig"]).contains("nodes-zone-1a"));
}

#[test]
fn all_objects_of_a_file_are_checked_before_the_first_is_deleted_or_written() {
    let desk = desk();
    let before = desk.files("state");
    let good = desk.ok(&["get", "ig", "nodes-zone-1a", "--name", HA, "-o", "yaml"]);
    let bad = good.replace("name: nodes-zone-1a", "name: nodes-zone-1x");
    let file = desk.write("groups.yaml", &format!("{good}\n---\n{bad}"));
    let error = desk.fails(&["delete", "-f", &file, "--yes"]);
    assert!(error.contains("has no instance group nodes-zone-1x"), "{error}");
    assert_eq!(desk.files("state"), before);
    let file = desk.write("twice.yaml", &format!("{good}\n---\n{good}"));
    let error = desk.fails(&["replace", "-f", &file]);
    assert!(error.contains("InstanceGroup/nodes-zone-1a is there twice"), "{error}");
    assert_eq!(desk.files("state"), before);
}
