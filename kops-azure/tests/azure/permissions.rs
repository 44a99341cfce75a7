//! What credentials lack, and the least that they need.

use kops_core::cloud::{Cloud, Context, Scope};

use crate::lab::{CLUSTER, Lab, Site, ha};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_is_missing() {
    let lab = Lab::new().await;
    let scope = Scope::new(CLUSTER);
    let native = lab.azure.lower(&ha(1), &scope, &[]).unwrap();
    let permissions = lab.azure.permissions().unwrap();
    // The emulator tells them of groups only.
    lab.apply(&Site::of(CLUSTER).build()).await;
    assert_eq!(permissions.missing(native.graph(), &scope, &Context::default()).await.unwrap(), []);
    lab.emulator.deny(&["Microsoft.Network/natGateways/write"]);
    let missing = permissions.missing(native.graph(), &scope, &Context::default()).await.unwrap();
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(missing[0].action, "Microsoft.Network/natGateways/write");
    assert_eq!(missing[0].needed_for, ["AzureNatGateway"]);
    lab.emulator.deny(&["Microsoft.Compute/disks/write"]);
    let error = lab.try_apply(&ha(1)).await.unwrap_err().to_string();
    assert!(error.contains("need the permission Microsoft.Compute/disks/write"), "{error}");
    lab.emulator.deny(&[]);
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_in_the_least_role() {
    let lab = Lab::new().await;
    let role = lab.azure.permissions().unwrap().least(&Scope::new(CLUSTER));
    assert_eq!(role["IsCustom"], true);
    let actions: Vec<_> = role["Actions"].as_array().unwrap().iter().filter_map(|it| it.as_str()).collect();
    for action in ["Microsoft.Compute/virtualMachineScaleSets/write", "Microsoft.Network/loadBalancers/read"]
    {
        assert!(actions.contains(&action), "{action}");
    }
}
