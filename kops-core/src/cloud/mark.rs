//! Marks of objects that cannot have tags: a line of text in a field that the cloud does not interpret.
//!
//! ```text
//! kops cluster=ha.example.com task=api.ha.example.com
//! kops cluster=shop within=eu region=eu-central-1 task=nodes.eu
//! ```

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode_str, utf8_percent_encode};

use super::{Create, Object, Scope};

/// The owner and task of an object that cannot have tags: a line of text in a description, a comment, or another
/// field that the cloud does not interpret.
///
/// ```
/// use kops_core::cloud::{Mark, Scope};
///
/// let scope = Scope::new("ha.example.com");
/// let mark = Mark::new(&scope, "api.ha.example.com");
/// assert_eq!(mark.text(), "kops cluster=ha.example.com task=api.ha.example.com");
/// assert_eq!(Mark::read(&scope, &mark.text()), Some(mark.clone()));
/// // A scope of the same name in another place is another scope.
/// assert_eq!(Mark::read(&scope.within("eu"), &mark.text()), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mark {
    /// The scope's name.
    pub scope: String,
    /// The scope's place, if it has one.
    pub place: Option<String>,
    /// The region, for kinds whose listings are not confined to one.
    pub region: Option<String>,
    /// The task's name.
    pub task: String,
    /// Whether the object is retained.
    pub retained: bool,
}

const FIRST: &str = "kops";
/// Characters that need no escaping: no spaces, nor anything that has to be quoted somewhere.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'/').remove(b'*');

impl Mark {
    /// The mark of an object of a scope's task; not retained.
    pub fn new(scope: &Scope, task: impl Into<String>) -> Self {
        Self {
            scope: scope.name().to_owned(),
            place: scope.place().map(str::to_owned),
            region: scope.region().map(str::to_owned),
            task: task.into(),
            retained: false,
        }
    }

    /// The mark for another task.
    pub fn for_task(self, task: impl Into<String>) -> Self {
        Self { task: task.into(), ..self }
    }

    /// The mark of an object to create.
    pub fn of_new<S>(request: &Create<'_, S>) -> Self {
        Self { retained: request.retained, ..Self::new(request.scope, request.name) }
    }

    /// The mark of an object that the scope owns already.
    pub fn of<S>(scope: &Scope, task: &str, object: &Object<S>) -> Self {
        Self { retained: object.retained, ..Self::new(scope, task) }
    }

    /// The common prefix of all marks of a scope, for clouds that can filter by it.
    pub fn beginning(scope: &Scope) -> String {
        Self::new(scope, "").start()
    }

    /// The line of text.
    pub fn text(&self) -> String {
        let mut text = self.start();
        // Writing to a string never fails.
        let _ = write!(text, "{}", encoded(&self.task));
        if self.retained {
            text.push_str(" retained");
        }
        text
    }

    /// Everything before the task; no other scope's marks start with it.
    fn start(&self) -> String {
        let mut text = format!("{FIRST} cluster={} ", encoded(&self.scope));
        for (word, value) in [("within", &self.place), ("region", &self.region)] {
            if let Some(value) = value {
                let _ = write!(text, "{word}={} ", encoded(value));
            }
        }
        text.push_str("task=");
        text
    }

    /// Parses a mark; `None` if it is not one of the scope's.
    pub fn read(scope: &Scope, text: &str) -> Option<Self> {
        Self::parse(text).filter(|mark| mark.owner() == scope.unlabelled())
    }

    /// The other scope that a text names, if it is the mark of another one.
    ///
    /// ```
    /// use kops_core::cloud::{Mark, Scope};
    ///
    /// let theirs = Scope::new("shop").within("eu");
    /// let text = Mark::new(&theirs, "front").text();
    /// assert_eq!(Mark::other(&Scope::new("shop"), &text), Some(theirs.clone()));
    /// assert_eq!(Mark::other(&theirs, &text), None);
    /// assert_eq!(Mark::other(&theirs, "created by hand"), None);
    /// ```
    pub fn other(scope: &Scope, text: &str) -> Option<Scope> {
        Self::parse(text).map(|mark| mark.owner()).filter(|owner| *owner != scope.unlabelled())
    }

    /// The scope that it names.
    fn owner(&self) -> Scope {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        Scope::new(self.scope.clone()).within(part(&self.place)).at(&part(&self.region))
    }

    /// Parses a mark of any scope.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        if words.next() != Some(FIRST) {
            return None;
        }
        let mut mark =
            Self { scope: String::new(), place: None, region: None, task: String::new(), retained: false };
        for word in words {
            match word.split_once('=') {
                Some(("cluster", value)) => mark.scope = decoded(value),
                Some(("within", value)) => mark.place = Some(decoded(value)),
                Some(("region", value)) => mark.region = Some(decoded(value)),
                Some(("task", value)) => mark.task = decoded(value),
                _ => mark.retained |= word == "retained",
            }
        }
        (!mark.scope.is_empty() && !mark.task.is_empty()).then_some(mark)
    }

    /// An object of the scope with this mark.
    pub fn object<S>(self, id: impl Into<String>, spec: S) -> Object<S> {
        Object { retained: self.retained, ..Object::owned(id, self.task, spec) }
    }
}

fn encoded(word: &str) -> PercentEncode<'_> {
    utf8_percent_encode(word, PLAIN)
}

fn decoded(word: &str) -> String {
    percent_decode_str(word).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scopes that differ in one property each.
    fn scopes() -> Vec<Scope> {
        let names = ["a scope", "a", "a within=eu"].map(Scope::new);
        let places =
            names.iter().flat_map(|it| [it.clone(), it.clone().within("eu"), it.clone().within("us")]);
        let mut all: Vec<Scope> = places.collect();
        let regions: Vec<Scope> = all.iter().flat_map(|it| [it.at("eu"), it.at("us")]).collect();
        all.extend(regions);
        all
    }

    #[test]
    fn a_mark_is_read_as_it_was_written_by_its_own_scope_alone() {
        for scope in scopes() {
            for retained in [false, true] {
                let mark = Mark { retained, ..Mark::new(&scope, "*.b=\"c\" d") };
                let text = mark.text();
                assert!(!text.contains(['"', '\\']), "{text}");
                for other in scopes() {
                    let is_it = other == scope;
                    assert_eq!(text.starts_with(&Mark::beginning(&other)), is_it, "{text} {other}");
                    assert_eq!(Mark::read(&other, &text), is_it.then(|| mark.clone()), "{text} {other}");
                }
            }
        }
    }

    #[test]
    fn other_texts_are_no_marks_of_the_scope() {
        let scope = Scope::new("demo");
        for text in ["", "hello", "kops", "kops cluster=demo", "kops cluster=demo.x task=a", "made by hand"] {
            assert_eq!(Mark::read(&scope, text), None, "{text}");
        }
    }
}
