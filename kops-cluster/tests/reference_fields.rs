//! Every field that the reference's types have, in both versions, dead ones too: it is read without a word about
//! unknown fields, edited by its path, and written back; and nothing of v1alpha3's words is left in what is written.
//!
//! The fields are data, in `reference/`.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;

use kops_cluster::{AnyObject, Manifest, Mode, Path, ProblemKind};
use serde_json::{Value, json};

/// The kinds of objects, by which the walk begins.
const OBJECTS: [&str; 4] = ["Cluster", "InstanceGroup", "SSHCredential", "Keyset"];

/// The kind of a field.
#[derive(Clone, Debug)]
enum Kind {
    Leaf(String),
    Type(String),
    List(Box<Kind>),
    Map(Box<Kind>),
}

#[derive(Clone, Debug)]
struct Field {
    name: String,
    kind: Kind,
    cloud: Option<String>,
}

/// The types of a version, by name.
type Types = BTreeMap<String, Vec<Field>>;

/// A field that has a value, at its place in a document.
#[derive(Clone, Debug)]
struct Leaf {
    path: Path,
    kind: String,
    cloud: String,
}

fn types(texts: &[&str]) -> Types {
    let mut types = Types::new();
    for text in texts {
        let mut current = String::new();
        let mut found = Types::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            if !line.starts_with(' ') {
                line.clone_into(&mut current);
                continue;
            }
            let fields = line.split(',').map(str::trim).filter(|field| !field.is_empty()).map(field);
            found.entry(current.clone()).or_default().extend(fields);
        }
        // A type of the later text replaces the one of the earlier.
        types.extend(found);
    }
    types
}

fn field(text: &str) -> Field {
    let mut words = text.split_whitespace();
    let (name, kind) =
        (words.next().unwrap(), words.next().unwrap_or_else(|| panic!("{text:?} has no kind")));
    let cloud = words.next().map(|word| word.strip_prefix('@').unwrap().to_owned());
    Field { name: name.to_owned(), kind: self::kind(kind), cloud }
}

fn kind(text: &str) -> Kind {
    let inside = |open, close| Some(Box::new(kind(text.strip_prefix(open)?.strip_suffix(close)?)));
    if let Some(of) = inside('[', ']') {
        Kind::List(of)
    } else if let Some(of) = inside('{', '}') {
        Kind::Map(of)
    } else if text.starts_with(|c: char| c.is_uppercase()) {
        Kind::Type(text.to_owned())
    } else {
        Kind::Leaf(text.to_owned())
    }
}

/// Every field of an object that has a value.
fn leaves(types: &Types, object: &str) -> Vec<Leaf> {
    let mut found = Vec::new();
    walk(types, &Kind::Type(object.to_owned()), &Path::root(), "aws", &mut found);
    found
}

fn walk(types: &Types, kind: &Kind, path: &Path, cloud: &str, found: &mut Vec<Leaf>) {
    match kind {
        Kind::Leaf(kind) => {
            found.push(Leaf { path: path.clone(), kind: kind.clone(), cloud: cloud.to_owned() });
        }
        Kind::List(of) => walk(types, of, &path.index(0), cloud, found),
        Kind::Map(of) => walk(types, of, &path.key("example.com/key"), cloud, found),
        Kind::Type(name) => {
            for field in types.get(name).unwrap_or_else(|| panic!("there is no type {name}")) {
                let cloud = field.cloud.as_deref().unwrap_or(cloud);
                walk(types, &field.kind, &path.key(&field.name), cloud, found);
            }
        }
    }
}

/// Two values of a kind.
fn values(kind: &str) -> [Value; 2] {
    match kind {
        "text" | "secret" => [json!("one"), json!("two")],
        "bool" => [json!(true), json!(false)],
        "int" | "number" => [json!(3), json!(4)],
        "duration" => [json!("1m30s"), json!("2h")],
        "quantity" => [json!("100m"), json!("2")],
        "cidr" => [json!("10.1.0.0/16"), json!("10.2.0.0/16")],
        "any" => [json!({}), json!({})],
        word => {
            let word = json!(word.strip_prefix('=').unwrap_or_else(|| panic!("there is no kind {word}")));
            [word.clone(), word]
        }
    }
}

/// Puts a value at a path.
fn put(document: &mut Value, path: &Path, value: Value) {
    use kops_cluster::Segment;
    let mut here = document;
    for segment in path.segments() {
        here = match segment {
            Segment::Key(key) => &mut here[key.as_str()],
            Segment::Index(_) => {
                if here.is_null() {
                    *here = json!([null]);
                }
                &mut here[0]
            }
        };
    }
    *here = value;
}

fn get<'a>(document: &'a Value, path: &Path) -> Option<&'a Value> {
    use kops_cluster::Segment;
    path.segments().iter().try_fold(document, |here, segment| match segment {
        Segment::Key(key) => here.get(key.as_str()),
        Segment::Index(index) => here.get(index),
    })
}

/// A document of an object on a cloud, and nothing else in it.
fn bare(version: &str, object: &str, cloud: &str) -> Value {
    let mut document = json!({
        "apiVersion": format!("kops.k8s.io/{version}"), "kind": object, "metadata": { "name": "x.example.com" }, "spec": {},
    });
    if object == "Cluster" {
        document["spec"]["cloudProvider"] =
            if version == "v1alpha2" { json!(cloud) } else { json!({ cloud: {} }) };
    }
    document
}

/// Reads a document; nothing may be said about unknown fields, and nothing be an error.
#[track_caller]
fn read(document: &Value, mode: Mode) -> AnyObject {
    let manifest =
        Manifest::read(&document.to_string(), mode).unwrap_or_else(|error| panic!("{error}: {document:#}"));
    let told = manifest.problems.iter().any(|problem| problem.kind == ProblemKind::UnknownField);
    assert!(!told && !manifest.problems.has_errors(), "{}{document:#}", manifest.problems);
    manifest.documents.into_iter().next().unwrap().object
}

const V1ALPHA2: &str = include_str!("reference/v1alpha2.txt");
const V1ALPHA3: &str = include_str!("reference/v1alpha3.txt");

#[test]
fn every_field_of_v1alpha2_is_read_edited_and_written_back() {
    let types = types(&[V1ALPHA2]);
    let mut count = 0;
    for object in OBJECTS {
        for Leaf { path, kind, cloud } in leaves(&types, object) {
            let mut document = bare("v1alpha2", object, &cloud);
            let [value, other] = values(&kind);
            put(&mut document, &path, value.clone());
            let read = self::read(&document, Mode::Strict);
            assert_eq!(self::read(&document, Mode::Lenient), read);
            let written = read.to_document().unwrap();
            assert_eq!(get(&written, &path), Some(&value), "{path}: {written:#}");
            assert_eq!(self::read(&written, Mode::Strict), read, "{path}");
            count += 1;
            // The name is not changed, and a cloud or a marker has no other value.
            if value == other {
                continue;
            }
            let mut edited = read.clone();
            let text = other.as_str().map_or(other.to_string(), str::to_owned);
            edited.set(&path.to_string(), &text).unwrap_or_else(|error| panic!("{error}"));
            let written = edited.to_document().unwrap();
            // Kinds of quantities and numbers that are kept as they are take what YAML makes of the text.
            let same = get(&written, &path).is_some_and(|it| {
                let shown = it.to_string();
                *it == other || shown == text
            });
            assert!(same, "{path}: {written:#}");
            edited.unset(&path.to_string()).unwrap();
            assert_eq!(get(&edited.to_document().unwrap(), &path), None, "{path}");
        }
    }
    assert!(count > 1_000, "{count} fields are walked");
}

#[test]
fn every_field_of_v1alpha3_is_read_and_written_in_the_words_of_v1alpha2() {
    let (old, new) = (types(&[V1ALPHA2]), types(&[V1ALPHA2, V1ALPHA3]));
    for object in OBJECTS {
        for Leaf { path, kind, cloud } in leaves(&new, object) {
            let mut document = bare("v1alpha3", object, &cloud);
            let before = self::read(&document, Mode::Strict);
            put(&mut document, &path, values(&kind)[0].clone());
            let read = self::read(&document, Mode::Strict);
            let written = read.to_document().unwrap();
            // Nothing is lost: an empty object of a cloud, and the name, are what every document here has.
            let is_lost = read == before && !path.to_string().starts_with("spec.cloudProvider.");
            assert!(!is_lost || kind.starts_with('='), "{path} is lost: {written:#}");
            assert_eq!(self::read(&written, Mode::Strict), read, "{path}: {written:#}");
            let known = Kind::Type(object.to_owned());
            let strange = strangers(&old, &known, &written, &Path::root());
            let strange: Vec<String> = strange.iter().map(ToString::to_string).collect();
            let expected: &[&str] = &["apiVersion", "kind"];
            assert_eq!(strange, expected, "{path}: {written:#}");
        }
    }
}

/// The fields of a document that the types do not have.
fn strangers(types: &Types, kind: &Kind, value: &Value, at: &Path) -> Vec<Path> {
    match (kind, value) {
        (Kind::Type(name), Value::Object(entries)) => {
            let fields = &types[name];
            let inside =
                entries.iter().map(|(key, value)| match fields.iter().find(|field| field.name == *key) {
                    // Of what clouds share, only the names are known to be the same.
                    Some(field) => strangers(types, &field.kind, value, &at.key(key)),
                    None => vec![at.key(key)],
                });
            inside.flatten().collect()
        }
        (Kind::List(of), Value::Array(items)) => items
            .iter()
            .enumerate()
            .flat_map(|(number, item)| strangers(types, of, item, &at.index(number)))
            .collect(),
        (Kind::Map(of), Value::Object(entries)) => {
            entries.iter().flat_map(|(key, value)| strangers(types, of, value, &at.key(key))).collect()
        }
        _ => Vec::new(),
    }
}
