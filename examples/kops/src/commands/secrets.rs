//! `kops get secrets` and `kops create secret`.

use kops_cluster::registry::SecretData;
use kops_core::{Error, Result};
use serde_json::{Value, json};

use crate::cli::{CreateSecret, GetFormat, GetSecrets, SecretFile};
use crate::manifest;
use crate::output::{self, Table};
use crate::state::State;

/// Shows the names of a cluster's secrets, never what is in them.
pub(super) async fn get(state: &State, arguments: &GetSecrets, format: GetFormat) -> Result<()> {
    let store = state.cluster(None)?;
    let _ = state.open_cluster(&store).await?;
    let mut names = store.secrets().await?;
    if let Some(absent) = arguments.names.iter().find(|name| !names.contains(name)) {
        return Err(Error::not_found(format!("cluster {} has no secret {absent}", store.name())).with_hint(
            format!("create it with `kops create secret {absent} --name {} -f FILE`", store.name()),
        ));
    }
    names.retain(|name| arguments.names.is_empty() || arguments.names.contains(name));
    let documents =
        || Value::Array(names.iter().map(|name| json!({"type": "Secret", "name": name})).collect());
    match format {
        GetFormat::Table if names.is_empty() => {
            output::note(format_args!("{} has no secrets.", store.name()));
            Ok(())
        }
        GetFormat::Table => {
            let mut table = Table::new(&["TYPE", "NAME"]);
            for name in &names {
                table.row(["Secret".to_owned(), name.clone()]);
            }
            output::print(table.to_string())
        }
        GetFormat::Json => output::print_json(&documents()),
        GetFormat::Yaml => output::print_yaml(&documents()),
    }
}

/// Creates a secret.
pub(super) async fn create(state: &State, secret: &CreateSecret) -> Result<()> {
    let (name, SecretFile { file, force }, check): (_, _, fn(&Value) -> Option<&'static str>) = match secret {
        CreateSecret::Encryptionconfig(file) => ("encryptionconfig", file, encryption),
        CreateSecret::Dockerconfig(file) => ("dockerconfig", file, docker),
    };
    let store = state.cluster(None)?;
    let _ = state.open_cluster(&store).await?;
    let text = manifest::text(file)?;
    // JSON is YAML. The parser's own message would quote the text.
    let document = serde_saphyr::from_str::<Value>(&text).ok();
    let wrong = document.as_ref().map_or(Some("it is neither YAML nor JSON"), check);
    if let Some(why) = wrong {
        return Err(Error::invalid(format!("{} is not a secret of type {name}: {why}", file.display()))
            .with_hint("nothing was written; correct the file"));
    }
    store.put_secret(name, &SecretData::new(text), *force).await?;
    output::print(format!(
        "Created secret {name}.\nApply it with:  kops update cluster {} --yes",
        store.name()
    ))
}

fn encryption(document: &Value) -> Option<&'static str> {
    let kind = document["kind"].as_str();
    if kind != Some("EncryptionConfiguration") && kind != Some("EncryptionConfig") {
        return Some("its kind is not EncryptionConfiguration");
    }
    let resources = document["resources"].as_array();
    resources.is_none_or(Vec::is_empty).then_some("it has no resources")
}

fn docker(document: &Value) -> Option<&'static str> {
    let known = ["auths", "credHelpers", "credsStore"].iter().any(|field| document.get(field).is_some());
    (!known).then_some("it has neither auths nor credHelpers")
}
