//! Identifiers of resources: paths, compared case-insensitively.

/// The identifier of a resource in a resource group.
pub(crate) fn of(subscription: &str, group: &str, kind: &str, name: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}")
}

/// The path segment after another: `after(id, "resourceGroups")` is the name of the group.
pub(crate) fn after<'a>(id: &'a str, word: &str) -> Option<&'a str> {
    let mut parts = id.split('/').filter(|part| !part.is_empty());
    parts.find(|part| part.eq_ignore_ascii_case(word))?;
    parts.next()
}

/// The name of the resource group that a resource is in.
pub(crate) fn group(id: &str) -> Option<&str> {
    after(id, "resourceGroups")
}

/// The last segment.
pub(crate) fn name(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or_default()
}

/// The resource that contains another: without the last two segments.
pub(crate) fn parent(id: &str) -> &str {
    let end = id.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at);
    &id[..end]
}

/// An identifier with its group in our spelling: responses of the compute provider have groups in capitals,
/// and some others `resourcegroups`; the engine compares case-sensitively.
pub(crate) fn canonical(id: &str, group: &str) -> String {
    let mut parts: Vec<&str> = id.split('/').collect();
    if let Some(at) = parts.iter().position(|part| part.eq_ignore_ascii_case("resourceGroups")) {
        parts[at] = "resourceGroups";
        if let Some(name) = parts.get_mut(at + 1).filter(|name| name.eq_ignore_ascii_case(group)) {
            *name = group;
        }
    }
    parts.join("/")
}

/// Whether two identifiers are those of the same resource.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_taken_apart() {
        let id = of("s", "RG", "Microsoft.Network/virtualNetworks", "v") + "/subnets/a";
        assert_eq!(group(&id), Some("RG"));
        assert_eq!(name(&id), "a");
        assert_eq!(name(parent(&id)), "v");
        assert!(same(&id, &id.to_uppercase()));
        assert_eq!(
            canonical("/subscriptions/s/resourcegroups/RG/x", "rg"),
            "/subscriptions/s/resourceGroups/rg/x"
        );
        assert_eq!(after("/x", "resourceGroups"), None);
    }
}
