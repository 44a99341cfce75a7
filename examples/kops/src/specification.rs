//! Problems of a specification, and which of them prevent a change from being written.

use std::collections::HashSet;

use kops_cluster::registry::ClusterState;
use kops_cluster::{
    AdditionalObject, AnyObject, ApiObject as _, ClusterFiles, InstanceGroup, Path, Problem, Problems,
    Severity, validate,
};
use kops_core::{Error, Result};

use crate::manifest::{Given, Source};
use crate::output;

/// Reports warnings from reading a cluster.
pub(crate) fn warn_of(state: &ClusterState) {
    output::warn(&state.cluster.warnings);
    output::warn(state.instance_groups.iter().flat_map(|group| &group.warnings));
}

/// Replaces the instance group of the same name, or adds a new one.
pub(crate) fn put(files: &mut ClusterFiles, group: InstanceGroup) {
    match files.instance_groups.iter_mut().find(|other| other.name() == group.name()) {
        Some(other) => *other = group,
        None => files.instance_groups.push(group),
    }
}

/// Rejects a change after which the specification has new problems.
///
/// Problems that existed `before` do not count, so that a specification can be fixed step by step. A cluster
/// without any instance groups is one whose groups are created later. Neither is ever planned.
pub(crate) fn check_change(before: Option<&ClusterFiles>, after: &ClusterFiles, given: &Given) -> Result<()> {
    let sources = &given.sources;
    let known = before.map(|before| problems(before, &[])).unwrap_or_default();
    let known: HashSet<String> = known.iter().map(identity).collect();
    let new = problems(after, sources).into_iter().filter(|problem| !known.contains(&identity(problem)));
    let unknown = sources.iter().flat_map(|source| unknown_fields(before, source));
    let (errors, warnings): (Vec<_>, Vec<_>) =
        unknown.chain(new).partition(|problem| problem.severity == Severity::Error);
    output::warn(&warnings);
    if before.is_none_or(|before| before.additional_objects != after.additional_objects) {
        warn_of_additional(after);
    }
    let lines: Vec<String> = errors.iter().map(|problem| in_file(problem, sources)).collect();
    match lines.as_slice() {
        [] => Ok(()),
        [one] => Err(Error::invalid(one.clone())),
        many => Err(Error::invalid(format!("{} problems:\n  {}", many.len(), many.join("\n  ")))),
    }
}

/// The fields of a file that are not known: errors, or warnings if the store has them already.
fn unknown_fields(before: Option<&ClusterFiles>, source: &Source) -> Vec<Problem> {
    let document = &source.document;
    let stored = before.and_then(|before| match &document.object {
        AnyObject::Cluster(_) => before.cluster.to_document().ok(),
        AnyObject::InstanceGroup(group) => {
            let mut groups = before.instance_groups.iter();
            groups.find(|other| other.name() == group.name())?.to_document().ok()
        }
        AnyObject::SshCredential(_) | AnyObject::Keyset(_) => None,
    });
    let told = source.unknown.iter().map(|problem| {
        let mut problem = problem.clone();
        if stored.as_ref().is_some_and(|stored| document.is_in(&problem.path, stored)) {
            problem.severity = Severity::Warning;
            "it is preserved, but has no effect".clone_into(&mut problem.fix);
        }
        problem
    });
    told.collect()
}

/// Warns that nothing installs the objects of Kubernetes that are kept with a cluster.
pub(crate) fn warn_of_additional(files: &ClusterFiles) {
    let titles: Vec<String> = files.additional_objects.iter().map(AdditionalObject::title).collect();
    if !titles.is_empty() {
        output::note(format_args!(
            "Warning: {} kept with cluster {}, but nothing installs them yet (install them with kubectl apply)",
            match titles.as_slice() {
                [one] => format!("{one} is"),
                many => format!("{} are", many.join(", ")),
            },
            files.cluster.name()
        ));
    }
}

/// All problems, as one error.
pub(crate) fn refusal(problems: Problems) -> Error {
    problems
        .into_result()
        .err()
        .unwrap_or_else(|| Error::internal("a specification was rejected without a reason"))
}

/// Reports each problem once.
pub(crate) fn warn_once<'a>(problems: impl IntoIterator<Item = &'a Problem>) {
    let mut told = HashSet::new();
    output::warn(problems.into_iter().filter(|problem| told.insert(identity(problem))));
}

/// The problems; those in `sources` with their location.
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
                let mut problem = problem;
                problem.severity = Severity::Warning;
                problem
            }
            _ => problem,
        })
        .collect()
}

/// What identifies a problem; not its fix, which may list existing objects, and not the values in its message: another
/// version that is too old is the same problem.
fn identity(problem: &Problem) -> String {
    let mut message = String::new();
    let mut quoted = false;
    for c in problem.message.chars() {
        if c == '"' {
            quoted = !quoted;
        } else if !(quoted || c.is_ascii_digit() || matches!(c, '.' | '/' | ':')) {
            message.push(c);
        }
    }
    format!("{} {} {message}", problem.object, problem.path)
}

/// Whether a problem at this path may only exist because there are no groups yet.
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
