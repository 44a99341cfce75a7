//! `kops get instances`.

use kops_cluster::model::Names;
use kops_cluster::{ClusterFiles, InstanceGroup, scope_of};
use kops_core::cloud::{Context, Machine, MachineState};
use kops_core::{Error, Result};
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
    let rows: Vec<Row<'_>> = members.iter().map(|machine| Row::of(machine, &files)).collect();
    match format {
        GetFormat::Table if rows.is_empty() => {
            output::note(format_args!("{} has no machines.", store.name()));
            Ok(())
        }
        GetFormat::Table => output::print(table(&rows).to_string()),
        GetFormat::Json => output::print_json(&Value::Array(rows.iter().map(Row::document).collect())),
        GetFormat::Yaml => {
            let documents: Vec<Value> = rows.iter().map(Row::document).collect();
            let text = serde_saphyr::to_string(&documents)
                .map_err(|error| Error::internal("machines cannot be written as YAML").with_source(error))?;
            output::print(text)
        }
    }
}

/// A machine, and its group in the specification.
struct Row<'a> {
    machine: &'a Machine,
    group: Option<&'a InstanceGroup>,
}

impl<'a> Row<'a> {
    fn of(machine: &'a Machine, files: &'a ClusterFiles) -> Self {
        let names = Names::of(files.cluster.name());
        Self {
            machine,
            group: files.instance_groups.iter().find(|group| names.group(group) == machine.group),
        }
    }

    /// The group's name; if it is no longer specified, its name in the cloud.
    fn group_name(&self) -> &str {
        self.group.map_or(&self.machine.group, InstanceGroup::name)
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
            "nodeName": machine.private_dns,
            "status": self.status(),
            "outdated": machine.outdated,
            "roles": [self.role()],
            "state": self.state(),
            "internalIP": machine.private_ip,
            "externalIP": machine.public_ip,
            "instanceGroup": self.group_name(),
            "machineType": machine.machine_type,
            "zone": machine.zone,
        })
    }
}

fn table(rows: &[Row<'_>]) -> Table {
    let mut table = Table::new(&[
        "ID",
        "NODE-NAME",
        "STATUS",
        "ROLES",
        "STATE",
        "INTERNAL-IP",
        "EXTERNAL-IP",
        "INSTANCE-GROUP",
        "MACHINE-TYPE",
    ]);
    for row in rows {
        let machine = row.machine;
        table.row([
            machine.id.clone(),
            machine.private_dns.clone().unwrap_or_default(),
            row.status().to_owned(),
            row.role().to_owned(),
            row.state().to_owned(),
            machine.private_ip.clone().unwrap_or_default(),
            machine.public_ip.clone().unwrap_or_default(),
            row.group_name().to_owned(),
            machine.machine_type.clone(),
        ]);
    }
    table
}
