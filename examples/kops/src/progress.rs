//! The progress of an application: a live display on a terminal, plain lines elsewhere.
//!
//! A [`Board`] keeps book of the engine's events and says what there is to see; it knows no terminal. What
//! is done and what failed becomes lines that stay; what runs and what waits is redrawn below them.

mod board;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use kops_core::apply::EventStream;
use kops_core::clock::Clock;
use kops_core::plan::Plan;

use crate::output;
pub(crate) use board::span;

use board::Board;

/// How often a terminal is redrawn: often enough for seconds to tick.
const REDRAW: Duration = Duration::from_millis(250);
/// As many lines as fit below the log without filling a small terminal.
const LINES: usize = 12;

/// Shows the application of a plan.
#[derive(Debug)]
pub(crate) struct Progress {
    board: Board,
    clock: Arc<dyn Clock>,
}

impl Progress {
    pub(crate) fn new(plan: &Plan, clock: Arc<dyn Clock>) -> Self {
        Self { board: Board::new(plan), clock }
    }

    /// Shows events until there are no more.
    pub(crate) async fn show(self, events: EventStream) {
        if io::stderr().is_terminal() {
            self.draw(events).await;
        } else {
            self.log(events).await;
        }
    }

    async fn log(mut self, mut events: EventStream) {
        while let Some(event) = events.next().await {
            for line in self.board.note(&event.kind, self.clock.elapsed()) {
                output::note(line);
            }
        }
    }

    async fn draw(mut self, mut events: EventStream) {
        let mut screen = Screen::new();
        loop {
            let event = tokio::select! {
                event = events.next() => match event {
                    Some(event) => Some(event),
                    None => break,
                },
                () = self.clock.sleep(REDRAW) => None,
            };
            let now = self.clock.elapsed();
            if let Some(event) = event {
                for line in self.board.note(&event.kind, now) {
                    screen.say(&line);
                }
            }
            screen.draw(&self.board.headline(), &self.board.lines(now, LINES));
        }
        screen.clear();
    }
}

/// The lines below the log that are redrawn.
struct Screen {
    bars: MultiProgress,
    lines: Vec<ProgressBar>,
}

impl Screen {
    fn new() -> Self {
        Self { bars: MultiProgress::new(), lines: Vec::new() }
    }

    fn say(&self, line: &str) {
        // A terminal that is gone ends the program by a signal, not here.
        let _ = self.bars.println(line);
    }

    fn draw(&mut self, headline: &str, lines: &[String]) {
        let wanted = 1 + lines.len();
        while self.lines.len() < wanted {
            let bar = self.bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                bar.set_style(style);
            }
            self.lines.push(bar);
        }
        for bar in self.lines.drain(wanted..) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        let texts = std::iter::once(headline).chain(lines.iter().map(String::as_str));
        for (bar, text) in self.lines.iter().zip(texts) {
            if bar.message() != text {
                bar.set_message(text.to_owned());
            }
        }
    }

    fn clear(&mut self) {
        for bar in self.lines.drain(..) {
            bar.finish_and_clear();
        }
    }
}
