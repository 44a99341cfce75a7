//! Load balancers, listeners and target groups.

use std::time::Duration;

use kops_aws::extensions::{AccessLog, AwsLoadBalancer, PinnedAddress};
use kops_core::ErrorKind;
use kops_core::graph::TaskGraph;
use kops_core::resource::{HealthCheck, LoadBalancer, Protocol, Scheme};
use kops_moto::{Fault, Snapshot};
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::site::{Site, listener};

fn graph(change: impl FnOnce(&mut LoadBalancer)) -> TaskGraph {
    let mut site = Site::new();
    let balancer = site.balancer(change);
    site.group(|group| {
        group.load_balancers.insert(balancer.id());
    });
    site.build()
}

fn ours<'a>(account: &'a Snapshot, kind: &str, start: &str) -> &'a Value {
    let found: Vec<_> = account.objects(kind).filter(|(name, _)| name.starts_with(start)).collect();
    assert_eq!(found.len(), 1, "{kind} {start}: {found:#?}");
    found[0].1
}

fn attribute(object: &Value, key: &str) -> Value {
    let attributes = object["Attributes"].as_array().unwrap();
    attributes.iter().find(|it| it["Key"] == key).map_or(Value::Null, |it| it["Value"].clone())
}

#[tokio::test]
async fn a_balancer_comes_with_all_its_parts() {
    let lab = Lab::new().await;
    let graph = graph(|_| {});
    lab.apply(&graph).await;
    let account = lab.moto.snapshot();
    let balancer = ours(&account, "load-balancer", "api-ha-example-com-");
    assert_eq!(balancer["Scheme"], "internet-facing");
    assert_eq!(balancer["AvailabilityZones"].as_array().unwrap().len(), 2);
    assert_eq!(attribute(balancer, "load_balancing.cross_zone.enabled"), "true");
    let group = ours(&account, "target-group", "api-443-ha-example-com-");
    assert_eq!(attribute(group, "deregistration_delay.timeout_seconds"), "30");
    assert_eq!(attribute(group, "deregistration_delay.connection_termination.enabled"), "true");
    // The machine of the group is behind it.
    assert_eq!(group["Targets"].as_array().unwrap().len(), 1);
    lab.delete().await;
}

#[tokio::test]
async fn listeners_come_and_go() {
    let lab = Lab::new().await;
    lab.apply(&graph(|_| {})).await;
    let two = graph(|balancer| balancer.listeners.push(listener(3988)));
    let mut changes = lab.changes(&two).await;
    changes.sort_unstable();
    let expected = [
        "create NetworkLoadBalancerListener/api.ha.example.com-3988",
        "create TargetGroup/api-3988.ha.example.com",
        "update AutoScalingGroup/nodes.ha.example.com: target_groups",
    ];
    assert_eq!(changes, expected);
    lab.apply(&two).await;
    lab.apply(&graph(|_| {})).await;
    lab.delete().await;
}

/// Every further round trip is waited for by every plan.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "the emulator is another process, in real time")]
async fn what_names_tell_does_not_wait_for_tags() {
    let lab = Lab::new().await;
    let graph = graph(|_| {});
    lab.apply(&graph).await;
    lab.moto.forget_calls();
    lab.moto.inject(Fault::hold("elasticloadbalancing:DescribeTags").times(1));
    let planning = tokio::spawn({
        let (engine, graph) = (lab.engine.clone(), graph.clone());
        async move { engine.plan(&graph).await }
    });
    lab.moto.wait_until_held();
    let mut missing = vec![
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
    ];
    for _ in 0..1000 {
        let calls = lab.moto.calls();
        missing.retain(|action| calls.count(action) == 0);
        if missing.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    lab.moto.release();
    assert!(missing.is_empty(), "asked for only once the tags are there: {missing:?}");
    assert!(planning.await.unwrap().unwrap().is_empty());
    lab.delete().await;
}

#[tokio::test]
async fn changes_by_hand_are_found_and_mended() {
    let lab = Lab::new().await;
    let graph = graph(|_| {});
    lab.apply(&graph).await;
    let balancer = lab.id(&graph, "NetworkLoadBalancer", "api.ha.example.com").await;
    let listener = lab.id(&graph, "NetworkLoadBalancerListener", "api.ha.example.com-443").await;
    let group = lab.id(&graph, "TargetGroup", "api-443.ha.example.com").await;
    let cases = [
        (
            "modify_load_balancer_attributes",
            json!({ "LoadBalancerArn": balancer,
                    "Attributes": [{ "Key": "load_balancing.cross_zone.enabled", "Value": "false" }] }),
            "NetworkLoadBalancer/api.ha.example.com: cross_zone",
        ),
        (
            "modify_target_group_attributes",
            json!({ "TargetGroupArn": group,
                    "Attributes": [{ "Key": "deregistration_delay.timeout_seconds", "Value": "5" }] }),
            "TargetGroup/api-443.ha.example.com: deregistration_delay",
        ),
        (
            "modify_target_group",
            json!({ "TargetGroupArn": group, "HealthCheckIntervalSeconds": 30 }),
            "TargetGroup/api-443.ha.example.com: health.interval",
        ),
        (
            "modify_listener",
            json!({ "ListenerArn": listener, "Port": 444 }),
            "NetworkLoadBalancerListener/api.ha.example.com-443: port",
        ),
    ];
    for (call, arguments, expected) in cases {
        lab.moto.boto("elbv2", call, arguments);
        assert_eq!(lab.changes(&graph).await, [format!("update {expected}")], "{call}");
        lab.apply(&graph).await;
    }
    // What others add is left alone.
    let tag = json!({ "ResourceArns": [balancer], "Tags": [{ "Key": "team", "Value": "a" }] });
    lab.moto.boto("elbv2", "add_tags", tag);
    lab.assert_settled(&graph).await;
    lab.delete().await;
}

#[tokio::test]
async fn another_scheme_is_another_balancer() {
    let lab = Lab::new().await;
    lab.apply(&graph(|_| {})).await;
    let internal = graph(|balancer| balancer.scheme = Scheme::Internal);
    let changes = lab.changes(&internal).await;
    assert!(
        changes.contains(&"replace NetworkLoadBalancer/api.ha.example.com: scheme".to_owned()),
        "{changes:?}"
    );
    lab.apply(&internal).await;
    let account = lab.moto.snapshot();
    assert_eq!(ours(&account, "load-balancer", "api-ha-example-com-")["Scheme"], "internal");
    lab.delete().await;
}

/// A balancer with an address of one's own in the first subnet, which may be its only one.
fn pinned(scheme: Scheme, address: PinnedAddress, only: bool) -> TaskGraph {
    graph(|balancer| {
        balancer.scheme = scheme;
        if only {
            balancer.subnets.pop_last();
        }
        let addresses = [("us-east-1a.ha.example.com".to_owned(), address)].into();
        balancer.extensions.set(&AwsLoadBalancer { addresses, ..AwsLoadBalancer::default() }).unwrap();
    })
}

/// AWS does not exchange the address of a zone: the zone is left, and entered again. The only zone cannot be left.
#[tokio::test]
async fn another_address_of_the_only_zone_is_another_balancer() {
    let lab = Lab::new().await;
    let elastic = || {
        let made = lab.moto.boto("ec2", "allocate_address", json!({ "Domain": "vpc" }));
        PinnedAddress::default().allocation(made["AllocationId"].as_str().unwrap())
    };
    let private = |address: &str| PinnedAddress::default().private_ip(address);
    let cases = [
        (Scheme::Public, elastic(), elastic()),
        (Scheme::Internal, private("172.20.0.10"), private("172.20.0.11")),
    ];
    let before = lab.moto.snapshot();
    for (scheme, one, other) in cases {
        for only in [true, false] {
            lab.apply(&pinned(scheme, one.clone(), only)).await;
            let other = pinned(scheme, other.clone(), only);
            let change = if only { "replace" } else { "update" };
            let expected = format!("{change} NetworkLoadBalancer/api.ha.example.com: subnets");
            let changes = lab.changes(&other).await;
            assert!(changes.contains(&expected), "{changes:?}");
            lab.moto.forget_calls();
            lab.try_apply(&other).await.unwrap();
            let calls = lab.moto.calls().count("elasticloadbalancing:SetSubnets");
            assert_eq!(calls, if only { 0 } else { 2 });
            lab.assert_settled(&other).await;
            // Without an address of one's own AWS chooses one, which is a change as well.
            let free = graph(|balancer| {
                balancer.scheme = scheme;
                if only {
                    balancer.subnets.pop_last();
                }
            });
            assert!(lab.changes(&free).await.contains(&expected));
            lab.try_apply(&TaskGraph::default()).await.unwrap();
        }
    }
    assert_eq!(before.diff(&lab.moto.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn a_further_zone_is_added_in_place() {
    let lab = Lab::new().await;
    let first = graph(|balancer| drop(balancer.subnets.pop_last()));
    let both = graph(|_| {});
    lab.apply(&first).await;
    for graph in [&both, &first] {
        let changes = lab.changes(graph).await;
        assert_eq!(changes, ["update NetworkLoadBalancer/api.ha.example.com: subnets"]);
        lab.apply(graph).await;
    }
    // It cannot move from its only zone to another one, which would leave it without any in between.
    let second = graph(|balancer| drop(balancer.subnets.pop_first()));
    let changes = lab.changes(&second).await;
    let replaced = "replace NetworkLoadBalancer/api.ha.example.com: subnets".to_owned();
    assert!(changes.contains(&replaced), "{changes:?}");
    lab.delete().await;
}

#[tokio::test]
async fn tls_health_checks_and_logs_are_as_specified() {
    let lab = Lab::new().await;
    let certificate = |request: Value| {
        let made = lab.moto.boto("acm", "request_certificate", request);
        made["CertificateArn"].as_str().unwrap().to_owned()
    };
    let pending = certificate(json!({ "DomainName": "api.ha.example.com" }));
    let authority = "arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/a";
    let request = json!({ "DomainName": "api.ha.example.com", "CertificateAuthorityArn": authority });
    let certificate = certificate(request);
    let bucket = lab.moto.create_bucket("logs");
    let extension = AwsLoadBalancer {
        target_group_names: [(443, "tls".to_owned()), (8443, "tcp".to_owned())].into(),
        ssl_policy: Some("ELBSecurityPolicy-TLS13-1-2-2021-06".to_owned()),
        access_log: Some(AccessLog { bucket, prefix: "api".to_owned() }),
        ..AwsLoadBalancer::default()
    };
    let before = lab.moto.snapshot();
    let with = |log: bool| {
        graph(|balancer| {
            balancer.listeners[0].certificate = Some(certificate.clone());
            balancer.listeners[0].health_check = HealthCheck::new().https_path("/healthz");
            balancer.listeners.push(listener(8443).target_port(443));
            let access_log = extension.access_log.clone().filter(|_| log);
            balancer.extensions.set(&AwsLoadBalancer { access_log, ..extension.clone() }).unwrap();
        })
    };
    let unusable = graph(|balancer| balancer.listeners[0].certificate = Some(pending.clone()));
    let error = lab.engine.plan(&unusable).await.unwrap_err().to_string();
    assert!(error.contains(&format!("the status of {pending} is PENDING_VALIDATION")), "{error}");
    lab.apply(&with(true)).await;
    let account = lab.moto.snapshot();
    let group = ours(&account, "target-group", "tls-ha-example-com-");
    assert_eq!((&group["Protocol"], &group["HealthCheckPath"]), (&json!("TLS"), &json!("/healthz")));
    ours(&account, "target-group", "tcp-ha-example-com-");
    let balancer = ours(&account, "load-balancer", "api-ha-example-com-");
    assert_eq!(attribute(balancer, "access_logs.s3.prefix"), "api");
    let expected = ["update NetworkLoadBalancer/api.ha.example.com: access_log"];
    assert_eq!(lab.changes(&with(false)).await, expected);
    lab.apply(&with(false)).await;
    lab.try_apply(&TaskGraph::default()).await.unwrap();
    assert_eq!(before.diff(&lab.moto.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_network_load_balancer_cannot_do_is_refused() {
    let lab = Lab::new().await;
    let icmp = graph(|balancer| balancer.listeners[0].protocol = Protocol::Icmp);
    let error = lab.engine.plan(&icmp).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("LoadBalancer/api.ha.example.com"), "{error}");

    let mut site = Site::new();
    let shared = site.graph.share::<LoadBalancer>("theirs", "arn:aws:elasticloadbalancing:x");
    site.group(|group| {
        group.load_balancers.insert(shared.id());
    });
    let error = lab.engine.plan(&site.build()).await.unwrap_err();
    assert!(error.to_string().contains("AwsInstanceGroup::target_groups"), "{error}");
}
