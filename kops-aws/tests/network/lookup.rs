//! Images, machine types and zones.

use kops_aws::kinds::{AvailabilityZone, Image, InstanceType};
use kops_core::ErrorKind;
use kops_core::graph::TaskGraph;
use serde_json::json;

use crate::lab::Lab;

#[tokio::test]
async fn what_is_looked_up_is_found_in_one_call_a_kind() {
    let lab = Lab::new().await;
    let images = lab.moto.boto(
        "ec2",
        "describe_images",
        json!({ "Filters": [{ "Name": "name", "Values": ["ubuntu*"] }] }),
    );
    let image = images["Images"][0].clone();
    let (id, name) = (image["ImageId"].as_str().unwrap(), image["Name"].as_str().unwrap());
    let owner = image["OwnerId"].as_str().unwrap();
    let mut graph = TaskGraph::builder();
    graph.share::<Image>("by-id", id);
    graph.share::<Image>("by-name", format!("{owner}/{name}"));
    graph.share::<InstanceType>("t3.medium", "t3.medium");
    graph.share::<InstanceType>("m6g.large", "m6g.large");
    graph.share::<AvailabilityZone>("us-east-1a", "us-east-1a");
    graph.share::<AvailabilityZone>("us-east-1b", "us-east-1b");
    let graph = graph.build().unwrap();
    lab.moto.forget_calls();
    assert!(lab.engine.plan(&graph).await.unwrap().is_empty());
    let calls = lab.moto.calls();
    assert_eq!(calls.count("ec2:DescribeImages"), 2, "by identifier and by name");
    assert_eq!(calls.count("ec2:DescribeInstanceTypes"), 1);
    assert_eq!(calls.count("ec2:DescribeAvailabilityZones"), 1);

    let snapshot = lab.engine.observe(&graph).await.unwrap();
    let found = &snapshot.of("Image")[0].object;
    assert_eq!(snapshot.of("Image").len(), 1, "the same image");
    assert_eq!(found.outputs.value("architecture"), Some(&image["Architecture"]));
    assert_eq!(found.outputs.value("root_device"), Some(&image["RootDeviceName"]));
    let types = snapshot.of("InstanceType");
    let arm = types.iter().find(|it| it.object.id == "m6g.large").unwrap();
    assert_eq!(arm.object.spec.get("architectures"), Some(&json!(["arm64"])));
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let lab = Lab::new().await;
    let mut graph = TaskGraph::builder();
    graph.share::<Image>("a", "ami-0000000000000000f");
    graph.share::<Image>("b", "099720109477/no-such-image");
    graph.share::<InstanceType>("c", "x99.huge");
    graph.share::<AvailabilityZone>("d", "us-east-9z");
    let error = lab.engine.plan(&graph.build().unwrap()).await.unwrap_err().to_string();
    for missing in ["ami-0000000000000000f", "099720109477/no-such-image", "x99.huge", "us-east-9z"] {
        assert!(error.contains(missing), "{missing}: {error}");
    }
}

#[tokio::test]
async fn parameters_are_refused() {
    let lab = Lab::new().await;
    let mut graph = TaskGraph::builder();
    graph.share::<Image>("a", "ssm:/aws/service/debian/release/13/latest/amd64");
    let error = lab.engine.plan(&graph.build().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}
