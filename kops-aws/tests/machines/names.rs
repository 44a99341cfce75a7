//! Zones and records.

use kops_core::cloud::Scope;
use kops_core::graph::{Handle, Input, Lifecycle, TaskGraph};
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, LoadBalancer, RecordType};
use kops_core::{Engine, ErrorKind};
use kops_moto::{Fault, Snapshot};
use serde_json::{Value, json};

use crate::lab::{CLUSTER, Lab, connect};
use crate::site::{Site, prepared};

const API: &str = "api.ha.example.com";

async fn lab() -> Lab {
    prepared(|moto| {
        moto.create_zone("example.com");
        moto.create_zone("other.org");
    })
    .await
}

fn record(zone: &Handle<DnsZone>, name: &str, values: &[&str]) -> DnsRecord {
    DnsRecord::new(
        zone.id(),
        name,
        RecordType::A,
        DnsTarget::Values(values.iter().map(|value| Input::from(*value)).collect()),
    )
    .ttl_seconds(60)
}

fn graph(records: &[(&str, &str)]) -> TaskGraph {
    let mut graph = TaskGraph::builder();
    let zone = graph.share::<DnsZone>("example.com", DnsZone::selector("example.com", false));
    for (name, value) in records {
        graph.add(name, record(&zone, name, &[value]));
    }
    graph.build().unwrap()
}

fn found<'a>(account: &'a Snapshot, name: &str) -> Option<&'a Value> {
    account.objects("dns-record").map(|(_, it)| it).find(|it| it["Name"] == format!("{name}."))
}

fn zone_id(account: &Snapshot, name: &str) -> String {
    let zone = account.objects("hosted-zone").find(|(_, it)| it["Name"] == format!("{name}."));
    zone.unwrap().0.to_owned()
}

#[tokio::test]
async fn records_come_change_and_go() {
    let lab = lab().await;
    lab.apply(&graph(&[(API, "192.0.2.1"), ("*.apps.ha.example.com", "192.0.2.2")])).await;
    let calls = lab.moto.calls();
    assert_eq!(calls.calls.iter().filter(|it| it.action.starts_with("route53:")).count(), 2);
    let other = graph(&[(API, "192.0.2.9")]);
    let mut changes = lab.changes(&other).await;
    changes.sort_unstable();
    let expected = [
        "delete RecordSet/*.apps.ha.example.com".to_owned(),
        format!("update RecordSet/{API}: target.Values.values"),
    ];
    assert_eq!(changes, expected);
    lab.apply(&other).await;
    assert_eq!(found(&lab.moto.snapshot(), API).unwrap()["ResourceRecords"][0]["Value"], "192.0.2.9");
    lab.delete().await;
}

#[tokio::test]
async fn texts_and_names_are_seen_as_they_were_written() {
    let lab = lab().await;
    let mut graph = TaskGraph::builder();
    let zone = graph.share::<DnsZone>("example.com", "example.com");
    let text = ["v=spf1 \"quoted\" -all".to_owned(), "x".repeat(400)];
    for (name, record_type, values) in [
        ("Text.ha.example.com", RecordType::Txt, text.to_vec()),
        ("www.ha.example.com", RecordType::Cname, vec!["elsewhere.example.org".to_owned()]),
        ("six.ha.example.com", RecordType::Aaaa, vec!["2001:db8::1".to_owned()]),
    ] {
        let target = DnsTarget::Values(values.into_iter().map(Input::Known).collect());
        let name = name.to_owned();
        graph.add(&name, DnsRecord::new(zone.id(), name.clone(), record_type, target).ttl_seconds(300));
    }
    lab.apply(&graph.build().unwrap()).await;
    lab.delete().await;
}

#[tokio::test]
async fn a_record_links_to_a_load_balancer() {
    let lab = lab().await;
    let with = |records: bool| {
        let mut site = Site::new();
        let balancer: Handle<LoadBalancer> = site.balancer(|_| {});
        let zone = site.graph.share::<DnsZone>("example.com", "example.com");
        if records {
            let target = DnsTarget::LoadBalancer(balancer.id());
            site.graph.add(API, record(&zone, API, &[]).target(target));
        }
        site.build()
    };
    lab.apply(&with(true)).await;
    let account = lab.moto.snapshot();
    let alias = &found(&account, API).unwrap()["AliasTarget"];
    assert!(alias["DNSName"].as_str().unwrap().contains("api-ha-example-com"), "{alias}");
    lab.apply(&with(false)).await;
    lab.delete().await;
}

#[tokio::test]
async fn records_of_others_are_not_touched_and_their_names_not_taken() {
    let lab = prepared(|moto| {
        let zone = moto.create_zone("example.com");
        let theirs = |name: &str| {
            json!({ "Action": "CREATE", "ResourceRecordSet": { "Name": name, "Type": "A", "TTL": 5,
                    "ResourceRecords": [{ "Value": "198.51.100.1" }] } })
        };
        let batch = json!({ "Changes": [theirs(API), theirs("web.ha.example.com"), theirs("example.com")] });
        let change = json!({ "HostedZoneId": zone, "ChangeBatch": batch });
        moto.boto("route53", "change_resource_record_sets", change);
    })
    .await;
    let error = lab.engine.plan(&graph(&[(API, "192.0.2.1")])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    lab.apply(&graph(&[("own.ha.example.com", "192.0.2.1")])).await;
    lab.delete().await;
}

#[tokio::test]
async fn a_record_changed_or_deleted_by_hand_is_mended() {
    let lab = lab().await;
    let graph = graph(&[(API, "192.0.2.1")]);
    lab.apply(&graph).await;
    let zone = zone_id(&lab.moto.snapshot(), "example.com");
    let change = |action: &str, value: &str| {
        let record = json!({ "Name": API, "Type": "A", "TTL": 60, "ResourceRecords": [{ "Value": value }] });
        let batch = json!({ "Changes": [{ "Action": action, "ResourceRecordSet": record }] });
        lab.moto.boto(
            "route53",
            "change_resource_record_sets",
            json!({ "HostedZoneId": zone, "ChangeBatch": batch }),
        );
    };
    change("UPSERT", "198.51.100.1");
    assert_eq!(lab.changes(&graph).await, [format!("update RecordSet/{API}: target.Values.values")]);
    lab.apply(&graph).await;
    change("DELETE", "192.0.2.1");
    let expected = format!("update RecordSet/{API}: target.Values.ttl, target.Values.values");
    assert_eq!(lab.changes(&graph).await, [expected]);
    lab.apply(&graph).await;
    // Its mark alone goes, too; and so does a record that has changed since it was looked at.
    change("DELETE", "192.0.2.1");
    lab.delete().await;
}

#[tokio::test]
async fn a_record_that_something_else_keeps_is_left_to_it() {
    let lab = lab().await;
    let mut builder = TaskGraph::builder();
    let zone = builder.share::<DnsZone>("example.com", "example.com");
    builder.add_as(API, record(&zone, API, &["203.0.113.123"]), Lifecycle::CreateOnly);
    let graph = builder.build().unwrap();
    lab.apply(&graph).await;
    let zone = zone_id(&lab.moto.snapshot(), "example.com");
    let record = json!({ "Name": API, "Type": "A", "TTL": 5, "ResourceRecords": [{ "Value": "10.0.0.1" }] });
    let batch = json!({ "Changes": [{ "Action": "UPSERT", "ResourceRecordSet": record }] });
    lab.moto.boto(
        "route53",
        "change_resource_record_sets",
        json!({ "HostedZoneId": zone, "ChangeBatch": batch }),
    );
    lab.assert_settled(&graph).await;
    lab.delete().await;
}

#[tokio::test]
async fn zones_are_told_apart_and_must_be_there() {
    let lab = lab().await;
    let select = |selector: &str| {
        let mut graph = TaskGraph::builder();
        graph.share::<DnsZone>("z", selector);
        graph.build().unwrap()
    };
    let id = zone_id(&lab.moto.snapshot(), "example.com");
    for selector in ["example.com", "public:example.com", id.as_str()] {
        lab.engine.plan(&select(selector)).await.unwrap();
    }
    for selector in ["private:example.com", "nowhere.example"] {
        let error = lab.engine.plan(&select(selector)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
}

#[tokio::test]
async fn a_zone_in_which_records_could_not_be_found_again_is_refused() {
    let lab = lab().await;
    let mut graph = TaskGraph::builder();
    let zone = graph.share::<DnsZone>("other.org", "other.org");
    graph.add("www.other.org", record(&zone, "www.other.org", &["192.0.2.1"]));
    let error = lab.try_apply(&graph.build().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("does not contain ha.example.com"), "{error}");
    lab.delete().await;
}

#[tokio::test]
async fn a_scope_that_is_no_domain_finds_its_records_in_any_zone() {
    let lab = lab().await;
    let lab = Lab { engine: Engine::new(connect(&lab.moto).await, Scope::new("demo")), ..lab };
    let mut graph = TaskGraph::builder();
    let zone = graph.share::<DnsZone>("other.org", "other.org");
    graph.add("www", record(&zone, "www.other.org", &["192.0.2.1"]));
    let graph = graph.build().unwrap();
    lab.apply(&graph).await;
    assert!(found(&lab.moto.snapshot(), "www.other.org").is_some());
    lab.delete().await;
}

#[tokio::test]
async fn zones_are_made_too() {
    let lab = Lab::new().await;
    let mut site = Site::new();
    let public = DnsZone::new(CLUSTER);
    let public = site.graph.add(CLUSTER, public);
    let private = DnsZone::new(format!("in.{CLUSTER}")).network(site.network.id());
    site.graph.add(&format!("in.{CLUSTER}"), private);
    site.graph.add(API, record(&public, API, &["192.0.2.1"]));
    let graph = site.build();
    lab.apply(&graph).await;
    lab.delete().await;
}

#[tokio::test]
async fn one_change_at_a_time_is_waited_for() {
    let lab = lab().await;
    let call = "route53:ChangeResourceRecordSets";
    lab.moto.inject(Fault::fail(call, "PriorRequestNotComplete", 400).times(2));
    lab.try_apply(&graph(&[(API, "192.0.2.1")])).await.unwrap();
    assert_eq!(lab.moto.calls().count(call), 3);
    lab.delete().await;
}
