//! Reading listings page by page.

use std::future::Future;

use kops_core::Result;

/// The items of all pages. `page` takes the token of the page to read (`None` for the first) and returns its
/// items and the token of the next.
pub(crate) async fn pages<T, F>(mut page: impl FnMut(Option<String>) -> F + Send) -> Result<Vec<T>>
where
    T: Send,
    F: Future<Output = Result<(Vec<T>, Option<String>)>> + Send,
{
    let mut items = Vec::new();
    let mut token = None;
    loop {
        let (more, next) = page(token).await?;
        items.extend(more);
        // Some services end with an empty token instead of none.
        match next.filter(|next| !next.is_empty()) {
            Some(next) => token = Some(next),
            None => return Ok(items),
        }
    }
}
