//! Serialised graphs, which are checked when deserialised.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Task, TaskGraph};
use crate::Error;

/// The version of the serialised form of a graph; it increases if a member is removed or its meaning changes.
pub const GRAPH_FORMAT: &str = "kops.graph/v1";

impl Serialize for TaskGraph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            format: &'static str,
            tasks: &'a [Task],
        }
        Written { format: GRAPH_FORMAT, tasks: &self.tasks }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TaskGraph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Read {
            format: String,
            tasks: Vec<Task>,
        }
        let Read { format, tasks } = Read::deserialize(deserializer)?;
        require_format(&format).map_err(de::Error::custom)?;
        let mut graph = Self::builder();
        for task in tasks {
            graph.insert(task);
        }
        graph.build().map_err(de::Error::custom)
    }
}

fn require_format(format: &str) -> crate::Result<()> {
    if format == GRAPH_FORMAT {
        return Ok(());
    }
    Err(Error::invalid(format!("the graph has format {format:?}, but this version reads {GRAPH_FORMAT}")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Document, Input, Key, Lifecycle, Secret};
    use super::*;
    use crate::resource::{InternetGateway, LoadBalancer, Network, Subnet};
    use serde_json::{Value, json};

    fn graph() -> TaskGraph {
        let mut graph = TaskGraph::builder();
        let network = graph.share::<Network>("theirs", "vpc-1");
        let subnet =
            graph.add("a", Subnet::new(network.ready().id(), "10.0.0.0/24".parse().unwrap()).zone("z"));
        let gateway = graph.add_as("g", InternetGateway::new(network.id()), Lifecycle::Retained);
        graph.after(&subnet, &gateway);
        let balancer = graph.share::<LoadBalancer>("api", "api");
        let host = Input::concat(["host=".into(), balancer.get(LoadBalancer::DNS_NAME)]);
        let script: BTreeMap<&str, Input<Secret>> =
            [("joined", host.into_secret()), ("known", Secret::new("hunter2").into())].into();
        graph.insert(Task::new(
            Key::new("Machine", "m"),
            Document::of(&script).unwrap(),
            Lifecycle::CreateOnly,
        ));
        let renamed = graph.add("new", Network { cidrs: Vec::new(), ipv6: false });
        graph.renamed(&renamed, "old");
        graph.ignore(&renamed, "cidrs");
        graph.build().unwrap()
    }

    #[test]
    fn a_graph_survives_being_written_and_read() {
        let text = serde_json::to_string(&graph()).unwrap();
        let read: TaskGraph = serde_json::from_str(&text).unwrap();
        assert_eq!(read, graph());
        assert!(text.contains("hunter2"), "{text}");
        assert!(!format!("{read:?}").contains("hunter2"), "{read:?}");
    }

    #[test]
    fn what_is_read_is_checked() {
        let mut document = serde_json::to_value(graph()).unwrap();
        document["tasks"].as_array_mut().unwrap().remove(0);
        let error = serde_json::from_value::<TaskGraph>(document).unwrap_err().to_string();
        assert!(error.contains("refers to Network/theirs, which is not in the graph"), "{error}");
    }

    #[test]
    fn another_format_is_refused() {
        let document: Value = json!({"format": "kops.graph/v9", "tasks": []});
        let error = serde_json::from_value::<TaskGraph>(document).unwrap_err().to_string();
        assert!(error.contains("\"kops.graph/v9\"") && error.contains(GRAPH_FORMAT), "{error}");
    }
}
