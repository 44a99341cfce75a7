//! Public data types can get another member without breaking whoever uses them.
//!
//! They are `#[non_exhaustive]`, or listed here with the reason why not.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod sources;

use std::collections::BTreeSet;
use std::path::Path;

/// Types that everybody may take apart and put together.
const EXHAUSTIVE: &[(&str, &str)] = &[
    ("Access", "a provider answers each choice"),
    ("Action", "a program shows and judges each of them, and has to know of a new one"),
    ("Actions", "providers write their tables as constants"),
    ("Direction", "a provider answers each choice"),
    ("DnsTarget", "a provider answers each choice"),
    ("Egress", "a provider answers each choice"),
    ("Filter", "a handler answers each of them; its variants can grow"),
    ("Input", "a provider lowers each of its forms"),
    ("Lowerings", "providers write it as a constant"),
    ("MarkTags", "providers write it as a constant"),
    ("Mishap", "the fixture of a store causes each of them"),
    ("Part", "a provider joins or measures each of them"),
    ("Peer", "a provider answers each choice"),
    ("Ports", "a range has two ends"),
    ("Precondition", "a store has to ensure each of them"),
    ("Protocol", "a provider answers each choice"),
    ("RecordType", "a provider answers each choice"),
    ("RulePeer", "a native kind's, of the providers that share it"),
    ("Scheme", "a provider answers each choice"),
    ("SecurityGroupRule", "a native kind's, of the providers that share it"),
    ("SecurityGroupRules", "a native kind's, of the providers that share it"),
    ("Setting", "a field is managed or not"),
    ("Verb", "the fixture of a store fails each of them"),
    ("Wait", "an object exists, or is ready"),
];

/// The types in a file that have public members or variants, and whether they are `#[non_exhaustive]`.
fn types(text: &str) -> Vec<(String, bool)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(rest) = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum ")) else {
            continue;
        };
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
        let body = lines[at + 1..].iter().take_while(|line| **line != "}");
        let open = line.starts_with("pub enum") || body.clone().any(|line| line.starts_with("    pub "));
        if line.ends_with('{') && open {
            let mut above = lines[..at].iter().rev().take_while(|line| !line.is_empty() && **line != "}");
            found.push((name, above.any(|line| *line == "#[non_exhaustive]")));
        }
    }
    found
}

#[test]
fn members_can_be_added_to_what_others_read_and_make() {
    let sources = sources::sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let all: Vec<(String, bool)> = sources.iter().flat_map(|text| types(text)).collect();
    assert!(all.len() > 100, "the sources are read: {all:#?}");
    let exhaustive: BTreeSet<&str> =
        all.iter().filter(|(_, can_grow)| !can_grow).map(|(name, _)| name.as_str()).collect();
    assert_eq!(exhaustive, EXHAUSTIVE.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>());
}
