//! The implementation of the commands.

mod access;
mod apply_file;
mod create_cluster;
mod create_group;
mod delete_cluster;
mod delete_group;
mod edit;
mod export;
mod get;
mod instances;
mod keypairs;
mod secrets;
mod update;
mod validate;

use std::process::ExitCode;

use kops_core::{Error, ErrorKind, Result};
use tokio::runtime::Builder;

use crate::cli::{
    Cli, Create, CreateWhat, Delete, DeleteWhat, Edit, Export, Global, Update, Validate, Verb, completion,
};
use crate::output;
use crate::state::State;

/// The outcome of a command that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did what was asked.
    Done,
    /// Changes are pending or the cluster is not healthy, and the exit code must say so.
    Pending,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Pending => Self::from(2),
        }
    }
}

/// Runs the command.
pub(crate) fn run(cli: Cli) -> Result<Outcome> {
    if cli.global.v.is_some() {
        output::note("Warning: -v has no effect (this program has no log; errors say what they are about)");
    }
    match cli.verb {
        Verb::Version => {
            output::print(concat!("kops ", env!("CARGO_PKG_VERSION")))?;
            Ok(Outcome::Done)
        }
        Verb::Completion { shell } => {
            output::print(completion(shell))?;
            Ok(Outcome::Done)
        }
        verb => {
            // The program mostly waits for responses: one thread is enough, and starting more costs time.
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Error::new(ErrorKind::Io, format!("the program cannot start: {error}")))?;
            runtime.block_on(Box::pin(carry_out(&cli.global, verb)))
        }
    }
}

async fn carry_out(global: &Global, verb: Verb) -> Result<Outcome> {
    // Printing a specification needs no store.
    if let Verb::Create(Create { what: Some(CreateWhat::Cluster(arguments)), .. }) = &verb
        && arguments.dry_run
    {
        return create_cluster::print(global, arguments).map(|()| Outcome::Done);
    }
    let state = State::open(global).await?;
    match verb {
        Verb::Create(create) => match create.what {
            Some(CreateWhat::Cluster(arguments)) => create_cluster::create(&state, &arguments).await,
            Some(CreateWhat::InstanceGroup(arguments)) => create_group::create(&state, &arguments).await,
            Some(CreateWhat::Keypair(arguments)) => keypairs::create(&state, &arguments).await,
            Some(CreateWhat::Secret(secret)) => secrets::create(&state, &secret).await,
            None => apply_file::create(&state, &create.files).await,
        },
        Verb::Replace(arguments) => apply_file::replace(&state, &arguments).await,
        Verb::Delete(delete) => carry_out_delete(&state, delete).await,
        Verb::Edit(Edit::Cluster(arguments)) => edit::cluster(&state, &arguments).await,
        Verb::Edit(Edit::InstanceGroup(arguments)) => edit::group(&state, &arguments).await,
        Verb::Get(arguments) => get::get(&state, arguments).await,
        Verb::Update(Update::Cluster(arguments)) => return update::update(&state, &arguments).await,
        Verb::Validate(Validate::Cluster(arguments)) => return validate::validate(&state, &arguments).await,
        Verb::Export(Export::Kubeconfig(arguments)) => export::kubeconfig(&state, &arguments).await,
        Verb::Version | Verb::Completion { .. } => Ok(()),
    }
    .map(|()| Outcome::Done)
}

async fn carry_out_delete(state: &State, delete: Delete) -> Result<()> {
    match delete.what {
        Some(DeleteWhat::Cluster(arguments)) => {
            let name = state.cluster_name(arguments.cluster.as_deref())?;
            if arguments.unregister {
                return delete_cluster::unregister(state, &name, arguments.consent).await;
            }
            delete_cluster::delete(state, &name, arguments.consent).await
        }
        Some(DeleteWhat::InstanceGroup(arguments)) => {
            let name = state.cluster_name(None)?;
            delete_group::delete(state, &name, &arguments.group, arguments.consent).await
        }
        None => apply_file::delete(state, &delete.files, delete.consent).await,
    }
}
