//! `kops get instances`.

use kops_cluster::model::Names;
use kops_cluster::{ClusterFiles, InstanceGroup, scope_of};
use kops_core::Result;
use kops_core::cloud::{Context, Machine, MachineState};
use kops_node::status::{State as Boot, Status};
use serde_json::{Value, json};

use super::get::no_machines;
use crate::cli::GetFormat;
use crate::output::Table;
use crate::state::State;
use crate::{cloud, output};

/// Shows the machines of a cluster.
pub(super) async fn get(state: &State, name: Option<&str>, format: GetFormat) -> Result<()> {
    let store = state.cluster(name)?;
    let files = ClusterFiles::from(state.read(&store).await?);
    let cloud = cloud::open(&files.cluster, state).await?;
    let Some(machines) = cloud.machines() else {
        return Err(no_machines(cloud.name()));
    };
    let mut members = machines.members(&scope_of(&files.cluster), &Context::default()).await?;
    members.sort_by(|a, b| (&a.group, &a.id).cmp(&(&b.group, &b.id)));
    let mut rows: Vec<Row<'_>> = members.iter().map(|machine| Row::of(machine, &files)).collect();
    let asked: Vec<_> = rows.iter().map(|row| (row.group_name(), row.machine)).collect();
    let statuses = store.machine_statuses(&asked).await?;
    for (row, told) in rows.iter_mut().zip(statuses) {
        row.told = told;
    }
    match format {
        GetFormat::Table if rows.is_empty() => {
            output::note(format_args!("{} has no machines.", store.name()));
            Ok(())
        }
        GetFormat::Table => output::print(table(&rows).to_string()),
        GetFormat::Json => output::print_json(&Value::Array(rows.iter().map(Row::document).collect())),
        GetFormat::Yaml => output::print_yaml(&Value::Array(rows.iter().map(Row::document).collect())),
    }
}

/// A machine, and its group in the specification.
struct Row<'a> {
    machine: &'a Machine,
    group: Option<&'a InstanceGroup>,
    /// What it tells of itself.
    told: Option<Status>,
}

impl<'a> Row<'a> {
    fn of(machine: &'a Machine, files: &'a ClusterFiles) -> Self {
        let names = Names::of(files.cluster.name());
        Self {
            machine,
            group: files.instance_groups.iter().find(|group| names.group(group) == machine.group),
            told: None,
        }
    }

    /// The group's name; if it is no longer specified, its name in the cloud.
    fn group_name(&self) -> &'a str {
        self.group.map_or(&self.machine.group, InstanceGroup::name)
    }

    /// The node's name: the machine knows it, and the cloud's name of the machine is often the same.
    fn node(&self) -> Option<&str> {
        self.told.as_ref().map(|told| told.node.as_str()).or(self.machine.private_dns.as_deref())
    }

    /// How the machine's boot stands, and the last event that it told.
    fn last_event(&self) -> Option<String> {
        let told = self.told.as_ref()?;
        let state = match told.state {
            Boot::Booting => "booting",
            Boot::Waiting => "waiting",
            Boot::Failed => "failed",
            Boot::Joined => "joined",
        };
        Some(told.events.last().map_or_else(|| state.to_owned(), |last| format!("{state}: {}", last.what)))
    }

    fn status(&self) -> &'static str {
        match self.machine.state {
            MachineState::Detached => "Detached",
            _ if self.machine.outdated.is_empty() => "UpToDate",
            _ => "NeedsUpdate",
        }
    }

    fn role(&self) -> &'static str {
        self.group.map_or("", |group| group.role().as_str())
    }

    fn state(&self) -> &'static str {
        match self.machine.state {
            MachineState::Pending => "Pending",
            MachineState::Terminating => "Terminating",
            // Both members and detached machines.
            _ => "Running",
        }
    }

    fn document(&self) -> Value {
        let machine = self.machine;
        json!({
            "id": machine.id,
            "nodeName": self.node(),
            "status": self.status(),
            "outdated": machine.outdated,
            "roles": [self.role()],
            "state": self.state(),
            "internalIP": machine.private_ip,
            "externalIP": machine.public_ip,
            "instanceGroup": self.group_name(),
            "machineType": machine.machine_type,
            "zone": machine.zone,
            "boot": self.told,
        })
    }
}

fn table(rows: &[Row<'_>]) -> Table {
    // Machines that were not created with the program tell nothing.
    let any = rows.iter().any(|row| row.told.is_some());
    let mut heading = vec![
        "ID",
        "NODE-NAME",
        "STATUS",
        "ROLES",
        "STATE",
        "INTERNAL-IP",
        "EXTERNAL-IP",
        "INSTANCE-GROUP",
        "MACHINE-TYPE",
    ];
    heading.extend(any.then_some("LAST-EVENT"));
    let mut table = Table::new(&heading);
    for row in rows {
        let machine = row.machine;
        let mut cells = vec![
            machine.id.clone(),
            row.node().unwrap_or_default().to_owned(),
            row.status().to_owned(),
            row.role().to_owned(),
            row.state().to_owned(),
            machine.private_ip.clone().unwrap_or_default(),
            machine.public_ip.clone().unwrap_or_default(),
            row.group_name().to_owned(),
            machine.machine_type.clone(),
        ];
        cells.extend(any.then(|| row.last_event().unwrap_or_default()));
        table.row(cells);
    }
    table
}
