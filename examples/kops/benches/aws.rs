//! The costs of the command on AWS: calls, CPU time, memory, and wall time with slow calls.
//!
//! `cargo bench -p kops` (needs Python 3: it starts the emulator moto). Calls, CPU time and memory are the
//! command's own; wall time includes the emulator's work, which shares the machine.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and may fail loudly")]

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kops_moto::{Calls, Moto};
use serde_json::{Value, json};
use tempfile::TempDir;
use wait4::Wait4 as _;

const HA: &str = "ha.example.com";
const LATENCY: Duration = Duration::from_millis(50);
/// The number of runs, of which the median is reported.
const RUNS: usize = 5;

fn main() {
    // Cargo runs benchmarks as tests, too (`cargo test --benches`): then the small cluster is enough.
    let quick = std::env::args().any(|argument| argument == "--test");
    println!("3 control planes in 3 zones, private, bastion, network load balancer, public DNS; state in S3");
    println!(
        "{:>6}  {:<22} {:>6} {:>8} {:>6} {:>5} {:>7} {:>8} {:>8} {:>8} {:>9}",
        "groups",
        "command",
        "calls",
        "changing",
        "store",
        "most",
        "in turn",
        "cpu s",
        "wall s",
        "+50 ms",
        "peak MiB"
    );
    for groups in if quick { vec![3] } else { vec![3, 100] } {
        cluster(groups);
    }
    println!(
        "calls: of the cloud, reading and changing; store: calls of the state store; most: concurrent calls; \
         in turn: calls that waited for each other; +50 ms: wall time when every call takes 50 ms longer"
    );
}

/// The life of a cluster with a number of instance groups.
fn cluster(groups: usize) {
    let desk = Desk::new();
    desk.specify(groups);
    let plan = ["update", "cluster", HA];
    let update = ["update", "cluster", HA, "--yes"];
    desk.report(groups, "plan from nothing", &plan, RUNS);
    desk.report(groups, "apply", &update, 1);
    desk.report(groups, "plan without changes", &plan, RUNS);
    desk.report(groups, "delete", &["delete", "cluster", HA, "--yes"], 1);
}

/// A user with an account and a directory of their own.
struct Desk {
    directory: TempDir,
    moto: Moto,
    bucket: String,
}

/// The cost of a run of the command.
struct Cost {
    processor: Duration,
    wall: Duration,
    /// Bytes.
    memory: u64,
}

impl Desk {
    fn new() -> Self {
        let moto = Moto::start();
        moto.create_zone("example.com");
        let bucket = moto.create_bucket("state");
        Self { directory: tempfile::tempdir().unwrap(), moto, bucket }
    }

    /// Writes the specification: the cluster with three groups of nodes, and the additional groups.
    fn specify(&self, groups: usize) {
        let sizes = ["--control-plane-size=m5.large", "--node-size=m5.large"];
        let mut create = vec!["create", "cluster", HA, "--cloud=aws", "--control-plane-count=3"];
        create.extend(["--zones=us-east-1a,us-east-1b,us-east-1c", "--node-count=3", "--topology=private"]);
        create.extend(["--bastion", "--api-loadbalancer-type=public", "--dns=public", "--networking=cilium"]);
        create.extend(["--dns-zone=example.com", "--kubernetes-version=1.34.1"]);
        create.extend(sizes);
        self.run(&create);
        self.run(&["get", "instancegroups", "--name", HA, "-o", "json"]);
        let listed: Value = serde_json::from_str(&fs::read_to_string(self.path("out")).unwrap()).unwrap();
        let listed = listed.as_array().unwrap().iter();
        let nodes = listed.filter(|group| group["spec"]["role"] == "Node").cycle();
        let more: Vec<Value> = nodes
            .zip(3..groups)
            .map(|(group, number)| {
                let mut group = group.clone();
                group["metadata"]["name"] = json!(format!("more-{number}"));
                group["spec"]["nodeLabels"] = json!({});
                group
            })
            .collect();
        if !more.is_empty() {
            let documents: Vec<String> = more.iter().map(Value::to_string).collect();
            fs::write(self.path("more.yaml"), documents.join("\n---\n")).unwrap();
            self.run(&["create", "-f", &self.path("more.yaml").display().to_string()]);
        }
    }

    fn report(&self, groups: usize, name: &str, arguments: &[&str], runs: usize) {
        let counted = self.run_counted(arguments);
        let mut costs: Vec<Cost> = (1..runs).map(|_| self.run(arguments)).collect();
        let calls = counted.1;
        costs.push(counted.0);
        // Changes can be made once only; plans are also measured with a slow network.
        let (mut in_turn, mut slow) = (String::new(), String::new());
        if runs > 1 {
            self.moto.set_latency(LATENCY);
            let runs: Vec<_> = (0..runs).map(|_| self.run_counted(arguments)).collect();
            self.moto.set_latency(Duration::ZERO);
            in_turn = runs.iter().map(|(_, calls)| calls.in_turn()).min().unwrap().to_string();
            slow = seconds(median(runs.iter().map(|(cost, _)| cost.wall).collect()));
        }
        let of_store = |action: &str| action.starts_with("s3:");
        let cloud = calls.calls.iter().filter(|call| !of_store(&call.action)).count();
        println!(
            "{groups:>6}  {name:<22} {cloud:>6} {:>8} {:>6} {:>5} {in_turn:>7} {:>8} {:>8} {slow:>8} {:>9.1}",
            calls.mutations(&["s3"]).len(),
            calls.total() - cloud,
            calls.most_in_flight,
            seconds(median(costs.iter().map(|cost| cost.processor).collect())),
            seconds(median(costs.iter().map(|cost| cost.wall).collect())),
            mebibytes(costs.iter().map(|cost| cost.memory).max().unwrap()),
        );
    }

    fn run_counted(&self, arguments: &[&str]) -> (Cost, Calls) {
        self.moto.forget_calls();
        let cost = self.run(arguments);
        (cost, self.moto.calls())
    }

    /// Runs the command to completion; it must succeed.
    #[expect(clippy::disallowed_methods, reason = "this measures real time")]
    fn run(&self, arguments: &[&str]) -> Cost {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kops"));
        command.args(arguments).env_clear().envs(self.moto.env()).env("HOME", self.directory.path());
        command.env("KOPS_STATE_STORE", format!("s3://{}", self.bucket)).stdin(Stdio::null());
        command.env("KOPS_NODE_PROGRAM", self.node_program());
        command.stdout(File::create(self.path("out")).unwrap());
        command.stderr(File::create(self.path("err")).unwrap());
        let start = Instant::now();
        let end = command.spawn().unwrap().wait4().unwrap();
        let wall = start.elapsed();
        let said = || fs::read_to_string(self.path("err")).unwrap();
        assert!(end.status.success(), "kops {}: {}", arguments.join(" "), said());
        Cost { processor: end.rusage.utime + end.rusage.stime, wall, memory: end.rusage.maxrss }
    }

    /// The header of a program for the usual architecture: no machine runs it.
    fn node_program(&self) -> PathBuf {
        let mut header = vec![0_u8; 64];
        header[..6].copy_from_slice(b"\x7fELF\x02\x01");
        header[18] = 62; // x86-64
        let path = self.path("kops-node");
        fs::write(&path, header).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
