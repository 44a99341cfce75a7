//! Application credentials, with which machines authenticate to OpenStack.
//!
//! <https://docs.openstack.org/api-ref/identity/v3/#application-credentials>

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Query,
    Replacement, Scope, State, Update,
};
use kops_core::resource::Resource;
use kops_core::{Error, ErrorKind, Result};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rest;
use crate::access_rules::AccessRule;
use crate::clients::{Call, Clients, Service};

/// An application credential that allows only certain calls, together with an object in a container that
/// holds its secret for the machines that use it, because Keystone returns the secret only once.
///
/// It belongs to the user who creates it. Only this user can list it, only this user and administrators can
/// delete it, and it is deleted with the user. The object contains the user, so that other users' plans find
/// the credential, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationCredential {
    /// The only calls that it allows.
    pub access_rules: BTreeSet<AccessRule>,
    /// The container of the object.
    pub container: String,
    /// The object: `{"credential": {"id", "secret"}, "user", "accessRules"}`.
    pub object: String,
}

impl Resource for ApplicationCredential {
    const KIND: &'static str = "ApplicationCredential";
    type Resolved = Self;
}

impl ApplicationCredential {
    fn place(&self) -> Place {
        (self.container.clone(), self.object.clone())
    }
}

/// A container, and an object in it.
type Place = (String, String);

/// The content of the object.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    credential: Login,
    user: String,
    access_rules: BTreeSet<AccessRule>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Login {
    id: String,
    secret: String,
}

/// A credential in Keystone's listing.
#[derive(Clone, Deserialize)]
struct Found {
    id: String,
    project_id: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    access_rules: Option<Vec<Rule>>,
}

/// A rule, which is an object of its own in Keystone.
#[derive(Clone, Deserialize)]
struct Rule {
    #[serde(default)]
    id: Option<String>,
    #[serde(flatten)]
    rule: AccessRule,
}

#[derive(Debug)]
pub(crate) struct ApplicationCredentials(pub(crate) Clients);

/// The word in a description that precedes the location of the secret.
const SECRET_IN: &str = " secret-in=";

#[async_trait]
impl Handler for ApplicationCredentials {
    type Kind = ApplicationCredential;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    /// The old one remains usable until there is a new one.
    fn replacement(&self) -> Replacement {
        Replacement::CreateFirst
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<ApplicationCredential>>> {
        let wanted = query.wanted_as::<ApplicationCredential>()?;
        let own = self.own(query.cx).await?;
        let own: Vec<_> = own.iter().filter_map(|it| self.read(query.scope, it)).collect();
        let mut places: BTreeSet<Place> = own.iter().map(|(_, object)| object.spec.place()).collect();
        places.extend(wanted.iter().map(|(_, spec)| spec.place()));
        let documents = places.iter().map(|place| async move {
            Ok::<_, Error>((place.clone(), self.document(query.cx, place).await?))
        });
        let documents: BTreeMap<Place, Option<Document>> =
            try_join_all(documents).await?.into_iter().collect();
        let mut found: Vec<Object<ApplicationCredential>> = Vec::new();
        for (id, object) in own {
            // It cannot be used without its secret.
            let document = documents.get(&object.spec.place()).and_then(Option::as_ref);
            let kept = document.is_some_and(|it| it.credential.id == id);
            found.push(if kept {
                object
            } else {
                object.state(State::Failed("its secret is not stored".to_owned()))
            });
        }
        for (name, spec) in &wanted {
            let document = documents.get(&spec.place()).and_then(Option::as_ref);
            let Some(it) = document.filter(|it| it.user != self.0.identity().user) else { continue };
            let spec = ApplicationCredential { access_rules: it.access_rules.clone(), ..spec.clone() };
            found.push(Object::owned(identifier(&it.user, &it.credential.id), *name, spec));
        }
        if let Filter::Ids(ids) = query.filter {
            found.retain(|object| ids.contains(&object.id));
        }
        Ok(found)
    }

    async fn create(
        &self,
        request: Create<'_, ApplicationCredential>,
    ) -> Result<Object<ApplicationCredential>> {
        let Create { spec, cx, token, name, .. } = request;
        let me = self.0.identity();
        if me.restricted {
            return Err(restricted("create"));
        }
        // Names are unique for each user, and the old and the new one exist at the same time.
        let word = token.get(..8).unwrap_or(token);
        let place = format!("{}/{}", spec.container, spec.object);
        let mut credential = json!({
            "name": format!("{name} {word}"),
            "description": format!(
                "{}{SECRET_IN}{}",
                Mark::of_new(&request).text(),
                utf8_percent_encode(&place, NON_ALPHANUMERIC)
            ),
            "access_rules": spec.access_rules,
            "unrestricted": false,
        });
        // The role with the least privileges that can read and write; a project may not have it.
        if me.roles.iter().any(|role| role == MEMBER) {
            credential["roles"] = json!([{ "name": MEMBER }]);
        }
        let call = Call::post(
            Service::Identity,
            path(&me.user, ""),
            json!({ "application_credential": credential }),
        );
        let login: Login = self.0.fetch(cx, call, "application_credential").await?;
        let id = login.id.clone();
        let document =
            Document { credential: login, user: me.user.clone(), access_rules: spec.access_rules.clone() };
        if let Err(error) = self.write(cx, spec, &document).await {
            // If this fails, too, the credential is observed without a stored secret, and is replaced.
            drop(self.0.send(cx, Call::delete(Service::Identity, path(&me.user, &id))).await);
            return Err(error);
        }
        Ok(Object::owned(identifier(&me.user, &id), name, spec.clone()))
    }

    async fn update(
        &self,
        request: Update<'_, ApplicationCredential>,
    ) -> Result<Object<ApplicationCredential>> {
        // No field can be changed in place.
        Ok(request.object.clone())
    }

    async fn delete(&self, request: Delete<'_, ApplicationCredential>) -> Result<Deletion> {
        let Delete { object, cx, .. } = request;
        let (user, id) = object.id.split_once('/').unwrap_or(("", &object.id));
        if self.0.identity().restricted {
            return Err(restricted("delete"));
        }
        let mine = user == self.0.identity().user;
        let rules = if mine { self.rules_of(cx, id).await? } else { Vec::new() };
        let place = object.spec.place();
        let document = self.document(cx, &place).await?.filter(|it| it.credential.id == id);
        match rest::gone_is_fine(self.0.send(cx, Call::delete(Service::Identity, path(user, id))).await) {
            Err(error) if error.kind() == ErrorKind::Denied && !mine => {
                let ended = match &document {
                    Some(it) => self.has_ended(&it.credential).await?,
                    None => false,
                };
                if !ended {
                    return Err(error.with_hint(format!(
                        "it belongs to user {user}; this user or an administrator has to delete it: \
                         `openstack application credential delete {id}`"
                    )));
                }
            }
            done => done?,
        }
        if document.is_some() {
            let call = Call::delete(Service::ObjectStore, format!("{}/{}", place.0, place.1));
            rest::gone_is_fine(self.0.send(cx, call).await)?;
        }
        // Rules outlive their credentials, and may also be used by others: Keystone keeps those.
        for rule in rules {
            let call = Call::delete(Service::Identity, format!("users/{user}/access_rules/{rule}"));
            match self.0.send(cx, call).await {
                Err(error) if !matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound) => {
                    return Err(error);
                }
                _ => {}
            }
        }
        Ok(Deletion::Done)
    }
}

impl ApplicationCredentials {
    /// The user's credentials in all projects.
    async fn own(&self, cx: &Context) -> Result<Vec<Found>> {
        let user = &self.0.identity().user;
        let call = Call::get(Service::Identity, path(user, ""));
        // There are few, and Keystone has no pagination.
        self.0.fetch(cx, call, "application_credentials").await
    }

    /// A credential that the scope owns.
    fn read(&self, scope: &Scope, found: &Found) -> Option<(String, Object<ApplicationCredential>)> {
        let description = found.description.as_deref()?;
        let (mark, place) = description.split_once(SECRET_IN)?;
        let mark = Mark::read(scope, mark).filter(|_| found.project_id == self.0.project())?;
        let place = percent_decode_str(place).decode_utf8_lossy();
        let (container, object) = place.split_once('/')?;
        let rules = found.access_rules.iter().flatten();
        let spec = ApplicationCredential {
            access_rules: rules.map(|it| it.rule.clone()).collect(),
            container: container.to_owned(),
            object: object.to_owned(),
        };
        Some((found.id.clone(), mark.object(identifier(&self.0.identity().user, &found.id), spec)))
    }

    /// The identifiers of a credential's rules.
    async fn rules_of(&self, cx: &Context, id: &str) -> Result<Vec<String>> {
        let found = self.own(cx).await?;
        let rules = found.into_iter().filter(|it| it.id == id).filter_map(|it| it.access_rules).flatten();
        Ok(rules.filter_map(|it| it.id).collect())
    }

    /// The content of the object, if it is valid.
    async fn document(&self, cx: &Context, (container, object): &Place) -> Result<Option<Document>> {
        let call = Call::get(Service::ObjectStore, format!("{container}/{object}"));
        match self.0.exchange(cx, call, HeaderMap::new(), Vec::new()).await {
            // Without serde's message, which may quote a secret: any other content is replaced.
            Ok(answer) => Ok(serde_json::from_slice(&answer.bytes).ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, cx: &Context, spec: &ApplicationCredential, document: &Document) -> Result<()> {
        let bytes = serde_json::to_vec(document)
            .map_err(|_| Error::internal("the document of a credential cannot be serialised"))?;
        let call = Call::new(
            reqwest::Method::PUT,
            Service::ObjectStore,
            format!("{}/{}", spec.container, spec.object),
        );
        self.0.exchange(cx, call, HeaderMap::new(), bytes).await.map(drop)
    }

    /// Whether it can no longer be used to authenticate.
    async fn has_ended(&self, login: &Login) -> Result<bool> {
        Ok(self.0.log_in(&login.id, &login.secret).await? == 401)
    }
}

/// The usual role in a project.
const MEMBER: &str = "member";

/// The path of a user's credentials, or of one of them.
fn path(user: &str, id: &str) -> String {
    format!("users/{user}/application_credentials/{id}").trim_end_matches('/').to_owned()
}

/// A credential's identifier contains its user.
fn identifier(user: &str, id: &str) -> String {
    format!("{user}/{id}")
}

fn restricted(verb: &str) -> Error {
    Error::new(
        ErrorKind::Denied,
        format!("an application credential cannot {verb} another one unless it is `unrestricted`"),
    )
    .with_hint(
        "use a password, or create the credential with `openstack application credential create --unrestricted`",
    )
}
