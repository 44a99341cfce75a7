//! The public futures of a crate, and whether a test lists them all.

use std::collections::BTreeMap;
use std::path::Path;

use crate::sources::sources;

/// The public async functions of the crate in `directory` that the text of a test, up to its first `#[test]`, calls
/// less often than there are functions of the name. Those of traits are `Send` by `#[async_trait]`.
pub(crate) fn not_listed(directory: &str, test: &str) -> Vec<String> {
    let listed = test.split("\n#[test]").next().unwrap_or(test);
    let mut functions: BTreeMap<String, usize> = BTreeMap::new();
    for source in sources(&Path::new(directory).join("src")) {
        for name in async_functions(&source) {
            *functions.entry(name).or_default() += 1;
        }
    }
    assert!(!functions.is_empty(), "{directory} has no public async functions");
    let calls = |name: &str| {
        let call = |before: &str| listed.matches(format!("{before}{name}(").as_str()).count();
        call(".") + call("::")
    };
    functions.into_iter().filter(|(name, count)| calls(name) < *count).map(|(name, _)| name).collect()
}

/// The names of the public functions in a source file that are `async` or return `impl Future`.
fn async_functions(source: &str) -> Vec<String> {
    let mut in_trait = false;
    let mut found = Vec::new();
    for line in source.lines() {
        in_trait = line.starts_with("pub trait ") || in_trait && line != "}";
        let line = line.trim_start();
        let function = line.strip_prefix("pub fn ").or_else(|| line.strip_prefix("fn ").filter(|_| in_trait));
        let returned = function.filter(|_| line.contains("-> impl Future"));
        if let Some(rest) = line.strip_prefix("pub async fn ").or(returned) {
            found.extend(rest.split(['(', '<']).next().map(str::to_owned));
        }
    }
    found
}
