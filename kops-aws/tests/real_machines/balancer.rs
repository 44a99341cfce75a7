//! Load balancers forward to machines that are healthy, and to no machine from itself.

use kops_cluster::extensions::MachineRole;
use kops_core::resource::{
    FirewallRule, FirewallRules, HealthCheck, InstanceGroup, Listener, LoadBalancer, Peer, Scheme,
};
use kops_moto::{Machine, Machines, Moto};
use serde_json::{Value, json};

use crate::ground::{BOOT, Ground};
use crate::lab::{CLUSTER, Lab};

/// An API server, as far as a balancer is concerned: HTTPS, and `/readyz`, which tells the machine's name.
const SERVE: &str = "mkdir -p /srv/api && cd /srv/api && hostname >readyz
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=api -keyout key -out crt 2>&1
    setsid openssl s_server -quiet -accept 6443 -cert crt -key key -WWW </dev/null >/dev/null 2>&1 &";

/// The health of each target, and the balancer's name.
fn balancing(moto: &Moto) -> (Vec<(String, String)>, String) {
    let balancers = moto.boto("elbv2", "describe_load_balancers", json!({}));
    let groups = moto.boto("elbv2", "describe_target_groups", json!({}));
    let arn = &groups["TargetGroups"][0]["TargetGroupArn"];
    let health = moto.boto("elbv2", "describe_target_health", json!({ "TargetGroupArn": arn }));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let targets = health["TargetHealthDescriptions"].as_array().unwrap().iter();
    let targets = targets.map(|it| (text(&it["Target"]["Id"]), text(&it["TargetHealth"]["State"])));
    (targets.collect(), text(&balancers["LoadBalancers"][0]["DNSName"]))
}

fn wait_healthy(machines: &Machines<'_>, moto: &Moto, count: usize) {
    machines.until(&format!("{count} healthy targets"), BOOT, || {
        let (targets, _) = balancing(moto);
        (targets.len() == count && targets.iter().all(|(_, state)| state == "healthy")).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_go_to_healthy_machines_and_never_back() {
    let lab = Lab::bare().await;
    let Some(machines) = lab.moto.machines(&[]) else { return };
    let mut ground = Ground::new(&lab.moto);
    let check = HealthCheck::new().https_path("/readyz");
    let balancer = LoadBalancer::new(ground.network.id(), [ground.subnet.id()])
        .scheme(Scheme::Internal)
        .listen(Listener::tcp(6443).health_check(check));
    let balancer = ground.graph.add(&format!("api.{CLUSTER}"), balancer);
    let behind = |group: InstanceGroup| group.load_balancers([balancer.id()]);
    ground.group(&format!("control-plane.{CLUSTER}"), MachineRole::ControlPlane, 2, behind);
    let api = FirewallRule::tcp(6443, Peer::Cidr("10.77.0.0/16".parse().unwrap()));
    let rules = FirewallRules::new(ground.firewall.id(), [api]);
    ground.graph.add(&format!("machines.{CLUSTER}"), rules);
    lab.apply(&ground.build()).await;
    let on = machines.wait_on(2, BOOT);
    let (_, name) = balancing(&lab.moto);
    let url = format!("https://{name}:6443/readyz");
    let ask = |from: &str| machines.execute(from, &["curl", "-sk", "-m", "3", &url]);

    for machine in &on {
        machines.wait_for(&machine.instance, &["cat", "/root/ran"], BOOT);
    }
    machines.until("targets that do not answer", BOOT, || {
        balancing(&lab.moto).0.iter().all(|(_, state)| state == "unhealthy").then_some(())
    });
    let serve = |instance: &str| assert_eq!(machines.execute(instance, &["sh", "-c", SERVE]).status, 0);
    serve(&on[0].instance);
    machines.until("one healthy target", BOOT, || {
        let healthy = |(_, state): &(String, String)| state == "healthy";
        (balancing(&lab.moto).0.iter().filter(|it| healthy(it)).count() == 1).then_some(())
    });
    let answers: Vec<_> = (0..4).map(|_| ask(&on[1].instance).stdout).collect();
    let host = format!("ip-{}", on[0].address.replace('.', "-"));
    assert!(answers.iter().all(|it| it.trim_end() == host), "all from the healthy one: {answers:?}");
    assert_eq!(ask(&on[0].instance).status, 28, "a machine does not reach itself by a balancer");

    serve(&on[1].instance);
    wait_healthy(&machines, &lab.moto, 2);
    let operator = machines.inside("curl").args(["-sk", "-m", "3", &url]).output().unwrap();
    assert!(operator.status.success(), "an operator on the network reaches it: {operator:?}");

    // A port that no rule opens, on a machine that listens there.
    let closed = SERVE.replace("6443", "6444");
    assert_eq!(machines.execute(&on[1].instance, &["sh", "-c", &closed]).status, 0);
    let at = |machine: &Machine, port: u16| format!("https://{}:{port}/readyz", machine.address);
    let get =
        |from: &Machine, url: &str| machines.execute(&from.instance, &["curl", "-sk", "-m", "3", url]).status;
    assert_eq!(get(&on[1], &at(&on[1], 6444)), 0);
    assert_eq!((get(&on[0], &at(&on[1], 6444)), get(&on[0], &at(&on[1], 6443))), (28, 0));

    machines.kill(&on[1].instance);
    let replaced = machines.until("a replacement", BOOT, || {
        machines.on().into_iter().find(|it| it.instance != on[0].instance && it.instance != on[1].instance)
    });
    let registered = |id: &str| balancing(&lab.moto).0.iter().any(|(it, _)| it == id);
    machines.until("its registration", BOOT, || registered(&replaced.instance).then_some(()));
    assert!(!registered(&on[1].instance));
}
