//! Saved plans, and the common form in which plans are written and shown.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::Value;

use super::{Change, FORMAT, Plan, Pruning, Summary, TextOptions};
use crate::cloud::Scope;
use crate::digest::Hasher;
use crate::graph::Key;
use crate::{Error, Result};

/// The content of a plan that is written, read and shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Content<'a> {
    format: Cow<'a, str>,
    pub(super) scope: Cow<'a, Scope>,
    pub(super) cloud: Cow<'a, str>,
    location: Cow<'a, str>,
    fingerprint: Cow<'a, str>,
    pruning: Cow<'a, Pruning>,
    pub(super) summary: Summary,
    pub(super) changes: Cow<'a, [Change]>,
    pub(super) deferred: Cow<'a, [Change]>,
    pub(super) pending: Cow<'a, [Key]>,
    unchanged: Cow<'a, [Key]>,
    pub(super) warnings: Cow<'a, [String]>,
}

impl Plan {
    pub(super) fn content(&self) -> Content<'_> {
        Content {
            format: Cow::Borrowed(&self.format),
            scope: Cow::Borrowed(&self.scope),
            cloud: Cow::Borrowed(&self.cloud),
            location: Cow::Borrowed(&self.location),
            fingerprint: Cow::Borrowed(&self.fingerprint),
            pruning: Cow::Borrowed(&self.pruning),
            summary: self.summary,
            changes: Cow::Borrowed(&self.changes),
            deferred: Cow::Borrowed(&self.deferred),
            pending: Cow::Borrowed(&self.pending),
            unchanged: Cow::Borrowed(&self.unchanged),
            warnings: Cow::Borrowed(&self.warnings),
        }
    }
}

/// The member with the digest of all others.
const DIGEST: &str = "digest";

/// The digest of a serialised plan, without its own: it depends on the content, not on the order of members or on
/// spaces.
fn digest(document: &Value) -> String {
    let mut hasher = Hasher::default();
    hasher.document(document);
    hasher.finish()
}

/// The content, with its digest.
#[derive(Serialize)]
struct Sealed<'a> {
    #[serde(flatten)]
    content: &'a Content<'a>,
    digest: String,
}

impl Content<'_> {
    /// Serialises the content, sealed with its digest.
    pub(super) fn seal<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document = serde_json::to_value(self).map_err(ser::Error::custom)?;
        Sealed { content: self, digest: digest(&document) }.serialize(serializer)
    }
}

/// A plan that was serialised and read back by a reviewer or the process that applies it.
///
/// It contains everything that the [`Plan`] shows, and is applied with
/// [`Engine::apply_saved`](crate::Engine::apply_saved). Reading an unknown [format](FORMAT) fails, and so does reading
/// a plan that was edited or truncated: the member `digest` is a digest of all others. It is not a signature: whoever
/// edits a plan on purpose can compute another digest, but the engine only applies a plan that shows the same changes
/// as its own.
///
/// ```
/// # #[cfg(feature = "testing")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use kops_core::Engine;
/// use kops_core::cloud::Scope;
/// use kops_core::graph::TaskGraph;
/// use kops_core::plan::SavedPlan;
/// use kops_core::resource::Network;
/// # let cloud = Arc::new(kops_core::testing::MemoryCloud::new());
///
/// let mut graph = TaskGraph::builder();
/// graph.add("main", Network::new(["10.0.0.0/16".parse()?]));
/// let graph = graph.build()?;
///
/// // One process plans, and writes the plan and the graph (which contains secrets, if there are any) …
/// let plan = Engine::new(cloud.clone(), Scope::new("shop")).plan(&graph).await?;
/// let (plan, graph) = (serde_json::to_string(&plan)?, serde_json::to_string(&graph)?);
///
/// // … another one applies exactly this plan.
/// let saved: SavedPlan = serde_json::from_str(&plan)?;
/// assert_eq!(saved.headline(), "shop on memory: 1 to create; 0 unchanged.");
/// let graph: TaskGraph = serde_json::from_str(&graph)?;
/// Engine::new(cloud, Scope::new("shop")).apply_saved(&saved, &graph).await?.into_result()?;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "testing"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SavedPlan(Content<'static>);

impl From<&Plan> for SavedPlan {
    fn from(plan: &Plan) -> Self {
        let content = plan.content();
        Self(Content {
            format: Cow::Owned(content.format.into_owned()),
            scope: Cow::Owned(content.scope.into_owned()),
            cloud: Cow::Owned(content.cloud.into_owned()),
            location: Cow::Owned(content.location.into_owned()),
            fingerprint: Cow::Owned(content.fingerprint.into_owned()),
            pruning: Cow::Owned(content.pruning.into_owned()),
            summary: content.summary,
            changes: Cow::Owned(content.changes.into_owned()),
            deferred: Cow::Owned(content.deferred.into_owned()),
            pending: Cow::Owned(content.pending.into_owned()),
            unchanged: Cow::Owned(content.unchanged.into_owned()),
            warnings: Cow::Owned(content.warnings.into_owned()),
        })
    }
}

impl Serialize for SavedPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.seal(serializer)
    }
}

impl<'de> Deserialize<'de> for SavedPlan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // First the format, because everything else may differ in other formats.
        let mut document = Value::deserialize(deserializer)?;
        let format = document.get("format").and_then(Value::as_str).unwrap_or_default();
        require_format(format).map_err(de::Error::custom)?;
        let sealed = document.as_object_mut().and_then(|members| members.remove(DIGEST));
        require_unedited(sealed.as_ref(), &document).map_err(de::Error::custom)?;
        Content::deserialize(document).map(Self).map_err(de::Error::custom)
    }
}

fn require_unedited(sealed: Option<&Value>, document: &Value) -> Result<()> {
    if sealed.and_then(Value::as_str).is_some_and(|sealed| sealed == digest(document)) {
        return Ok(());
    }
    Err(Error::invalid("the plan was edited, or is incomplete: its content does not match its digest")
        .with_hint("change the specification instead of the plan, and plan again"))
}

fn require_format(format: &str) -> Result<()> {
    if format == FORMAT {
        return Ok(());
    }
    Err(Error::invalid(format!("the plan has format {format:?}, but this version reads {FORMAT}"))
        .with_hint("plan again with this version"))
}

impl SavedPlan {
    /// The plan's scope.
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// The name of the plan's cloud.
    pub fn cloud(&self) -> &str {
        &self.0.cloud
    }

    /// The account and region: [`Cloud::location`](crate::cloud::Cloud::location).
    pub fn location(&self) -> &str {
        &self.0.location
    }

    /// See [`Plan::fingerprint`].
    pub fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// See [`Plan::pruning`].
    pub fn pruning(&self) -> &Pruning {
        &self.0.pruning
    }

    /// See [`Plan::summary`].
    pub fn summary(&self) -> Summary {
        self.0.summary
    }

    /// See [`Plan::changes`].
    pub fn changes(&self) -> &[Change] {
        &self.0.changes
    }

    /// See [`Plan::deferred`].
    pub fn deferred(&self) -> &[Change] {
        &self.0.deferred
    }

    /// See [`Plan::pending`].
    pub fn pending(&self) -> &[Key] {
        &self.0.pending
    }

    /// See [`Plan::unchanged`].
    pub fn unchanged(&self) -> &[Key] {
        &self.0.unchanged
    }

    /// See [`Plan::warnings`].
    pub fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    /// Whether the plan shows the same changes as a current one, except for what may differ between plans with one
    /// fingerprint: what is waited for, and the text of a cloud's failure.
    pub(crate) fn shows(&self, now: &Plan) -> bool {
        let plain = |change: &Change| Change { reason: None, waits_for: Vec::new(), ..change.clone() };
        let same = |shown: &[Change], now: &[Change]| shown.iter().map(plain).eq(now.iter().map(plain));
        self.summary() == now.summary
            && same(self.changes(), &now.changes)
            && same(self.deferred(), &now.deferred)
    }

    /// Whether nothing is changed. Objects may still be [pending](Self::pending).
    pub fn is_empty(&self) -> bool {
        self.0.changes.is_empty()
    }

    /// The summary in one line.
    pub fn headline(&self) -> String {
        self.0.headline()
    }

    /// The plan as text; see [`Plan::text`].
    pub fn text(&self, options: TextOptions) -> String {
        self.0.text(options)
    }

    /// The changes as a graph in Graphviz's DOT language; see [`Plan::dot`].
    pub fn dot(&self) -> String {
        super::draw::dot(&self.0.changes)
    }

    /// The changes as a Mermaid graph; see [`Plan::mermaid`].
    pub fn mermaid(&self) -> String {
        super::draw::mermaid(&self.0.changes)
    }
}

impl fmt::Display for SavedPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(TextOptions::default()))
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::graph::TaskGraph;
    use crate::plan::Action;
    use crate::resource::Network;
    use crate::testing::MemoryCloud;
    use crate::{Engine, ErrorKind};

    /// Somebody edits the changes and computes the digest of the edited plan; the fingerprint remains.
    #[tokio::test]
    async fn a_forged_plan_is_not_applied() {
        let engine = Engine::new(Arc::new(MemoryCloud::new()), Scope::new("shop"));
        let mut graph = TaskGraph::builder();
        graph.add("main", Network::new(["10.0.0.0/16".parse().unwrap()]));
        let graph = graph.build().unwrap();
        let plan = engine.plan(&graph).await.unwrap();
        let forge = |edit: &dyn Fn(&mut Content<'static>)| {
            let mut saved = plan.saved();
            edit(&mut saved.0);
            let text = serde_json::to_string(&saved).unwrap();
            serde_json::from_str::<SavedPlan>(&text).unwrap()
        };
        let forged = [
            forge(&|it| it.changes = Cow::Owned(Vec::new())),
            forge(&|it| it.changes.to_mut()[0].fields.clear()),
            forge(&|it| it.changes.to_mut()[0].action = Action::Update),
            forge(&|it| it.summary.create = 0),
        ];
        for forged in &forged {
            let error = engine.apply_saved(forged, &graph).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            assert!(error.to_string().contains("does not show the changes"), "{error}");
        }
        engine.apply_saved(&forge(&|_| ()), &graph).await.unwrap().into_result().unwrap();
    }
}
