//! What credentials may do.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Context, Scope};
use crate::Result;
use crate::graph::TaskGraph;

/// Finds out what credentials may do, before anything is made.
#[async_trait]
pub trait Permissions: Send + Sync {
    /// The actions that applying the native `graph` needs and the credentials lack.
    async fn missing(&self, graph: &TaskGraph, scope: &Scope, cx: &Context)
    -> Result<Vec<MissingPermission>>;

    /// The least that credentials must be allowed for a scope, in the cloud's policy language.
    fn least(&self, scope: &Scope) -> Value;
}

/// An action that the credentials lack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MissingPermission {
    /// The action, as the cloud's policies name it.
    pub action: String,
    /// The kinds of objects that need it.
    pub needed_for: Vec<String>,
}
