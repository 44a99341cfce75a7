//! What is wrong with a specification, and what of it keeps a change from being written.

use std::collections::HashSet;

use kops_cluster::registry::ClusterState;
use kops_cluster::{ClusterFiles, InstanceGroup, Path, Problem, Problems, Severity, validate};
use kops_core::{Error, Result};

use crate::manifest::Source;
use crate::output;

/// Tells what reading a cluster found odd.
pub(crate) fn warn_of(state: &ClusterState) {
    output::warn(&state.cluster.warnings);
    output::warn(state.instance_groups.iter().flat_map(|group| &group.warnings));
}

/// Puts an instance group in the place of the one of its name, or beside the others.
pub(crate) fn put(files: &mut ClusterFiles, group: InstanceGroup) {
    match files.instance_groups.iter_mut().find(|other| other.name() == group.name()) {
        Some(other) => *other = group,
        None => files.instance_groups.push(group),
    }
}

/// Refuses to write what is wrong `after` a change.
///
/// What was wrong `before` does not count: whoever mends a specification step by step is not stopped at the
/// first. A cluster without any instance group is one whose groups come later. Neither is ever planned.
pub(crate) fn check_change(
    before: Option<&ClusterFiles>,
    after: &ClusterFiles,
    sources: &[Source],
) -> Result<()> {
    let known = before.map(|before| problems(before, &[])).unwrap_or_default();
    let known: HashSet<String> = known.iter().map(identity).collect();
    let new = problems(after, sources).into_iter().filter(|problem| !known.contains(&identity(problem)));
    let (errors, warnings): (Vec<_>, Vec<_>) = new.partition(|problem| problem.severity == Severity::Error);
    output::warn(&warnings);
    let lines: Vec<String> = errors.iter().map(|problem| in_file(problem, sources)).collect();
    match lines.as_slice() {
        [] => Ok(()),
        [one] => Err(Error::invalid(one.clone())),
        many => Err(Error::invalid(format!("{} problems:\n  {}", many.len(), many.join("\n  ")))),
    }
}

/// All that is wrong, as one error.
pub(crate) fn refusal(problems: Problems) -> Error {
    problems
        .into_result()
        .err()
        .unwrap_or_else(|| Error::internal("a specification was refused for no reason"))
}

/// Tells each problem once.
pub(crate) fn warn_once<'a>(problems: impl IntoIterator<Item = &'a Problem>) {
    let mut told = HashSet::new();
    output::warn(problems.into_iter().filter(|problem| told.insert(identity(problem))));
}

/// What is wrong; in `sources`, with the place.
fn problems(files: &ClusterFiles, sources: &[Source]) -> Vec<Problem> {
    let mut problems = validate(&files.cluster, &files.instance_groups);
    for key in &files.ssh_keys {
        problems.extend(key.validate());
    }
    for source in sources {
        source.document.localize(&mut problems);
    }
    let unfinished = files.instance_groups.is_empty();
    problems
        .into_iter()
        .map(|problem| match problem.severity {
            Severity::Error if unfinished && wants_groups(&problem.path) => {
                Problem { severity: Severity::Warning, ..problem }
            }
            _ => problem,
        })
        .collect()
}

/// What tells a problem from others; not its fix, which may list what exists.
fn identity(problem: &Problem) -> String {
    format!("{} {} {}", problem.object, problem.path, problem.message)
}

/// Whether a problem at this path may be one only because there are no groups yet.
fn wants_groups(path: &Path) -> bool {
    let spec = Path::of("spec");
    let about = |field: &str| path.strip_prefix(&spec.join(&Path::of(field))).is_some();
    *path == spec || about("etcdClusters") || about("topology.bastion")
}

/// A problem, with the file it is in.
fn in_file(problem: &Problem, sources: &[Source]) -> String {
    match sources.iter().find(|source| source.document.object.title() == problem.object) {
        Some(source) => format!("{}: {problem}", source.file),
        None => problem.to_string(),
    }
}
