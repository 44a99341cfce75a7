//! The flags of kOps that scripts have: understood as kOps understands them, or refused with what to do instead.

use crate::common::Desk;

/// The specification that flags make, as YAML; `false` if the exit code is not 0.
fn made(desk: &Desk, more: &[&str]) -> String {
    let mut arguments = vec!["create", "cluster", "s.example.net", "--dry-run", "-o", "yaml"];
    arguments.extend(more);
    desk.ok(&arguments)
}

const AWS: [&str; 2] = ["--cloud=aws", "--zones=eu-west-1a"];

fn aws(desk: &Desk, more: &[&str]) -> String {
    made(desk, &[&AWS, more].concat())
}

#[test]
fn flags_make_what_they_make_in_kops() {
    let desk = Desk::new();
    let text = aws(&desk, &["--topology", "private", "--egress", "nat-0123456789abcdef0"]);
    assert!(
        text.contains("    egress: nat-0123456789abcdef0\n    name: eu-west-1a\n    type: Private\n"),
        "{text}"
    );
    assert_eq!(text.matches("egress:").count(), 1, "{text}");

    let text = aws(&desk, &["--networking", "cilium-eni"]);
    assert!(text.contains("    cilium:\n      enableNodePort: true\n      ipam: eni\n"), "{text}");
    let text = aws(&desk, &["--networking", "cilium-etcd"]);
    assert!(text.contains("etcdManaged: true\n") && text.contains("    name: cilium\n"), "{text}");

    let text = aws(&desk, &["--discovery-store", "s3://acme-issuers"]);
    assert!(text.contains("discoveryStore: s3://acme-issuers/s.example.net\n"), "{text}");
    assert!(text.contains("enableAWSOIDCProvider: true\n"), "{text}");
    assert!(text.contains("useServiceAccountExternalPermissions: true\n"), "{text}");

    let text =
        aws(&desk, &["--kubernetes-feature-gates", "-SomeGate", "--kubernetes-feature-gates=Other,+Third"]);
    assert_eq!(text.matches("SomeGate: \"false\"\n").count(), 5, "{text}");
    assert_eq!(text.matches("Third: \"true\"\n").count(), 5, "{text}");

    let text = aws(&desk, &["--set", "cluster.spec.addons[0].manifest=https://example.net/a.yaml"]);
    assert!(text.contains("  addons:\n  - manifest: https://example.net/a.yaml\n"), "{text}");

    let text = aws(&desk, &["--cloud-labels", "owner=\"Ann, Ops\",team=a"]);
    assert!(text.contains("  cloudLabels:\n    owner: Ann, Ops\n    team: a\n"), "{text}");

    let text = made(&desk, &["--cloud=gce", "--project=p", "--zones=europe-west4-a"]);
    assert!(text.contains("image: ubuntu-os-cloud/ubuntu-2404-lts-amd64\n"), "{text}");

    let openstack =
        ["--cloud=openstack", "--zones=nova", "--image=ubuntu", "--node-size=m", "--control-plane-size=m"];
    let text = made(&desk, &[&openstack[..], &["--os-octavia", "--os-ext-subnet", "s"]].concat());
    assert!(text.contains("useOctavia: true\n") && text.contains("externalSubnet: s\n"), "{text}");

    let text = aws(
        &desk,
        &[
            "--associate-public-ip=false",
            "--master-tenancy=dedicated",
            "--node-tenancy=default",
            "--disable-subnet-tags",
            "--api-public-name=api.example.net",
            "--node-size=m5.large,m5a.large",
            "--target=direct",
            "--ipv6=false",
        ],
    );
    for expected in [
        "associatePublicIp: false\n",
        "tenancy: dedicated\n",
        "tenancy: default\n",
        "DisableSubnetTags: true\n",
        "masterPublicName: api.example.net\n",
        "machineType: m5.large\n",
        "    - m5a.large\n",
    ] {
        assert!(text.contains(expected), "{expected}{text}");
    }
}

#[test]
fn what_is_not_supported_is_refused_with_what_to_do_instead() {
    let desk = Desk::new();
    for (flags, expected) in [
        (&["--ipv6"][..], "IPv6 clusters are not supported yet"),
        (&["--target=terraform"], "plans are applied directly"),
        (&["--container-runtime=docker"], "containerd is the only runtime"),
        (&["--authorization=AlwaysAllow"], "use RBAC"),
        (&["--instance-manager=karpenter"], "Karpenter is not supported yet"),
        (&["--out=dir"], "nothing is written to files"),
        (&["--api-server-count=2"], "groups of role APIServer are not supported yet"),
        (&["--egress=nat-1"], "machines with public addresses need none"),
        (&["--cloud-labels=owner=\"Ann"], "a quote is not closed"),
        (&["--kubernetes-feature-gates=A=true"], "use Gate to open one and -Gate to close it"),
        (&["--discovery-store=s3://issuers"], "roles of service accounts are not supported yet"),
        (&["--azure-tenant-id=x"], "is for azure, but the cluster is on aws"),
    ] {
        let arguments = [&["create", "cluster", "s.example.net"], &AWS[..], flags].concat();
        let error = desk.fails(&arguments);
        assert!(error.contains(expected), "{flags:?}: {expected}\n{error}");
        let name = flags[0].split('=').next().unwrap();
        assert!(error.contains(name), "{name}\n{error}");
    }
    let error = desk.fails(&["update", "cluster", "s.example.net", "--lifecycle-overrides=A=B"]);
    assert!(error.contains("--lifecycle-overrides is not supported"), "{error}");
    let error = desk.fails(&["toolbox", "dump"]);
    assert!(error.contains("kops toolbox is not supported"), "{error}");
    assert_eq!(desk.files("state").len(), 0);
}

#[test]
fn a_specification_can_be_deleted_without_the_cloud() {
    let desk = super::desk();
    assert!(desk.ok(&["delete", "cluster", super::HA, "--unregister"]).contains("Nothing was deleted"));
    assert!(desk.ok(&["get", "clusters"]).contains(super::HA));
    desk.ok(&["delete", "cluster", super::HA, "--unregister", "--yes"]);
    assert!(!desk.ok(&["get", "clusters"]).contains(super::HA));
}
