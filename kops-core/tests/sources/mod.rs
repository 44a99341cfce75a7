//! The sources of a crate, for tests of what is true of all of them.

use std::fs;
use std::path::Path;

/// The source files in a directory and below, without their tests.
pub(crate) fn sources(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if name == "tests" || name.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push(text.split("\nmod tests {").next().unwrap_or(&text).to_owned());
        }
    }
    found
}
