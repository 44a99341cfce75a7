//! Guides, whose examples are compiled and whose tables are compared with the code.

#[doc = include_str!("write_a_provider.md")]
pub mod write_a_provider {}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use crate::testing::conformance;

    /// The rules of the guide's table: the names that begin its lines, as links.
    fn told() -> Vec<&'static str> {
        let guide = include_str!("write_a_provider.md");
        let chapter = guide.split("\n## ").find(|chapter| chapter.starts_with("The rules"));
        let name = |line: &'static str| line.strip_prefix("| [`")?.split_once("`]").map(|(name, _)| name);
        chapter.into_iter().flat_map(str::lines).filter_map(name).collect()
    }

    #[test]
    fn the_table_has_the_rules_of_the_suite() {
        assert_eq!(told(), conformance::rules().collect::<Vec<_>>());
    }
}
