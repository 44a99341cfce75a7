//! How objects that take no tags tell whose they are: a line of text in a place that the cloud leaves to us.
//!
//! ```text
//! kops cluster=ha.example.com task=api.ha.example.com
//! ```

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Create, Object, Scope};

/// Whose an object is and which task it was made for, for objects that take no tags: a line of text in a
/// description, a comment, or whatever else a cloud leaves to its users.
///
/// ```
/// use kops_core::cloud::{Mark, Scope};
///
/// let mark = Mark { cluster: "ha.example.com".into(), task: "api.ha.example.com".into(), retained: false };
/// assert_eq!(mark.text(), "kops cluster=ha.example.com task=api.ha.example.com");
/// assert_eq!(Mark::read(&Scope::new("ha.example.com"), &mark.text()), Some(mark));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The scope.
    pub cluster: String,
    /// The task's name.
    pub task: String,
    /// Whether the object is never to be deleted.
    pub retained: bool,
}

const FIRST: &str = "kops";
/// What may stand in a word as it is: neither spaces nor anything that has to be quoted somewhere.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'/').remove(b'*');

impl Mark {
    /// The mark of an object that is about to be made.
    pub fn of_new<S>(request: &Create<'_, S>) -> Self {
        Self {
            cluster: request.scope.name().to_owned(),
            task: request.name.to_owned(),
            retained: request.retained,
        }
    }

    /// The mark of an object that is the scope's already.
    pub fn of<S>(scope: &Scope, task: &str, object: &Object<S>) -> Self {
        Self { cluster: scope.name().to_owned(), task: task.to_owned(), retained: object.retained }
    }

    /// What the text of each mark of a scope begins with, for clouds that can be asked for it.
    pub fn beginning(scope: &Scope) -> String {
        beginning(scope.name())
    }

    /// The line of text.
    pub fn text(&self) -> String {
        let mut text = beginning(&self.cluster);
        // Writing to a string does not fail.
        let _ = write!(text, "task={}", utf8_percent_encode(&self.task, PLAIN));
        if self.retained {
            text.push_str(" retained");
        }
        text
    }

    /// The mark in a text, if it is one of the scope's.
    pub fn read(scope: &Scope, text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        if words.next() != Some(FIRST) {
            return None;
        }
        let mut mark = Self { cluster: String::new(), task: String::new(), retained: false };
        for word in words {
            match word.split_once('=') {
                Some(("cluster", value)) => mark.cluster = decoded(value),
                Some(("task", value)) => mark.task = decoded(value),
                _ => mark.retained |= word == "retained",
            }
        }
        (mark.cluster == scope.name() && !mark.task.is_empty()).then_some(mark)
    }

    /// An object of the scope that carries this mark.
    pub fn object<S>(self, id: impl Into<String>, spec: S) -> Object<S> {
        Object { retained: self.retained, ..Object::owned(id, self.task, spec) }
    }
}

fn beginning(cluster: &str) -> String {
    // With the space after it: no other scope's name begins like that.
    format!("{FIRST} cluster={} ", utf8_percent_encode(cluster, PLAIN))
}

fn decoded(word: &str) -> String {
    percent_decode_str(word).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let scope = Scope::new("a scope");
        for retained in [false, true] {
            let mark = Mark { cluster: "a scope".into(), task: "*.b=\"c\" d".into(), retained };
            assert!(!mark.text().contains(['"', '\\']), "{}", mark.text());
            assert!(mark.text().starts_with(&Mark::beginning(&scope)), "{}", mark.text());
            assert!(!mark.text().starts_with(&Mark::beginning(&Scope::new("a"))), "{}", mark.text());
            assert_eq!(Mark::read(&scope, &mark.text()), Some(mark));
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
