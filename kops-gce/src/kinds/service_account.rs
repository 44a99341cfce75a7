//! Service accounts: the identities of machines.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use google_cloud_iam_admin_v1::model;
use google_cloud_wkt::FieldMask;
use kops_core::cloud::{
    Adopt, Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object,
    Owner, Query, Scope, Timing, Update, pages,
};
use kops_core::resource::Resource;
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::clients::Clients;
use crate::names;

/// A service account; its email address is its identifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// The display name.
    pub display_name: String,
}

impl Resource for ServiceAccount {
    const KIND: &'static str = "ServiceAccount";
    type Resolved = Self;
}

pub(crate) struct ServiceAccounts(pub(crate) Clients);

/// The maximum page size:
/// <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/list>.
const PAGE: i32 = 100;
/// The maximum length of a description, in bytes:
/// <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts>.
pub(crate) const LONGEST_MARK: usize = 256;

/// Google's word for the account that machines of a project run under by default:
/// <https://cloud.google.com/compute/docs/access/service-accounts#default_service_account>.
const DEFAULT: &str = "default";

/// All service accounts of the project, once per observation: the listing has no filters.
pub(crate) async fn all(clients: &Clients, cx: &Context) -> Result<Arc<Vec<model::ServiceAccount>>> {
    let list = async || {
        pages(async |token: Option<String>| {
            let request =
                clients.iam.list_service_accounts().set_name(format!("projects/{}", clients.project));
            let request = request.set_page_size(PAGE).set_page_token(token.unwrap_or_default());
            let page = clients.call(cx, "iam.serviceAccounts.list", request.send()).await?;
            Ok((page.accounts, Some(page.next_page_token)))
        })
        .await
    };
    cx.memo.get_or_try("service accounts", list).await
}

/// A service account as an object.
pub(crate) fn object(scope: &Scope, account: &model::ServiceAccount) -> Object<ServiceAccount> {
    let spec = ServiceAccount { display_name: account.display_name.clone() };
    let object = match Mark::read(scope, &account.description) {
        Some(mark) => mark.object(&account.email, spec),
        None => Object::foreign(&account.email, spec).held_by(Mark::other(scope, &account.description)),
    };
    let (name, domain) = account.email.split_once('@').unwrap_or((&account.email, ""));
    let object = object.alias(name).alias(&account.name);
    if domain == "developer.gserviceaccount.com" && name.ends_with("-compute") {
        return object.alias(DEFAULT);
    }
    object
}

/// The email address of a task's account.
pub(crate) fn address(clients: &Clients, task: &str) -> String {
    // For old projects in domains (`example.com:project`) the parts are reversed.
    let project = match clients.project.split_once(':') {
        Some((domain, project)) => format!("{project}.{domain}"),
        None => clients.project.clone(),
    };
    format!("{}@{project}.iam.gserviceaccount.com", names::account_id(task))
}

#[async_trait]
impl Handler for ServiceAccounts {
    type Kind = ServiceAccount;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::InPlace
    }

    fn timing(&self) -> Timing {
        Timing::new().poll(Duration::from_secs(2))
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<ServiceAccount>>> {
        // The engine is waiting for a change, so an observation's memoised listing is of no use.
        let fresh = query.cx.fresh();
        let cx = if matches!(query.filter, Filter::Ids(_)) { &fresh } else { query.cx };
        let accounts = all(&self.0, cx).await?;
        let mut found: Vec<_> = accounts.iter().map(|account| object(query.scope, account)).collect();
        match query.filter {
            Filter::Ids(ids) => found.retain(|object| ids.contains(&object.id)),
            Filter::Scope { wanted, shared, .. } => {
                for object in found.iter_mut().filter(|object| object.owner == Owner::Other) {
                    let holds = |task: &str| address(&self.0, task) == object.id;
                    object.name = wanted.iter().map(|it| it.name).find(|task| holds(task)).map(str::to_owned);
                }
                found.retain(|object| {
                    object.name.is_some() || shared.iter().any(|selector| object.matches(selector))
                });
            }
        }
        Ok(found)
    }

    async fn create(&self, request: Create<'_, ServiceAccount>) -> Result<Object<ServiceAccount>> {
        let mark = Mark::of_new(&request);
        let text = fitting(mark.text())?;
        let account =
            model::ServiceAccount::new().set_display_name(&request.spec.display_name).set_description(text);
        let create = self
            .0
            .iam
            .create_service_account()
            .set_name(format!("projects/{}", self.0.project))
            .set_account_id(names::account_id(request.name))
            .set_service_account(account);
        self.0.call(request.cx, "iam.serviceAccounts.create", create.send()).await?;
        Ok(mark.object(address(&self.0, request.name), request.spec.clone()))
    }

    async fn update(&self, request: Update<'_, ServiceAccount>) -> Result<Object<ServiceAccount>> {
        let name = resource_name(&request.object.id);
        let account =
            model::ServiceAccount::new().set_name(name).set_display_name(&request.spec.display_name);
        let mask = FieldMask::default().set_paths(["displayName"]);
        let patch = self.0.iam.patch_service_account().set_service_account(account).set_update_mask(mask);
        self.0.call(request.cx, "iam.serviceAccounts.update", patch.send()).await?;
        Ok(request.object.clone().spec(request.spec.clone()))
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, ServiceAccount>) -> Result<Object<ServiceAccount>> {
        let id = &request.object.id;
        let accounts = all(&self.0, &request.cx.fresh()).await?;
        let account = accounts.iter().find(|account| account.email == *id);
        let account = account.ok_or_else(|| Error::not_found(format!("{id} is gone")))?;
        let text = fitting(request.mark(Mark::other(request.scope, &account.description))?.text())?;
        let account = model::ServiceAccount::new().set_name(resource_name(id)).set_description(text);
        let mask = FieldMask::default().set_paths(["description"]);
        let patch = self.0.iam.patch_service_account().set_service_account(account).set_update_mask(mask);
        self.0.call(request.cx, "iam.serviceAccounts.update", patch.send()).await?;
        Ok(request.adopted())
    }

    async fn delete(&self, request: Delete<'_, ServiceAccount>) -> Result<Deletion> {
        let delete = self.0.iam.delete_service_account().set_name(resource_name(&request.object.id));
        match self.0.call(request.cx, "iam.serviceAccounts.delete", delete.send()).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(Deletion::Done),
        }
    }
}

/// The mark, if it is not too long.
fn fitting(mark: String) -> Result<String> {
    if mark.len() > LONGEST_MARK {
        return Err(Error::invalid("the names of cluster and task are too long for a service account")
            .with_hint("shorten the cluster's name"));
    }
    Ok(mark)
}

/// The email address determines the project.
fn resource_name(email: &str) -> String {
    format!("projects/-/serviceAccounts/{email}")
}
