//! Paginated listings.

use kops_core::Result;

/// The maximum page size of Compute Engine's listings:
/// <https://cloud.google.com/compute/docs/reference/rest/v1/instances/list>.
pub(crate) const PAGE: u32 = 500;

/// All items of a paginated listing; `page` takes the token of a page, none for the first.
pub(crate) async fn pages<T, F>(page: impl Fn(Option<String>) -> F) -> Result<Vec<T>>
where
    F: Future<Output = Result<(Vec<T>, Option<String>)>>,
{
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let (items, next) = page(token).await?;
        all.extend(items);
        token = next.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// Reads all pages of one of the SDK's listings, given its permission, the request, and how to get the items
/// of a page.
///
/// ```text
/// listed!(clients, cx, "compute.networks.list", filter, clients.networks.list().set_project(project), |page| page.items)
/// ```
macro_rules! listed {
    ($clients:expr, $cx:expr, $permission:literal, $filter:expr, $request:expr, |$page:ident| $items:expr) => {{
        let filter: &str = $filter;
        $crate::paging::pages(async |token: Option<String>| {
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
