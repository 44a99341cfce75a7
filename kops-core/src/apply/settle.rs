//! Waiting until objects are ready or gone: one poll for each kind, for all of its objects together.
//!
//! Waiting takes no permit of the rate limiter. The first polls come soon, later ones at longer intervals; one is
//! always at the moment when the kind's objects are typically ready.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::cloud::{Observed, State, Timing};
use crate::{Error, ErrorKind};

/// The delay of the first poll after an object was created.
const FIRST: Duration = Duration::from_millis(200);
/// For this long, a new object may be missing from listings and counts as pending.
const INVISIBLE: Duration = Duration::from_mins(1);

/// The goal of a waiting step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Ready,
    Gone,
}

#[derive(Debug)]
struct Waiting {
    id: String,
    goal: Goal,
    since: Duration,
    expected: Duration,
    /// When to stop waiting.
    deadline: Duration,
}

/// The waiting steps, by kind.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    kinds: BTreeMap<String, HashMap<usize, Waiting>>,
}

/// The objects that a poll was for, and when it started: it does not show later changes.
#[derive(Debug, Default)]
pub(crate) struct Look {
    pub(crate) ids: Vec<String>,
    pub(crate) began: Duration,
}

/// The result of a poll for a step.
pub(crate) type Verdict = (usize, Result<Option<Observed>, Error>);

impl Settling {
    pub(crate) fn add(
        &mut self,
        kind: &str,
        step: usize,
        id: String,
        goal: Goal,
        timing: Timing,
        now: Duration,
    ) {
        let expected = now + if goal == Goal::Ready { timing.settle } else { timing.vanish };
        let waiting = Waiting { id, goal, since: now, expected, deadline: timing.deadline };
        self.kinds.entry(kind.to_owned()).or_default().insert(step, waiting);
    }

    pub(crate) fn is_waiting(&self, kind: &str) -> bool {
        self.kinds.get(kind).is_some_and(|steps| !steps.is_empty())
    }

    /// The identifiers to poll, each once.
    pub(crate) fn ids(&self, kind: &str) -> Vec<String> {
        let waiting = self.kinds.get(kind).into_iter().flatten();
        let mut ids: Vec<_> = waiting.map(|(_, it)| it.id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The delay before the next poll of a kind.
    pub(crate) fn pause(&self, kind: &str, timing: Timing, now: Duration) -> Duration {
        let waiting = self.kinds.get(kind).into_iter().flatten();
        let pauses = waiting.map(|(_, it)| {
            let pause = (now.saturating_sub(it.since) / 8).clamp(FIRST, timing.poll.max(FIRST));
            match it.expected.checked_sub(now) {
                Some(left) if !left.is_zero() => pause.min(left.max(Duration::from_millis(1))),
                _ => pause,
            }
        });
        pauses.min().unwrap_or(timing.poll)
    }

    /// Removes the steps that a poll has decided. It does not decide those that started to wait while it was in
    /// flight: an object that it did not ask for is not gone.
    pub(crate) fn judge(&mut self, kind: &str, look: &Look, found: &[Observed]) -> Vec<Verdict> {
        let by_id: HashMap<&str, &Observed> = found.iter().map(|it| (it.object.id.as_str(), it)).collect();
        let Some(steps) = self.kinds.get_mut(kind) else { return Vec::new() };
        let mut verdicts: Vec<Verdict> = steps
            .iter()
            .filter(|(_, waiting)| waiting.since <= look.began && look.ids.contains(&waiting.id))
            .filter_map(|(&step, waiting)| {
                let found = by_id.get(waiting.id.as_str()).copied();
                Some((step, verdict(kind, waiting, found, look.began)?))
            })
            .collect();
        verdicts.sort_by_key(|(step, _)| *step);
        for (step, _) in &verdicts {
            steps.remove(step);
        }
        verdicts
    }

    /// Removes all steps that wait for a kind.
    pub(crate) fn give_up(&mut self, kind: &str) -> Vec<usize> {
        let mut steps: Vec<_> = self.kinds.remove(kind).unwrap_or_default().into_keys().collect();
        steps.sort_unstable();
        steps
    }

    /// Removes all steps.
    pub(crate) fn give_up_all(&mut self) -> Vec<usize> {
        let kinds: Vec<_> = self.kinds.keys().cloned().collect();
        kinds.iter().flat_map(|kind| self.give_up(kind)).collect()
    }
}

fn verdict(
    kind: &str,
    waiting: &Waiting,
    found: Option<&Observed>,
    now: Duration,
) -> Option<Result<Option<Observed>, Error>> {
    let waited = now.saturating_sub(waiting.since);
    let state = found.map(|it| &it.object.state);
    match (waiting.goal, state) {
        (Goal::Ready, Some(State::Ready)) => return Some(Ok(found.cloned())),
        (Goal::Gone, None | Some(State::Gone)) => return Some(Ok(None)),
        (Goal::Ready, Some(State::Failed(why))) => {
            return Some(Err(Error::new(ErrorKind::Failed, format!("{}: {why}", waiting.id))
                .with_hint("run again: it will be replaced")));
        }
        (Goal::Ready, Some(State::Deleting | State::Gone)) => {
            return Some(Err(Error::new(
                ErrorKind::Conflict,
                format!("{} was deleted in the meantime", waiting.id),
            )
            .with_hint("someone else is changing this scope; run again when they have finished")));
        }
        // It may have failed before, and listings lag; after a while, it is the deletion that failed.
        (Goal::Gone, Some(State::Failed(why))) if waited > INVISIBLE => {
            return Some(Err(Error::new(
                ErrorKind::Failed,
                format!("{} could not be deleted: {why}", waiting.id),
            )
            .with_hint("remove what still uses it, and run again to retry")));
        }
        (Goal::Ready, None) if waited > INVISIBLE => {
            return Some(Err(Error::not_found(format!("{} disappeared after it was created", waiting.id))));
        }
        _ => {}
    }
    (waited > waiting.deadline).then(|| {
        let what = if waiting.goal == Goal::Ready { "not ready" } else { "not deleted" };
        let minutes = waited.as_secs() / 60;
        Err(Error::new(
            ErrorKind::DeadlineExceeded,
            format!("{kind} {} is {what} after {minutes} minutes", waiting.id),
        )
        .with_hint("check it in the cloud's console, or run again to keep waiting"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "Volume";
    const SECOND: Duration = Duration::from_secs(1);

    fn waiting(ids: &[(&str, Goal, u32)]) -> Settling {
        let mut settling = Settling::default();
        for (step, (id, goal, second)) in ids.iter().enumerate() {
            settling.add(KIND, step, (*id).to_owned(), *goal, Timing::default(), SECOND * *second);
        }
        settling
    }

    fn look(ids: &[&str], second: u32) -> Look {
        Look { ids: ids.iter().map(|&id| id.to_owned()).collect(), began: SECOND * second }
    }

    #[test]
    fn what_a_look_was_not_asked_for_is_not_gone() {
        let mut settling = waiting(&[("a", Goal::Gone, 1), ("b", Goal::Gone, 3)]);
        let verdicts = settling.judge(KIND, &look(&["a"], 2), &[]);
        assert_eq!(verdicts.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [0]);
        assert_eq!(settling.ids(KIND), ["b"]);
        assert_eq!(settling.judge(KIND, &look(&["b"], 4), &[]).len(), 1);
    }

    #[test]
    fn a_look_that_took_long_does_not_tell_of_what_was_made_meanwhile() {
        let mut settling = waiting(&[("a", Goal::Ready, 3)]);
        assert!(settling.judge(KIND, &look(&["a"], 2), &[]).is_empty());
        let verdicts = settling.judge(KIND, &look(&["a"], 120), &[]);
        assert!(verdicts[0].1.as_ref().unwrap_err().to_string().contains("disappeared"));
    }
}
