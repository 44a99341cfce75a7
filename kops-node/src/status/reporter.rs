//! Reporting events.

use std::time::Duration;

use super::{Event, State, Status};
use crate::clock::Clock;
use crate::store::{Precondition, Store};

/// How many events the document keeps.
const KEPT: usize = 40;
/// The minimum time between two writes, except for changes of the state: a boot has some fifty events.
const PACE: Duration = Duration::from_secs(5);

/// A destination for lines of text.
pub trait Journal {
    /// One line.
    fn line(&self, text: &str);
}

/// Reports events.
pub struct Reporter<'a> {
    /// The state store.
    pub store: &'a dyn Store,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The journal.
    pub journal: &'a dyn Journal,
    /// The document's key.
    pub key: String,
    /// The document.
    pub status: Status,
    /// When it was last written, or a write failed.
    pub written: Option<Duration>,
    /// Whether there are newer events.
    pub unwritten: bool,
}

impl std::fmt::Debug for Reporter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reporter").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Reporter<'_> {
    /// Reports an event.
    pub fn event(&mut self, what: &str) {
        self.add(what);
        self.tick();
    }

    /// Stores events that have not been stored for a while; called from time to time while waiting.
    pub fn tick(&mut self) {
        if self.written.is_none_or(|it| self.clock.elapsed().saturating_sub(it) >= PACE) {
            self.flush();
        }
    }

    /// Stores all events, before something that takes long.
    pub fn flush(&mut self) {
        if self.unwritten {
            self.write();
        }
    }

    /// Reports an event that changes the state.
    pub fn enter(&mut self, state: State, what: &str) {
        if self.status.state != state {
            (self.status.state, self.status.since) = (state, self.clock.now());
        }
        self.add(what);
        self.write();
    }

    fn add(&mut self, what: &str) {
        let what = redacted(what);
        self.unwritten = true;
        self.journal.line(&what);
        self.status.events.push(Event { at: self.clock.now(), what });
        let over = self.status.events.len().saturating_sub(KEPT);
        self.status.events.drain(..over);
    }

    /// A status that cannot be written is not a failure: the boot needs the store as well, and its error is
    /// in the journal.
    fn write(&mut self) {
        self.written = Some(self.clock.elapsed()); // also if it fails: a retry is not due at once
        let Ok(bytes) = serde_json::to_vec(&self.status) else { return };
        match self.store.write(&self.key, &bytes, Precondition::None) {
            Ok(_) => self.unwritten = false,
            Err(e) => self
                .journal
                .line(&format!("the status is not in the state store: {}", redacted(&e.to_string()))),
        }
    }
}

/// The text without anything that looks like a secret: bootstrap tokens, PEM, long strings of base64. Events
/// contain no secrets; this is for the output of other programs.
pub fn redacted(text: &str) -> String {
    let text = match text.find("-----BEGIN") {
        Some(at) => format!("{}<redacted>", &text[..at]),
        None => text.to_owned(),
    };
    let mut out = String::with_capacity(text.len());
    let inside = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '+' | '=' | '_');
    for word in text.split_inclusive(|it| !inside(it)) {
        let (word, rest) = match word.char_indices().last() {
            Some((at, last)) if !inside(last) => word.split_at(at),
            _ => (word, ""),
        };
        out.push_str(if is_token(word) || word.len() > 60 && !word.contains('.') {
            "<redacted>"
        } else {
            word
        });
        out.push_str(rest);
    }
    out
}

/// A bootstrap token: six characters, a dot, sixteen characters.
fn is_token(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    let small = |it: &str| it.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    word.split_once('.')
        .is_some_and(|(id, secret)| id.len() == 6 && secret.len() == 16 && small(id) && small(secret))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::store::Directory;
    use crate::testing::TestClock;

    #[derive(Default)]
    struct Lines(RefCell<Vec<String>>);

    impl Journal for Lines {
        fn line(&self, text: &str) {
            self.0.borrow_mut().push(text.to_owned());
        }
    }

    #[test]
    fn secrets_of_other_programs_are_not_passed_on() {
        assert_eq!(redacted("token abcdef.0123456789abcdef, and more"), "token <redacted>, and more");
        assert_eq!(redacted("key -----BEGIN EC PRIVATE KEY-----\nMHc"), "key <redacted>");
        assert_eq!(redacted(&format!("x={} y", "A".repeat(90))), "<redacted> y");
        let harmless = "GET https://a.etcd.internal.ha.example.com:2379/v3: HTTP 503, row 7: (v1.34.4)";
        assert_eq!(redacted(harmless), harmless);
    }

    const KEY: &str = "machines/nodes/i-1/status";

    fn reporter<'a>(store: &'a Directory, clock: &'a TestClock, journal: &'a Lines) -> Reporter<'a> {
        let status = Status {
            node: "i-1".to_owned(),
            state: State::Booting,
            since: clock.now(),
            kubernetes_version: "v1.34.4".to_owned(),
            bundle: "abc".to_owned(),
            attempts: 1,
            events: Vec::new(),
        };
        Reporter { store, clock, journal, key: KEY.to_owned(), status, written: None, unwritten: false }
    }

    fn stored(store: &Directory) -> Status {
        serde_json::from_slice(&store.read(KEY).unwrap().unwrap().bytes).unwrap()
    }

    #[test]
    fn a_status_that_was_not_written_is_written_later() {
        let root = tempfile::tempdir().unwrap();
        let (store, clock, lines) = (Directory::new(root.path()), TestClock::real(), Lines::default());
        let mut reporter = reporter(&store, &clock, &lines);
        let directory = root.path().join("machines");
        std::fs::write(&directory, "the store cannot be written").unwrap();
        reporter.enter(State::Waiting, "waiting for others");
        assert_eq!(lines.0.borrow().len(), 2, "the event, and that it is not in the store");
        std::fs::remove_file(&directory).unwrap();
        reporter.tick();
        assert!(store.read(KEY).unwrap().is_none(), "too soon");
        clock.sleep(PACE);
        reporter.tick();
        assert_eq!(stored(&store).events.last().unwrap().what, "waiting for others");
        assert!(!reporter.unwritten);
    }

    #[test]
    fn the_status_is_in_the_store_with_its_last_events() {
        let root = tempfile::tempdir().unwrap();
        let (store, clock, lines) = (Directory::new(root.path()), TestClock::real(), Lines::default());
        let mut reporter = reporter(&store, &clock, &lines);
        let last = || stored(&store).events.last().unwrap().what.clone();
        for n in 0..50 {
            reporter.event(&format!("event {n}"));
        }
        reporter.flush();
        assert_eq!(last(), "event 49", "before something that takes long");
        reporter.event("waiting for others");
        reporter.tick();
        assert_eq!(last(), "event 49", "too soon");
        clock.sleep(PACE);
        reporter.tick();
        assert_eq!(last(), "waiting for others", "nothing more was told");
        reporter.enter(State::Failed, "packages: no route");
        let stored = stored(&store);
        assert_eq!(stored.state, State::Failed);
        assert_eq!(stored.events.len(), KEPT);
        assert_eq!(stored.events.last().unwrap().what, "packages: no route");
        assert_eq!(lines.0.borrow().len(), 52);
    }
}
