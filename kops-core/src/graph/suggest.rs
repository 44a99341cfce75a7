//! Error messages for outputs that do not exist.

use super::{Key, OutputRef};
use crate::Error;

/// The maximum edit distance of a suggestion: enough for a typo, too small for another word.
const CLOSE: usize = 2;

/// The error for a reference to an output that its kind does not have, with the existing outputs; `None` if it has
/// it.
pub(crate) fn no_such_output(task: &Key, output: &OutputRef, known: &[&'static str]) -> Option<Error> {
    // Every object has an identifier.
    let all: Vec<&str> = std::iter::once("id").chain(known.iter().copied()).collect();
    let name = output.output.as_str();
    if all.contains(&name) {
        return None;
    }
    let kind = output.task.kind();
    let there_is =
        format!("it refers to {output}, but {kind} has no output {name:?}: it has {}", all.join(", "));
    let lower = name.to_lowercase();
    let near = all
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= CLOSE && *distance < candidate.len())
        .min();
    let message = match near {
        Some((_, candidate)) => format!("{there_is}; did you mean {candidate:?}?"),
        None => there_is,
    };
    Some(Error::invalid(message).with_task(task))
}
