//! The life of a cluster: made, looked at, changed, lost answers survived, deleted.

use std::sync::Arc;

use kops_azure_emulator::Fault;
use kops_core::cloud::{Cloud, Context, Scope};
use kops_core::graph::TaskGraph;
use kops_core::resource::{DnsZone, Scheme};
use kops_core::{Engine, ErrorKind};

use crate::lab::{CALLS, CLUSTER, Lab, Site, builder, ha, open_subnet};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_made_and_deleted_and_leaves_nothing() {
    let lab = Lab::new().await;
    let graph = ha(1);
    lab.apply(&graph).await;
    let plain = lab.assert_settled(&graph).await;
    let objects = lab.azure.lower(&graph, &Scope::new(CLUSTER), &[]).unwrap().graph().len();
    println!("{objects} native tasks, {plain} calls for a plan without changes");
    assert!(plain <= CALLS, "{plain} calls: {:?}", lab.emulator.calls().by_action());

    let many = ha(50);
    lab.emulator.set(serde_json::json!({ "page_size": 200 }));
    lab.apply(&many).await;
    let calls = lab.assert_settled(&many).await;
    println!("{calls} calls with 50 groups");
    assert!(calls * 2 <= plain * 3, "{calls} calls with 50 groups, {plain} with one");
    lab.apply(&graph).await;
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_and_refusals_make_nothing_twice() {
    let lab = Lab::new().await;
    lab.emulator.inject(Fault::lose("*.createOrUpdate").every(3));
    lab.emulator.inject(Fault::throttle("*.list").every(4));
    lab.emulator.inject(Fault::drop("*.delete*").every(4));
    let graph = ha(1);
    lab.try_apply(&graph).await.unwrap();
    lab.emulator.clear_faults();
    lab.assert_settled(&graph).await;
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_while_a_network_is_written_does_not_come_back() {
    let lab = Lab::new().await;
    let cluster = |ranges: &[&str]| {
        let mut site = Site::in_ranges(CLUSTER, ranges);
        open_subnet(&mut site, 32);
        site.build()
    };
    lab.apply(&cluster(&["10.0.0.0/16"])).await;
    let wider = cluster(&["10.0.0.0/16", "10.1.0.0/16"]);
    let path = lab.emulator.id(CLUSTER, &format!("Microsoft.Network/virtualNetworks/{CLUSTER}"));

    // The network is read with the subnet inside; when it is written, the subnet is gone.
    lab.emulator.inject(Fault::hold("virtualNetworks.get").times(1));
    let (engine, plan) = (lab.engine.clone(), lab.engine.plan(&wider).await.unwrap());
    let applying = tokio::spawn(async move { engine.apply_now(&plan).await?.into_result().map(drop) });
    lab.emulator.wait_until_held();
    lab.emulator.request("DELETE", &format!("{path}/subnets/more-32.{CLUSTER}"), serde_json::json!({}));
    lab.emulator.settle();
    lab.emulator.release();
    applying.await.unwrap().unwrap();
    assert_eq!(lab.changes(&wider).await, [format!("create AzureSubnet/more-32.{CLUSTER}")]);
    lab.apply(&wider).await;
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_operation_is_told_and_mended() {
    let lab = Lab::new().await;
    let graph = Site::of(CLUSTER).build();
    lab.emulator.inject(
        Fault::fail_operation("natGateways.createOrUpdate", "InternalServerError")
            .message("no luck")
            .times(1),
    );
    let error = lab.try_apply(&graph).await.unwrap_err();
    assert!(error.to_string().contains("no luck"), "{error}");
    lab.apply(&graph).await;
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scale_set_whose_operation_failed_keeps_its_machines() {
    let lab = Lab::new().await;
    let mut site = Site::of(CLUSTER);
    let group = site.group(&[1]);
    site.graph.add(&format!("nodes.{CLUSTER}"), group);
    let graph = site.build();
    lab.apply(&graph).await;
    let mut site = Site::of(CLUSTER);
    let mut group = site.group(&[1]);
    group.min = 2;
    site.graph.add(&format!("nodes.{CLUSTER}"), group);
    let graph = site.build();
    lab.emulator
        .inject(Fault::fail_operation("virtualMachineScaleSets.createOrUpdate", "QuotaExceeded").times(1));
    assert_eq!(lab.try_apply(&graph).await.unwrap_err().kind(), ErrorKind::Failed);
    let changes = lab.changes(&graph).await;
    assert_eq!(changes, [format!("update VirtualMachineScaleSet/nodes.{CLUSTER}: provisioned")]);
    lab.apply(&graph).await;
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_found_and_repaired() {
    let lab = Lab::new().await;
    let graph = ha(1);
    lab.apply(&graph).await;
    let set =
        format!("resourceGroups/{CLUSTER}/providers/Microsoft.Compute/disks/1-etcd-main-ha-example-com");
    lab.emulator.request("DELETE", &set, serde_json::json!({}));
    assert_eq!(lab.changes(&graph).await, [format!("create ManagedDisk/1.etcd-main.{CLUSTER}")]);
    let rule = format!(
        "resourceGroups/{CLUSTER}/providers/Microsoft.Network/networkSecurityGroups/{CLUSTER}/securityRules/theirs"
    );
    lab.emulator.request(
        "PUT",
        &rule,
        serde_json::json!({ "properties": {
            "protocol": "Tcp", "access": "Allow", "direction": "Inbound", "priority": 150,
            "sourceAddressPrefix": "*", "sourcePortRange": "*",
            "destinationAddressPrefix": "*", "destinationPortRange": "9999",
        }}),
    );
    lab.apply(&graph).await;
    let groups = lab.emulator.snapshot();
    let theirs =
        groups.objects("networkSecurityGroups").any(|(_, group)| group.to_string().contains("theirs"));
    assert!(theirs, "somebody else's rule stays");
    lab.emulator.request("DELETE", &rule, serde_json::json!({}));
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn private_zones_internal_balancers_and_pages() {
    let mut lab = Lab::new().await;
    lab.emulator.set(serde_json::json!({ "page_size": 2, "odd_case": true }));
    lab.before = lab.emulator.snapshot();
    let mut site = Site::of(CLUSTER);
    site.balancer(Scheme::Internal);
    let zone = DnsZone::new(format!("internal.{CLUSTER}")).network(site.network.id());
    site.graph.add(&format!("internal.{CLUSTER}"), zone);
    for number in 16..20 {
        open_subnet(&mut site, number);
    }
    let graph = site.build();
    lab.apply(&graph).await;
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_resource_group_with_something_foreign_in_it_stays() {
    let lab = Lab::new().await;
    let graph = Site::of(CLUSTER).build();
    lab.apply(&graph).await;
    let theirs = format!("resourceGroups/{CLUSTER}/providers/Microsoft.Network/publicIPAddresses/theirs");
    let body = serde_json::json!({ "location": "westeurope", "sku": { "name": "Standard" },
        "properties": { "publicIPAllocationMethod": "Static" } });
    lab.emulator.request("PUT", &theirs, body);
    let error = lab.try_apply(&TaskGraph::default()).await.unwrap_err();
    assert!(error.to_string().contains("theirs"), "{error}");
    lab.emulator.request("DELETE", &theirs, serde_json::json!({}));
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_shown_and_replaced() {
    let lab = Lab::new().await;
    let mut site = Site::of(CLUSTER);
    let mut group = site.group(&[1, 2]);
    group.min = 2;
    site.graph.add(&format!("nodes.{CLUSTER}"), group.clone());
    let graph = site.build();
    lab.apply(&graph).await;
    let machines = lab.azure.machines().unwrap();
    let (scope, cx) = (Scope::new(CLUSTER), Context::default());
    let members = machines.members(&scope, &cx).await.unwrap();
    assert_eq!(members.len(), 2);
    assert!(members.iter().all(|it| it.outdated.is_empty() && it.private_ip.is_some()), "{members:?}");

    let mut site = Site::of(CLUSTER);
    group.machine_type = "Standard_D4s_v5".to_owned();
    site.graph.add(&format!("nodes.{CLUSTER}"), group);
    let graph = site.build();
    lab.apply(&graph).await;
    let members = machines.members(&scope, &Context::default()).await.unwrap();
    assert!(members.iter().all(|it| !it.outdated.is_empty()), "{members:?}");

    let error = machines.detach(&scope, &members[0].id, &Context::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    machines.deregister(&scope, &members[0].id, &Context::default()).await.unwrap();
    machines.terminate(&scope, &members[0].id, &Context::default()).await.unwrap();
    lab.emulator.settle();
    tokio::task::yield_now().await;
    let left = machines.members(&scope, &Context::default()).await.unwrap();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(
        left.iter().all(|it| it.id != members[0].id) && left.iter().any(|it| it.outdated.is_empty()),
        "{left:?}"
    );
    let other = machines.terminate(&Scope::new("other"), &members[1].id, &Context::default()).await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::NotFound);
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_somebody_elses_stays_and_names_in_it_are_theirs() {
    let mut lab = Lab::new().await;
    lab.emulator.seed_foreign_into("other.example.com", "theirs");
    lab.emulator.settle();
    lab.before = lab.emulator.snapshot();
    let azure = builder(&lab.emulator).shared_resource_group("theirs").build().await.unwrap();
    lab.engine = Engine::new(Arc::new(azure), Scope::new(CLUSTER));
    let graph = ha(1);
    lab.apply(&graph).await;
    lab.delete().await;

    let wall = format!(
        "resourceGroups/theirs/providers/Microsoft.Network/applicationSecurityGroups/nodes.{CLUSTER}"
    );
    lab.emulator.request("PUT", &wall, serde_json::json!({ "location": "westeurope" }));
    let error = lab.engine.plan(&graph).await.unwrap_err().to_string();
    assert!(error.contains(&format!("ApplicationSecurityGroup/nodes.{CLUSTER}")), "{error}");
    assert!(lab.changes(&TaskGraph::default()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_principal_is_taken_and_a_wrong_secret_is_told() {
    let lab = Lab::new().await;
    let env: std::collections::BTreeMap<_, _> = lab.emulator.env().into_iter().collect();
    let connect = |secret: &str| {
        let principal = builder(&lab.emulator).authority(lab.emulator.endpoint());
        principal.service_principal(&env["AZURE_TENANT_ID"], &env["AZURE_CLIENT_ID"], secret)
    };
    let azure = connect("secret").build().await.unwrap();
    let engine = Engine::new(Arc::new(azure), Scope::new(CLUSTER));
    engine.plan(&Site::of(CLUSTER).build()).await.unwrap();
    let error = connect("wrong").build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    assert!(!error.to_string().contains("wrong\""), "{error}");
}
