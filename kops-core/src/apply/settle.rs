//! Waiting until objects work, or are gone: one poll for each kind, for all of its objects together.
//!
//! Who waits here holds no slot of the rate limiter. The first looks come soon, later ones further apart;
//! none skips the moment at which the kind's objects usually are done.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::cloud::{Observed, State, Timing};
use crate::{Error, ErrorKind};

/// The soonest look after an object was made.
const FIRST: Duration = Duration::from_millis(200);
/// A new object may be missing from listings for a while: so long it counts as on its way.
const INVISIBLE: Duration = Duration::from_mins(1);
/// No object of any cloud takes longer to work, or to go.
const DEADLINE: Duration = Duration::from_mins(30);

/// What a waiting step waits for.
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
}

/// The steps that wait, by kind.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    kinds: BTreeMap<String, HashMap<usize, Waiting>>,
}

/// What a look showed about a step.
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
        let waiting = Waiting { id, goal, since: now, expected };
        self.kinds.entry(kind.to_owned()).or_default().insert(step, waiting);
    }

    pub(crate) fn is_waiting(&self, kind: &str) -> bool {
        self.kinds.get(kind).is_some_and(|steps| !steps.is_empty())
    }

    /// The identifiers to look for, each once.
    pub(crate) fn ids(&self, kind: &str) -> Vec<String> {
        let waiting = self.kinds.get(kind).into_iter().flatten();
        let mut ids: Vec<_> = waiting.map(|(_, it)| it.id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// How long until the next look at a kind.
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

    /// Takes out the steps that a look has decided.
    pub(crate) fn judge(&mut self, kind: &str, found: &[Observed], now: Duration) -> Vec<Verdict> {
        let by_id: HashMap<&str, &Observed> = found.iter().map(|it| (it.object.id.as_str(), it)).collect();
        let Some(steps) = self.kinds.get_mut(kind) else { return Vec::new() };
        let mut verdicts: Vec<Verdict> = steps
            .iter()
            .filter_map(|(&step, waiting)| {
                Some((step, verdict(kind, waiting, by_id.get(waiting.id.as_str()).copied(), now)?))
            })
            .collect();
        verdicts.sort_by_key(|(step, _)| *step);
        for (step, _) in &verdicts {
            steps.remove(step);
        }
        verdicts
    }

    /// Takes out everybody who waits for a kind.
    pub(crate) fn give_up(&mut self, kind: &str) -> Vec<usize> {
        let mut steps: Vec<_> = self.kinds.remove(kind).unwrap_or_default().into_keys().collect();
        steps.sort_unstable();
        steps
    }

    /// Takes out everybody.
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
                .hint("run again: it will be replaced")));
        }
        (Goal::Ready, Some(State::Deleting | State::Gone)) => {
            return Some(Err(Error::new(
                ErrorKind::Conflict,
                format!("{} was deleted meanwhile", waiting.id),
            )
            .hint("somebody else is at work on this; run again when they are done")));
        }
        // It may have failed before, and listings lag; after a while it is the deletion that failed.
        (Goal::Gone, Some(State::Failed(why))) if waited > INVISIBLE => {
            return Some(Err(Error::new(
                ErrorKind::Failed,
                format!("{} could not be deleted: {why}", waiting.id),
            )
            .hint("see what still uses it; run again: it will be deleted again")));
        }
        (Goal::Ready, None) if waited > INVISIBLE => {
            return Some(Err(Error::not_found(format!("{} vanished after it was made", waiting.id))));
        }
        _ => {}
    }
    (waited > DEADLINE).then(|| {
        let what = if waiting.goal == Goal::Ready { "does not work" } else { "is not gone" };
        let minutes = waited.as_secs() / 60;
        Err(Error::new(
            ErrorKind::DeadlineExceeded,
            format!("the {kind} {} {what} after {minutes} minutes", waiting.id),
        )
        .hint("look at it in the cloud's console; run again to wait on"))
    })
}
