//! The machines of groups.

use kops_core::ErrorKind;
use kops_core::cloud::{Context, Machine, MachineState, Machines as _, Scope};

use crate::lab::{CLUSTER, Lab, ZONES};
use crate::site::Site;

fn graph(machine_type: &str) -> kops_core::graph::TaskGraph {
    let mut site = Site::of(CLUSTER);
    site.group("nodes", |group| {
        group.zones = ZONES.map(str::to_owned).into();
        (group.min, group.max) = (3, 3);
        machine_type.clone_into(&mut group.machine_type);
    });
    site.build()
}

struct Here {
    lab: Lab,
    scope: Scope,
    cx: Context,
}

impl Here {
    async fn new() -> Self {
        let lab = Lab::new().await;
        lab.apply(&graph("n2-standard-2")).await;
        lab.google.settle();
        Self { lab, scope: Scope::new(CLUSTER), cx: Context::default() }
    }

    async fn members(&self) -> Vec<Machine> {
        self.lab.google.settle();
        self.lab.gce.members(&self.scope, &self.cx).await.unwrap()
    }
}

#[tokio::test]
async fn members_are_shown_in_two_calls() {
    let here = Here::new().await;
    here.lab.google.forget_calls();
    let members = here.lab.gce.members(&here.scope, &here.cx).await.unwrap();
    assert_eq!(here.lab.google.calls().total(), 2);
    let zones: Vec<_> = members.iter().map(|it| it.zone.as_str()).collect();
    assert_eq!(zones, ZONES);
    for member in &members {
        assert_eq!(member.group, format!("nodes.{CLUSTER}"));
        assert_eq!((member.state, member.machine_type.as_str()), (MachineState::Running, "n2-standard-2"));
        assert!(member.outdated.is_empty() && member.private_ip.is_some(), "{member:?}");
    }
}

#[tokio::test]
async fn a_machine_of_an_old_template_is_out_of_date_until_it_is_ended() {
    let here = Here::new().await;
    here.lab.apply(&graph("n2-standard-4")).await;
    let members = here.members().await;
    assert!(members.iter().all(|it| it.outdated.len() == 1), "{members:#?}");
    here.lab.gce.deregister(&here.scope, &members[0].id, &here.cx).await.unwrap();
    here.lab.gce.terminate(&here.scope, &members[0].id, &here.cx).await.unwrap();
    let after = here.members().await;
    assert_eq!(after.len(), 3);
    assert!(!after.iter().any(|it| it.id == members[0].id), "it is another machine: {after:#?}");
    assert_eq!(after.iter().filter(|it| it.outdated.is_empty()).count(), 1, "{after:#?}");
    let gone = here.lab.gce.terminate(&here.scope, &members[0].id, &here.cx).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    here.lab.delete().await;
}

#[tokio::test]
async fn a_machine_that_is_taken_out_keeps_running_and_is_replaced() {
    let here = Here::new().await;
    let members = here.members().await;
    for _ in 0..2 {
        here.lab.gce.detach(&here.scope, &members[0].id, &here.cx).await.unwrap();
        here.lab.google.settle();
    }
    let after = here.members().await;
    assert_eq!(after.len(), 4, "{after:#?}");
    let out = after.iter().find(|it| it.id == members[0].id).unwrap();
    assert_eq!(out.state, MachineState::Detached);
    assert_eq!(out.outdated.len(), 1);
    here.lab.assert_settled(&graph("n2-standard-2")).await;
    here.lab.gce.terminate(&here.scope, &out.id, &here.cx).await.unwrap();
    assert_eq!(here.members().await.len(), 3);
    here.lab.delete().await;
}

#[tokio::test]
async fn machines_of_others_are_not_found() {
    let here = Here::new().await;
    let other = Scope::new("example.com");
    assert!(here.lab.gce.members(&other, &here.cx).await.unwrap().is_empty());
    let id = &here.members().await[0].id;
    let error = here.lab.gce.terminate(&other, id, &here.cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
