//! What happens while a plan is applied, as a stream of values for a program to show.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::Error;
use crate::graph::Key;
use crate::plan::Action;

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// An application begins; so many steps are ahead.
    Began {
        /// How many objects will be made, changed or deleted.
        steps: usize,
    },
    /// A step began.
    Started {
        /// The task.
        task: Key,
        /// What is done.
        action: Action,
    },
    /// A call failed and will be tried again.
    Retrying {
        /// The task.
        task: Key,
        /// Why.
        error: Arc<Error>,
        /// When.
        wait: Duration,
    },
    /// The call is answered; the object does not work, or is not gone, yet.
    Settling {
        /// The task.
        task: Key,
        /// What was done.
        action: Action,
    },
    /// A step is done.
    Finished {
        /// The task.
        task: Key,
        /// What was done.
        action: Action,
        /// The object's identifier.
        id: String,
        /// How long it took from its start.
        took: Duration,
    },
    /// A step failed for good.
    Failed {
        /// The task.
        task: Key,
        /// What was tried.
        action: Action,
        /// Why.
        error: Arc<Error>,
    },
    /// A step will not begin, because one that it needs failed.
    Blocked {
        /// The task.
        task: Key,
        /// What would have been done.
        action: Action,
        /// The failed task at the root of it.
        by: Key,
    },
}

/// Where events go.
#[derive(Clone, Debug, Default)]
pub struct EventSink(Option<mpsc::UnboundedSender<Event>>);

/// Where events come from; ends when the engine is done with them.
#[derive(Debug)]
pub struct EventStream(mpsc::UnboundedReceiver<Event>);

/// A sink for an engine and the stream of what goes into it.
pub fn events() -> (EventSink, EventStream) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (EventSink(Some(sender)), EventStream(receiver))
}

impl EventSink {
    pub(crate) fn send(&self, event: Event) {
        if let Some(sender) = &self.0 {
            // Nobody listens any more: fine.
            let _ = sender.send(event);
        }
    }
}

impl EventStream {
    /// The next event; `None` when there will be none.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}
