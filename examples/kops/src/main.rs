//! kOps' command line, built on the public API of the kops crates only.

mod cli;
mod cloud;
mod commands;
mod editor;
mod environment;
mod interrupt;
mod manifest;
mod node_program;
mod operation;
mod output;
mod progress;
mod specification;
mod state;
mod target;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match commands::run(cli) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}
