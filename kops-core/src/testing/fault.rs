//! Faults of calls, and the scripts that inject them.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::ErrorKind;

/// The operation of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Op {
    /// Lists objects.
    List,
    /// Creates an object.
    Create,
    /// Updates an object.
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

/// A call that is about to be made. Counts start at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call<'a> {
    /// The kind of the objects.
    pub kind: &'a str,
    /// The operation.
    pub op: Op,
    /// Its number among all calls.
    pub number: u64,
    /// Its number among the calls of this kind and operation.
    pub nth: u64,
    /// The number of changing calls so far, including this one. In a [`Saboteur`](super::Saboteur), a retried call
    /// has the number of its first attempt.
    pub mutations: u64,
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.op)
    }
}

/// A fault of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The call has no effect and fails with an error of this kind.
    Refuse(ErrorKind),
    /// The call has its effect, but its response is lost: it fails with [`ErrorKind::Unavailable`].
    Lose,
    /// The client dies before the call has an effect: neither this nor any other call returns.
    CrashBefore,
    /// The client dies after the call has had its effect, before it returns.
    CrashAfter,
    /// A created object is not visible for a while, neither to listings nor to calls that refer to it. Only for
    /// [`MemoryCloud`](super::MemoryCloud).
    Hide(Duration),
    /// A created object is failed. Only for [`MemoryCloud`](super::MemoryCloud).
    Break,
    /// The pages of a listing contain one object each. Only for [`MemoryCloud`](super::MemoryCloud).
    ShortPages,
}

/// Decides about the fault of each call.
pub(super) type Script = Box<dyn FnMut(&Call<'_>) -> Option<Fault> + Send>;

/// Random faults, determined by a seed.
///
/// The fault of a call depends on the seed, the kind, the operation and the number of the call among those, not on
/// the order of calls of different kinds.
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
    /// No faults yet.
    pub fn new(seed: u64) -> Self {
        Self { seed, faults: Vec::new() }
    }

    /// Adds a fault with a probability from 0 to 1, for all calls that can have it.
    pub fn fault(mut self, part: f64, fault: Fault) -> Self {
        self.faults.push((part, fault));
        self
    }

    /// Adds throttling with this probability.
    pub fn throttled(self, part: f64) -> Self {
        self.fault(part, Fault::Refuse(ErrorKind::Throttled))
    }

    /// Adds failures without an effect with this probability.
    pub fn unavailable(self, part: f64) -> Self {
        self.fault(part, Fault::Refuse(ErrorKind::Unavailable))
    }

    /// Adds lost responses with this probability.
    pub fn lost(self, part: f64) -> Self {
        self.fault(part, Fault::Lose)
    }

    /// Adds created objects that are not visible for this long, with this probability.
    pub fn hidden(self, part: f64, lag: Duration) -> Self {
        self.fault(part, Fault::Hide(lag))
    }

    /// Adds failed objects with this probability.
    pub fn broken(self, part: f64) -> Self {
        self.fault(part, Fault::Break)
    }

    /// The fault of a call: the first one, in the order of addition, that chance selects.
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

    /// Converts it to a script for [`MemoryCloud::inject`](super::MemoryCloud::inject) and
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
