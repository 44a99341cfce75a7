//! Listings that come in pages.

use crate::{Error, Result};

/// The items of all pages of a listing. `page` reads the page with a token, or the first one without a token, and
/// returns its items and the token of the next page; an empty token counts as none.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use kops_core::cloud::pages;
///
/// let all = pages(async |token: Option<String>| {
///     Ok(if token.is_none() { (vec![1, 2], Some("next".to_owned())) } else { (vec![3], None) })
/// });
/// assert_eq!(all.await?, [1, 2, 3]);
/// # Ok::<(), kops_core::Error>(()) }).unwrap();
/// ```
///
/// # Errors
/// Those of `page`; `Internal` if a page names itself as the next one, which would never end.
pub async fn pages<T, F>(mut page: impl FnMut(Option<String>) -> F) -> Result<Vec<T>>
where
    F: Future<Output = Result<(Vec<T>, Option<String>)>>,
{
    let mut all = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let (items, next) = page(token.clone()).await?;
        all.extend(items);
        // Some services end with an empty token instead of none.
        let next = next.filter(|next| !next.is_empty());
        if next.is_none() {
            return Ok(all);
        }
        if next == token {
            return Err(Error::internal("a page of a listing names itself as the next one"));
        }
        token = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[tokio::test]
    async fn a_listing_whose_pages_repeat_fails_instead_of_never_ending() {
        let all = pages(async |_| Ok((vec![1], Some("again".to_owned())))).await;
        assert_eq!(all.unwrap_err().kind(), ErrorKind::Internal);
    }
}
