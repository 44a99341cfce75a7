//! Paginated listings.

/// The maximum page size of Compute Engine's listings:
/// <https://cloud.google.com/compute/docs/reference/rest/v1/instances/list>.
pub(crate) const PAGE: u32 = 500;

/// Reads all pages of one of the SDK's listings, given its permission, the request, and how to get the items
/// of a page.
///
/// ```text
/// listed!(clients, cx, "compute.networks.list", filter, clients.networks.list().set_project(project), |page| page.items)
/// ```
macro_rules! listed {
    ($clients:expr, $cx:expr, $permission:literal, $filter:expr, $request:expr, |$page:ident| $items:expr) => {{
        let filter: &str = $filter;
        kops_core::cloud::pages(async |token: Option<String>| {
            let mut request = $request.set_max_results($crate::paging::PAGE);
            if !filter.is_empty() {
                request = request.set_filter(filter);
            }
            // An empty token would be sent as one.
            if let Some(token) = token {
                request = request.set_page_token(token);
            }
            let mut $page = $clients.call($cx, $permission, request.send()).await?;
            let next = $page.next_page_token.take();
            Ok(($items.into_iter().collect::<Vec<_>>(), next))
        })
        .await
    }};
}
pub(crate) use listed;
