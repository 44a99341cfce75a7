//! `kops get keypairs` and `kops create keypair`.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use kops_cluster::pki::{Certificate, Keypair, Keyset, PrivateKey, is_rotatable};
use kops_core::clock::{Clock as _, SystemClock};
use kops_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::cli::{CreateKeypair, GetFormat, GetKeypairs};
use crate::output::{self, Table};
use crate::state::State;

/// Shows the key pairs of a cluster.
pub(super) async fn get(state: &State, arguments: &GetKeypairs, format: GetFormat) -> Result<()> {
    let store = state.cluster(None)?;
    // A cluster that does not exist is a better message than one without keys.
    let _ = state.open_cluster(&store).await?;
    let mut keysets = store.all_keysets().await?;
    for name in &arguments.keysets {
        if !keysets.iter().any(|it| it.name() == name) {
            let known: Vec<_> = keysets.iter().map(Keyset::name).collect();
            return Err(Error::not_found(format!("cluster {} has no keyset {name}", store.name()))
                .with_hint(format!("it has {}", known.join(", "))));
        }
    }
    keysets
        .retain(|it| arguments.keysets.is_empty() || arguments.keysets.iter().any(|name| it.name() == name));
    let shown =
        keysets.iter().flat_map(|keyset| keyset.keypairs().iter().map(move |keypair| (keyset, keypair)));
    let shown: Vec<_> = shown.filter(|(_, it)| arguments.distrusted || it.distrusted().is_none()).collect();
    let documents =
        || Value::Array(shown.iter().map(|(keyset, keypair)| document(keyset, keypair)).collect());
    match format {
        GetFormat::Table if shown.is_empty() => {
            output::note(format_args!("{} has no key pairs.", store.name()));
            Ok(())
        }
        GetFormat::Table => output::print(table(&shown, arguments.distrusted).to_string()),
        GetFormat::Json => output::print_json(&documents()),
        GetFormat::Yaml => output::print_yaml(&documents()),
    }
}

fn table(shown: &[(&Keyset, &Keypair)], distrusted: bool) -> Table {
    let mut heading = vec!["NAME", "ID", "ISSUED", "EXPIRES"];
    if distrusted {
        heading.push("DISTRUSTED");
    }
    heading.extend(["PRIMARY", "HASPRIVATE"]);
    let mut table = Table::new(&heading);
    for (keyset, keypair) in shown {
        let certificate = keypair.certificate();
        let mut row = vec![
            keyset.name().to_owned(),
            keypair.id().to_owned(),
            day(certificate.not_before()),
            day(certificate.not_after()),
        ];
        if distrusted {
            row.push(keypair.distrusted().map(day).unwrap_or_default());
        }
        row.extend([star(is_primary(keyset, keypair)), star(keypair.private_key().is_some())]);
        table.row(row);
    }
    table
}

fn document(keyset: &Keyset, keypair: &Keypair) -> Value {
    let certificate = keypair.certificate();
    json!({
        "name": keyset.name(),
        "id": keypair.id(),
        "distrustTimestamp": keypair.distrusted(),
        "isPrimary": is_primary(keyset, keypair),
        "subject": certificate.subject(),
        "issuer": certificate.issuer(),
        "alternateNames": certificate.alternate_names(),
        "isCA": certificate.is_authority(),
        "notBefore": certificate.not_before(),
        "notAfter": certificate.not_after(),
        "hasPrivateKey": keypair.private_key().is_some(),
    })
}

fn is_primary(keyset: &Keyset, keypair: &Keypair) -> bool {
    keyset.primary().id() == keypair.id()
}

fn day(time: Timestamp) -> String {
    time.to_string().chars().take_while(|it| *it != 'T').collect()
}

fn star(is: bool) -> String {
    if is { "*".to_owned() } else { String::new() }
}

/// Adds a key pair to a keyset, or a new one to each.
pub(super) async fn create(state: &State, arguments: &CreateKeypair) -> Result<()> {
    let store = state.cluster(None)?;
    let _ = state.open_cluster(&store).await?;
    let names = match (arguments.keyset.as_str(), &arguments.cert, &arguments.key) {
        ("all", None, None) => {
            let keysets = store.all_keysets().await?;
            keysets.iter().map(|it| it.name().to_owned()).filter(|it| is_rotatable(it)).collect()
        }
        ("all", _, _) => {
            return Err(Error::invalid("--cert and --key are for one keyset, not for all")
                .with_hint("specify the keyset, for example kubernetes-ca"));
        }
        (name, _, _) => vec![name.to_owned()],
    };
    for name in &names {
        let id = store.add_keypair(name, keypair(name, arguments)?, arguments.primary).await?;
        let role = if arguments.primary { "primary" } else { "trusted" };
        output::print(format!("Created keypair {id} of {name}: {role}."))?;
    }
    output::print(format!("Apply it with:  kops update cluster {} --yes", store.name()))
}

fn keypair(name: &str, arguments: &CreateKeypair) -> Result<Keypair> {
    let key = arguments.key.as_deref().map(|path| read(path, PrivateKey::from_pem)).transpose()?;
    let certificate = arguments.cert.as_deref().map(|path| read(path, Certificate::from_pem)).transpose()?;
    let now = SystemClock::new().now();
    match (certificate, key) {
        (Some(certificate), key) => Keypair::existing(certificate, key),
        (None, Some(key)) => Keypair::self_signed(name, key, now),
        (None, None) => Keypair::generate(name, now),
    }
}

fn read<T>(path: &Path, parse: impl Fn(&str) -> Result<T>) -> Result<T> {
    let text = fs::read_to_string(path)
        .map_err(|error| Error::new(ErrorKind::Io, format!("{} cannot be read: {error}", path.display())))?;
    parse(&text).map_err(|error| {
        let named = Error::new(error.kind(), format!("{}: {}", path.display(), error.message()));
        named.with_hint(error.hint().unwrap_or("use a PEM file").to_owned())
    })
}
