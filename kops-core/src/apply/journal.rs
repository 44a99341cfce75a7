//! The default journal of an engine: none.

use async_trait::async_trait;

use crate::store::{Intent, IntentLog};
use crate::{Error, ErrorKind, Result};

/// For clouds whose objects all carry a name or a mark: stores nothing, and rejects intents.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NoJournal;

#[async_trait]
impl IntentLog for NoJournal {
    async fn intend(&self, key: &str, _: &str, _: &[String]) -> Result<Intent> {
        Err(Error::new(ErrorKind::Unsupported, "objects of this kind cannot be found again after a crash")
            .with_task(key)
            .with_hint("set a journal with Engine::journal"))
    }

    async fn done(&self, _: &Intent, _: &str) -> Result<()> {
        Ok(())
    }

    async fn abandon(&self, _: &Intent) -> Result<()> {
        Ok(())
    }

    async fn forget(&self, _: &str) -> Result<()> {
        Ok(())
    }

    async fn entries(&self) -> Result<Vec<Intent>> {
        Ok(Vec::new())
    }
}
