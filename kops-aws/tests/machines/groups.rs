//! Instance groups: launch templates, auto scaling groups, lifecycle hooks.

use kops_aws::extensions::{AwsInstanceGroup, Hook, InstanceRequirements, MixedInstances, Transition};
use kops_cluster::extensions::{Taint, TaintEffect};
use kops_core::ErrorKind;
use kops_core::graph::TaskGraph;
use kops_core::resource::{InstanceGroup, SpotOptions};
use kops_moto::Moto;
use serde_json::{Value, json};

use crate::lab::{CLUSTER, Lab};
use crate::site::{Site, node_template, user_data};

const GROUP: &str = "nodes.ha.example.com";

fn graph(change: impl FnOnce(&mut InstanceGroup)) -> TaskGraph {
    let mut site = Site::new();
    site.group(change);
    site.build()
}

fn extended(extension: &AwsInstanceGroup) -> TaskGraph {
    graph(|group| group.extensions.set(extension).unwrap())
}

fn group(moto: &Moto) -> Value {
    let found =
        moto.boto("autoscaling", "describe_auto_scaling_groups", json!({ "AutoScalingGroupNames": [GROUP] }));
    found["AutoScalingGroups"][0].clone()
}

#[tokio::test]
async fn a_group_is_made_as_specified() {
    let lab = Lab::new().await;
    let taint = Taint { key: "gpu".into(), value: "yes".into(), effect: TaintEffect::NoSchedule };
    lab.apply(&graph(|group| group.extensions = node_template([taint]))).await;
    let made = group(&lab.moto);
    assert_eq!((&made["MinSize"], &made["MaxSize"]), (&json!(1), &json!(3)));
    assert_eq!(made["EnabledMetrics"].as_array().unwrap().len(), 8);
    for (key, value) in [
        ("k8s.io/cluster-autoscaler/node-template/label/pool", "a"),
        ("k8s.io/cluster-autoscaler/node-template/taint/gpu", "yes:NoSchedule"),
    ] {
        assert_eq!(crate::site::tag(&made, key).as_deref(), Some(value));
    }
    let account = lab.moto.snapshot();
    let version = account.object("launch-template-version", &format!("{GROUP} 1")).unwrap();
    let data = &version["LaunchTemplateData"];
    assert_eq!(data["InstanceType"], "m5.large");
    assert_eq!(data["MetadataOptions"]["HttpTokens"], "required");
    assert_eq!(data["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"], 128);
    assert_eq!(data["NetworkInterfaces"][0]["AssociatePublicIpAddress"], true);
    assert_eq!(data["IamInstanceProfile"]["Name"], GROUP);
    // Interfaces, too: whoever may change those of the cluster's machines may do so by this tag.
    for kind in ["instance", "volume", "network-interface"] {
        let specifications = data["TagSpecifications"].as_array().unwrap();
        let of_kind = specifications.iter().find(|it| it["ResourceType"] == kind);
        let cluster = of_kind.and_then(|it| crate::site::tag(it, "KubernetesCluster"));
        assert_eq!(cluster.as_deref(), Some(CLUSTER), "{kind}");
    }
    lab.delete().await;
}

#[tokio::test]
async fn other_user_data_is_another_version_and_never_shown() {
    let lab = Lab::new().await;
    lab.apply(&graph(|group| group.user_data = Some(user_data("hunter2")))).await;
    let other = graph(|group| group.user_data = Some(user_data("hunter3")));
    let plan = lab.engine.plan(&other).await.unwrap();
    let changes = crate::lab::changes(&plan);
    let expected = [
        format!("update LaunchTemplate/{GROUP}: user_data"),
        format!("update AutoScalingGroup/{GROUP}: launch_template_version"),
    ];
    assert_eq!(changes, expected);
    let text = format!("{plan} {}", serde_json::to_string(&plan).unwrap());
    assert!(!text.contains("hunter"), "{text}");
    lab.apply(&other).await;
    assert_eq!(group(&lab.moto)["LaunchTemplate"]["Version"], "2");
    lab.delete().await;
}

#[tokio::test]
async fn the_size_between_the_bounds_is_left_alone() {
    let lab = Lab::new().await;
    let graph = graph(|_| {});
    lab.apply(&graph).await;
    let size = json!({ "AutoScalingGroupName": GROUP, "DesiredCapacity": 2 });
    lab.moto.boto("autoscaling", "set_desired_capacity", size);
    lab.assert_settled(&graph).await;
    assert_eq!(group(&lab.moto)["DesiredCapacity"], 2);
    lab.delete().await;
}

#[tokio::test]
async fn changes_by_hand_are_found_and_mended() {
    let lab = Lab::new().await;
    let extension = AwsInstanceGroup {
        suspended_processes: ["AZRebalance".to_owned()].into(),
        instance_protection: true,
        max_instance_lifetime: Some(86_400),
        capacity_rebalance: true,
        ..AwsInstanceGroup::default()
    };
    let graph = extended(&extension);
    lab.apply(&graph).await;
    let template = lab.id(&graph, "LaunchTemplate", GROUP).await;
    let name = || json!({ "AutoScalingGroupName": GROUP });
    let with = |mut arguments: Value, key: &str, value: Value| {
        arguments[key] = value;
        arguments
    };
    let tag = json!([{ "ResourceId": GROUP, "ResourceType": "auto-scaling-group", "Key": "k8s.io/role/node",
                       "Value": "2", "PropagateAtLaunch": true }]);
    let cases = [
        ("autoscaling", "resume_processes", name(), "AutoScalingGroup", "suspended_processes"),
        (
            "autoscaling",
            "suspend_processes",
            with(name(), "ScalingProcesses", json!(["Launch"])),
            "AutoScalingGroup",
            "suspended_processes",
        ),
        (
            "autoscaling",
            "disable_metrics_collection",
            with(name(), "Metrics", json!(["GroupMaxSize"])),
            "AutoScalingGroup",
            "metrics",
        ),
        (
            "autoscaling",
            "update_auto_scaling_group",
            with(
                with(name(), "MaxSize", json!(9)),
                "LaunchTemplate",
                json!({ "LaunchTemplateId": template, "Version": "1" }),
            ),
            "AutoScalingGroup",
            "max_size",
        ),
        (
            "autoscaling",
            "update_auto_scaling_group",
            with(
                with(name(), "NewInstancesProtectedFromScaleIn", json!(false)),
                "LaunchTemplate",
                json!({ "LaunchTemplateId": template, "Version": "1" }),
            ),
            "AutoScalingGroup",
            "protect_from_scale_in",
        ),
        (
            "autoscaling",
            "create_or_update_tags",
            json!({ "Tags": tag }),
            "AutoScalingGroup",
            "tags.k8s.io/role/node",
        ),
        (
            "ec2",
            "create_launch_template_version",
            json!({ "LaunchTemplateId": template, "SourceVersion": "1", "LaunchTemplateData": { "InstanceType": "t3.nano" } }),
            "LaunchTemplate",
            "",
        ),
        (
            "ec2",
            "modify_launch_template",
            json!({ "LaunchTemplateId": template, "DefaultVersion": "1" }),
            "LaunchTemplate",
            "latest_is_default",
        ),
    ];
    for (service, call, arguments, kind, field) in cases {
        lab.moto.boto(service, call, arguments);
        let changes = lab.changes(&graph).await;
        let expected = format!("update {kind}/{GROUP}: {field}");
        if field.is_empty() {
            // A whole other version: many fields, and the group that has to follow.
            assert!(
                changes.iter().any(|it| it.starts_with(&expected) && it.contains("instance_type")),
                "{changes:?}"
            );
        } else {
            assert_eq!(changes, [expected], "{call}");
        }
        lab.apply(&graph).await;
    }
    lab.delete().await;
}

#[tokio::test]
async fn a_mixed_group_comes_changes_and_becomes_a_plain_one() {
    let lab = Lab::new().await;
    let types = MixedInstances {
        machine_types: ["m5.large", "m5a.large"].map(str::to_owned).to_vec(),
        on_demand_base: Some(1),
        on_demand_above_base: Some(0),
        spot_strategy: Some("capacity-optimized".to_owned()),
        ..MixedInstances::default()
    };
    let mixed = |mixed: &MixedInstances| {
        let extension = AwsInstanceGroup { mixed: Some(mixed.clone()), ..AwsInstanceGroup::default() };
        graph(|group| {
            group.extensions.set(&extension).unwrap();
            group.spot = Some(SpotOptions::new().max_price("0.1"));
        })
    };
    lab.apply(&mixed(&types)).await;
    let made = group(&lab.moto)["MixedInstancesPolicy"].clone();
    assert_eq!(made["InstancesDistribution"]["SpotMaxPrice"], "0.1");
    assert_eq!(made["LaunchTemplate"]["Overrides"][1]["InstanceType"], "m5a.large");

    let other = MixedInstances { on_demand_above_base: Some(50), ..types.clone() };
    let expected = format!("update AutoScalingGroup/{GROUP}: mixed.on_demand_above_base");
    assert_eq!(lab.changes(&mixed(&other)).await, [expected]);
    lab.apply(&mixed(&other)).await;

    let required = MixedInstances {
        machine_types: Vec::new(),
        requirements: Some(InstanceRequirements {
            min_cpus: 2,
            max_cpus: Some(8),
            min_memory: 4096,
            excluded: ["t*".to_owned()].into(),
            ..InstanceRequirements::default()
        }),
        ..types
    };
    lab.apply(&mixed(&required)).await;
    lab.apply(&graph(|_| {})).await;
    lab.delete().await;
}

#[tokio::test]
async fn spot_machines_have_their_terms_in_the_template() {
    let lab = Lab::new().await;
    let extension =
        AwsInstanceGroup { interruption_behavior: Some("stop".to_owned()), ..AwsInstanceGroup::default() };
    let spot = graph(|group| {
        group.spot = Some(SpotOptions::new().max_price("0.25"));
        group.extensions.set(&extension).unwrap();
    });
    lab.apply(&spot).await;
    let account = lab.moto.snapshot();
    let template = account.object("launch-template-version", &format!("{GROUP} 1")).unwrap();
    let options = &template["LaunchTemplateData"]["InstanceMarketOptions"];
    assert_eq!(options["MarketType"], "spot");
    assert_eq!(options["SpotOptions"]["MaxPrice"], "0.25");
    lab.delete().await;
}

#[tokio::test]
async fn hooks_come_change_and_go_and_cost_nothing_where_there_are_none() {
    let lab = Lab::new().await;
    let plain = graph(|_| {});
    lab.apply(&plain).await;
    assert_eq!(lab.moto.calls().count("autoscaling:DescribeLifecycleHooks"), 0);

    let hooks = |hooks: &[(&str, u32)]| {
        let hook = |&(name, timeout): &(&str, u32)| {
            (name.to_owned(), Hook { transition: Transition::Terminating, timeout, go_on: true })
        };
        let lifecycle_hooks = hooks.iter().map(hook).collect();
        extended(&AwsInstanceGroup { lifecycle_hooks, ..AwsInstanceGroup::default() })
    };
    lab.apply(&hooks(&[("drain", 300), ("log", 60)])).await;
    assert_eq!(lab.moto.calls().count("autoscaling:DescribeLifecycleHooks"), 1);
    // Somebody else's hook on our group stays.
    lab.moto.boto(
        "autoscaling",
        "put_lifecycle_hook",
        json!({ "AutoScalingGroupName": GROUP, "LifecycleHookName": "theirs",
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING" }),
    );
    let other = hooks(&[("drain", 600)]);
    let mut changes = lab.changes(&other).await;
    changes.sort_unstable();
    let expected =
        [format!("delete LifecycleHook/log.{GROUP}"), format!("update LifecycleHook/drain.{GROUP}: timeout")];
    assert_eq!(changes, expected);
    lab.apply(&other).await;
    let account = lab.moto.snapshot();
    let names = account.names("lifecycle-hook");
    for (hook, there) in [("drain", true), ("theirs", true), ("log", false)] {
        assert_eq!(names.contains(format!("{GROUP} {hook}").as_str()), there, "{hook}");
    }
    // Without any hook the group is known to have had some: the last one is found.
    lab.apply(&plain).await;
    lab.delete().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_is_made() {
    let lab = Lab::new().await;
    let hook = Hook { transition: Transition::Launching, timeout: 5, go_on: false };
    let pools = MixedInstances {
        machine_types: vec!["m5.large".to_owned()],
        spot_strategy: Some("capacity-optimized".to_owned()),
        spot_pools: Some(2),
        ..MixedInstances::default()
    };
    for (extension, says) in [
        (
            AwsInstanceGroup { mixed: Some(MixedInstances::default()), ..AwsInstanceGroup::default() },
            "needs machine types",
        ),
        (AwsInstanceGroup { mixed: Some(pools), ..AwsInstanceGroup::default() }, "pools"),
        (
            AwsInstanceGroup { max_instance_lifetime: Some(60), ..AwsInstanceGroup::default() },
            "at least a day",
        ),
        (
            AwsInstanceGroup { max_instance_lifetime: Some(31_536_001), ..AwsInstanceGroup::default() },
            "at most a year",
        ),
        (
            AwsInstanceGroup {
                lifecycle_hooks: [("x".to_owned(), hook)].into(),
                ..AwsInstanceGroup::default()
            },
            "between 30 and 7200",
        ),
    ] {
        let error = lab.engine.plan(&extended(&extension)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.to_string().contains("InstanceGroup/nodes"), "{error}");
    }
}

#[tokio::test]
async fn names_that_others_hold_are_told_before_anything_is_made() {
    let lab = Lab::new().await;
    let data = json!({ "LaunchTemplateName": GROUP, "LaunchTemplateData": { "InstanceType": "t3.nano" } });
    lab.moto.boto("ec2", "create_launch_template", data);
    let key = json!({ "KeyName": format!("kubernetes.{CLUSTER}-1f") });
    lab.moto.boto("ec2", "create_key_pair", key);
    let trust = json!({ "Version": "2012-10-17", "Statement": [] }).to_string();
    lab.moto.boto("iam", "create_role", json!({ "RoleName": GROUP, "AssumeRolePolicyDocument": trust }));
    lab.moto.boto("iam", "create_instance_profile", json!({ "InstanceProfileName": GROUP }));
    lab.moto.forget_calls();
    let error = lab.engine.plan(&graph(|_| {})).await.unwrap_err().to_string();
    for task in ["LaunchTemplate/nodes", "KeyPair/kubernetes", "IamRole/nodes", "InstanceProfile/nodes"] {
        assert!(error.contains(task), "{task}: {error}");
    }
    assert!(lab.moto.calls().mutations(&[]).is_empty());
}
