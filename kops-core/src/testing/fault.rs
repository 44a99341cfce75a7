//! What can go wrong with a call, and who decides that it does.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::ErrorKind;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// Reads objects.
    List,
    /// Makes an object.
    Create,
    /// Changes an object.
    Update,
    /// Deletes an object.
    Delete,
}

impl Op {
    /// Whether the call changes the cloud.
    pub fn mutates(self) -> bool {
        self != Self::List
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        })
    }
}

/// A call about to be made. Counts start at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// The kind of the objects.
    pub kind: &'a str,
    /// What it does.
    pub op: Op,
    /// Which one it is of all calls.
    pub number: u64,
    /// Which one it is of the calls with this kind and operation.
    pub nth: u64,
    /// How many calls that change the cloud there have been, this one included; in front of handlers
    /// ([`Saboteur`](super::Saboteur)) one that repeats another has the number of that one.
    pub mutations: u64,
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.op)
    }
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing is done; the answer is an error of this kind.
    Refuse(ErrorKind),
    /// It is done, but the answer gets lost: the caller sees [`ErrorKind::Unavailable`].
    Lose,
    /// The caller dies before anything is done: the call never returns, and no other does either.
    CrashBefore,
    /// The caller dies when it is done and before the answer is there.
    CrashAfter,
    /// A created object is not seen by listings for a while, nor by calls that refer to it. Of
    /// [`MemoryCloud`](super::MemoryCloud) only.
    Hide(Duration),
    /// A created object comes out failed. Of [`MemoryCloud`](super::MemoryCloud) only.
    Break,
    /// A listing's pages hold one object each. Of [`MemoryCloud`](super::MemoryCloud) only.
    ShortPages,
}

/// Decides what happens to each call.
pub(super) type Script = Box<dyn FnMut(&Call<'_>) -> Option<Fault> + Send>;

/// Faults at random, the same for the same seed.
///
/// What happens to a call depends on the seed, its kind, its operation and how many of these there have been,
/// not on how calls of other kinds interleave with it.
///
/// ```
/// use kops_core::testing::{Chaos, MemoryCloud};
///
/// let cloud = MemoryCloud::new();
/// cloud.inject(Chaos::new(7).throttled(0.1).lost(0.05).script());
/// ```
#[derive(Clone, Debug)]
pub struct Chaos {
    seed: u64,
    faults: Vec<(f64, Fault)>,
}

impl Chaos {
    /// No fault at all, so far.
    pub fn new(seed: u64) -> Self {
        Self { seed, faults: Vec::new() }
    }

    /// Adds a fault that befalls this part of the calls that it can befall, from 0 to 1.
    pub fn fault(mut self, part: f64, fault: Fault) -> Self {
        self.faults.push((part, fault));
        self
    }

    /// This part of the calls is throttled.
    pub fn throttled(self, part: f64) -> Self {
        self.fault(part, Fault::Refuse(ErrorKind::Throttled))
    }

    /// This part of the calls fails with nothing done.
    pub fn unavailable(self, part: f64) -> Self {
        self.fault(part, Fault::Refuse(ErrorKind::Unavailable))
    }

    /// This part of the calls is done, and the answer gets lost.
    pub fn lost(self, part: f64) -> Self {
        self.fault(part, Fault::Lose)
    }

    /// This part of the created objects is not seen for this long.
    pub fn hidden(self, part: f64, lag: Duration) -> Self {
        self.fault(part, Fault::Hide(lag))
    }

    /// This part of the created objects comes out failed.
    pub fn broken(self, part: f64) -> Self {
        self.fault(part, Fault::Break)
    }

    /// What happens to a call: the first of the faults, in the order they were added, that the dice choose.
    pub fn decide(&self, call: &Call<'_>) -> Option<Fault> {
        let mut hasher = DefaultHasher::new();
        (self.seed, call.kind, call.op, call.nth).hash(&mut hasher);
        let mut dice = fastrand::Rng::with_seed(hasher.finish());
        self.faults
            .iter()
            .filter(|(_, fault)| match fault {
                Fault::Hide(_) | Fault::Break => call.op == Op::Create,
                Fault::ShortPages => call.op == Op::List,
                _ => true,
            })
            .find(|(part, _)| dice.f64() < *part)
            .map(|(_, fault)| *fault)
    }

    /// The chaos as a script, for [`MemoryCloud::inject`](super::MemoryCloud::inject) and
    /// [`Saboteur::inject`](super::Saboteur::inject).
    pub fn script(self) -> impl FnMut(&Call<'_>) -> Option<Fault> + Send + 'static {
        move |call| self.decide(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(op: Op, nth: u64) -> Call<'static> {
        Call { kind: "Network", op, number: nth, nth, mutations: nth }
    }

    #[test]
    fn the_same_seed_means_the_same_faults() {
        let faults = |seed| {
            let chaos = Chaos::new(seed).throttled(0.2).lost(0.2);
            (1..200).map(|nth| chaos.decide(&call(Op::Create, nth))).collect::<Vec<_>>()
        };
        assert_eq!(faults(1), faults(1));
        assert_ne!(faults(1), faults(2));
    }

    #[test]
    fn faults_come_about_as_often_as_asked() {
        let chaos = Chaos::new(3).throttled(0.25);
        let hit = (1..=1000).filter(|nth| chaos.decide(&call(Op::List, *nth)).is_some()).count();
        assert!((200..300).contains(&hit), "{hit}");
    }

    #[test]
    fn only_what_is_created_can_be_hidden() {
        let chaos = Chaos::new(0).hidden(1.0, Duration::from_secs(1));
        assert_eq!(chaos.decide(&call(Op::Update, 1)), None);
        assert_eq!(chaos.decide(&call(Op::Create, 1)), Some(Fault::Hide(Duration::from_secs(1))));
    }
}
