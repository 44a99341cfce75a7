//! Taking over objects: those of others that a task adopts, and those of a task's previous name.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Known, Note, Planner, judge, kind_of, top_member};
use crate::cloud::{DynHandler, Observed, Owner};
use crate::graph::{Key, Lifecycle, Task};
use crate::plan::Action;
use crate::{Error, ErrorKind, Result};

/// The objects of which a task takes over one.
pub(super) struct TakeOver<'a> {
    objects: Vec<&'a Arc<Observed>>,
    /// The task's previous key; `None` if the object belongs to someone else.
    from: Option<Key>,
}

impl<'a> Planner<'a> {
    /// The objects that a task takes over: a foreign one that it adopts, or those created under its previous name.
    /// `None` if it has an object of its own, or nothing to take over.
    pub(super) fn to_take_over(&self, task: &Task) -> Result<Option<TakeOver<'a>>> {
        let live = |key: &Key| -> Vec<&'a Arc<Observed>> {
            let all = self.by_key.get(key).into_iter().flatten();
            all.filter(|it| it.object.state.is_live()).copied().collect()
        };
        if !live(&task.key).is_empty() {
            return Ok(None);
        }
        if let Lifecycle::Adopted { selector } = &task.lifecycle {
            let object = self.shared(&task.key, selector)?;
            if object.object.owner == Owner::Scope {
                let name = object.object.name.as_deref().unwrap_or(&object.object.id);
                return Err(Error::invalid(format!(
                    "{} is owned by this scope already, as {}/{name}",
                    object.object.id,
                    task.key.kind()
                ))
                .with_task(&task.key)
                .with_hint("if the task was renamed, declare that with GraphBuilder::renamed"));
            }
            if let Some(why) = &object.object.unadoptable {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("{} cannot be adopted: {why}", object.object.id),
                )
                .with_task(&task.key)
                .with_hint(
                    "share it, or create another one; a scope gives an object up when its marks are removed",
                ));
            }
            return Ok(Some(TakeOver { objects: vec![object], from: None }));
        }
        let Some(former) = &task.options.former_name else { return Ok(None) };
        let former = Key::new(task.key.kind(), former);
        let objects = live(&former);
        Ok((!objects.is_empty()).then_some(TakeOver { objects, from: Some(former) }))
    }

    pub(super) fn take_over(
        &mut self,
        handler: &dyn DynHandler,
        task: &'a Task,
        found: &TakeOver<'a>,
    ) -> Result<()> {
        let wanted = self.wanted(handler, task)?;
        let Some((object, fields)) = self.best_match(handler, task, &wanted, &found.objects) else {
            return Err(Error::internal("nothing to take over").with_task(&task.key));
        };
        let (action, reason, fields) = judge(handler, task, &wanted, object, fields)?;
        let replaced = action == Some(Action::Replace);
        if replaced && found.from.is_none() {
            let why = reason.unwrap_or_default();
            return Err(Error::invalid(format!("{} cannot be adopted as it is: {why}", object.object.id))
                .with_task(&task.key)
                .with_hint("specify those fields as in the object, or add the task without adopting it"));
        }
        if !replaced && !handler.can_adopt() {
            let (what, hint) = match &found.from {
                None => ("adopted", "share it, or create another one"),
                Some(_) => (
                    "renamed",
                    "keep the task's name, or remove the declaration that it was renamed to create a new object",
                ),
            };
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("objects of kind {} cannot be {what}", task.key.kind()),
            )
            .with_task(&task.key)
            .with_hint(hint));
        }
        self.matched.insert((kind_of(self.snapshot, &task.key), &object.object.id));
        let changed: BTreeSet<_> = fields.iter().map(|field| top_member(&field.path).to_owned()).collect();
        if replaced {
            let note = Note { reason, fields, wanted: Some(wanted) };
            self.settle(task, Some(Action::Replace), Some(object), note, changed, Vec::new());
            return Ok(());
        }
        let volatile = handler.volatile_outputs(&changed);
        self.outputs.insert(task.key.clone(), Known { object, volatile });
        let reason = match &found.from {
            None => "it exists, but is not owned by this scope yet".to_owned(),
            Some(former) => format!("renamed from {former}"),
        };
        let note = Note { reason: Some(reason), fields, wanted: Some(wanted) };
        self.settle(task, Some(Action::Adopt), Some(object), note, changed, Vec::new());
        Ok(())
    }
}
