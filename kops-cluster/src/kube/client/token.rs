//! The tokens with which a client authenticates.

use std::fmt;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::kubeconfig::{Exec, Token};
use kops_core::{Error, ErrorKind, Result};

/// A source of tokens, and the last one that a program printed.
pub(super) struct Tokens {
    from: Token,
    printed: Mutex<Option<Zeroizing<String>>>,
}

/// Without the token.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("from", &self.from).finish_non_exhaustive()
    }
}

/// What a program prints.
#[derive(Deserialize)]
struct ExecCredential {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    token: Option<String>,
}

impl Tokens {
    pub(super) fn new(from: Token) -> Self {
        Self { from, printed: Mutex::default() }
    }

    /// The token to send.
    pub(super) async fn current(&self) -> Result<Zeroizing<String>> {
        match &self.from {
            Token::Text(token) => Ok(token.clone()),
            // Read each time: it is small, and another program renews it.
            Token::File(path) => read(path),
            Token::Exec(exec) => {
                let known = self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(token) = known {
                    return Ok(token);
                }
                let token = run(exec).await?;
                *self.printed.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
                Ok(token)
            }
        }
    }

    /// Whether a new token may be accepted, after the API server rejected this one.
    pub(super) fn forget(&self) -> bool {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

fn read(path: &str) -> Result<Zeroizing<String>> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(ErrorKind::Io, format!("{path}, which the kubeconfig names, cannot be read: {error}"))
    })?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// Runs the program as kubectl does, without a terminal.
async fn run(exec: &Exec) -> Result<Zeroizing<String>> {
    let failed = |why: String| {
        let error = Error::new(
            ErrorKind::Unauthenticated,
            format!("the kubeconfig's program {} {why}", exec.command),
        );
        error.with_hint(exec.install_hint.clone().unwrap_or_else(|| "run it manually to see why".to_owned()))
    };
    let about =
        json!({"apiVersion": exec.api_version, "kind": "ExecCredential", "spec": {"interactive": false}});
    let variables = exec.env.iter().flatten().map(|it| (&it.name, &it.value));
    let ran = tokio::process::Command::new(&exec.command)
        .args(exec.args.iter().flatten())
        .envs(variables)
        .env("KUBERNETES_EXEC_INFO", about.to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    if !ran.status.success() {
        return Err(failed(format!("exited with {}", ran.status)));
    }
    // The output is secret: nothing of it is in the error.
    let printed = Zeroizing::new(ran.stdout);
    let credential: Option<ExecCredential> = serde_json::from_slice(&printed).ok();
    let token = credential.and_then(|it| it.status.token).filter(|it| !it.is_empty());
    token.map(Zeroizing::new).ok_or_else(|| failed("printed no ExecCredential with a token".to_owned()))
}
