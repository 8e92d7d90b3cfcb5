//! The page that a customer is on, as their browser describes it.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::wire::{PAGE_TEXT_MAX, Page, URL_MAX};

/// What a page says about itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct GivenPage {
    #[serde(default)]
    url: Option<String>,
    /// The parts of the query that the shop has chosen to be kept.
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    language: Option<String>,
}

impl GivenPage {
    /// Keeps valid parts, and cuts texts that are too long. A query and a fragment may hold
    /// secrets, so the URL loses them, except for what the shop has chosen. `user_agent` and
    /// `address` come from the request.
    pub fn read(self, user_agent: Option<&str>, address: Option<String>) -> Page {
        let is_web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        let url = self.url.filter(is_web).map(|url| {
            let end = url.find(['?', '#']).unwrap_or(url.len());
            let query = self.query.filter(|query| !query.is_empty());
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            let url = [&url[..end], &query].concat();
            url[..url.floor_char_boundary(URL_MAX)].into()
        });
        let text = |text: &str| -> Option<Box<str>> {
            let text = text[..text.floor_char_boundary(PAGE_TEXT_MAX)].trim();
            (!text.is_empty()).then(|| text.into())
        };
        Page {
            url,
            title: self.title.as_deref().and_then(text),
            language: self.language.as_deref().and_then(text),
            browser: user_agent.and_then(text),
            address: address.as_deref().and_then(text),
            identity: None,
            agreed: None,
            name: None,
            email: None,
        }
    }
}

/// The metadata that a bot gets with each message (docs/WEB.md, "Requests").
pub fn metadata(page: &Page) -> Value {
    let parts = [
        ("page_url", &page.url),
        ("page_title", &page.title),
        ("language", &page.language),
        ("browser", &page.browser),
        ("verified_user", page.identity.as_ref().map_or(&None, |identity| &identity.user)),
    ];
    let known = parts
        .into_iter()
        .filter_map(|(name, part)| Some((name.to_owned(), json!(part.as_deref()?))));
    Value::Object(known.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{GivenPage, metadata};
    use crate::wire::{PAGE_TEXT_MAX, URL_MAX};

    fn known(given: Value) -> Value {
        let given: GivenPage = serde_json::from_value(given).unwrap();
        metadata(&given.read(Some("Lynx"), Some("192.0.2.0/24".to_owned())))
    }

    #[test]
    fn a_page_keeps_no_query_no_fragment_and_no_url_of_another_kind() {
        for url in ["https://shop.example/cart?card=4711", "https://shop.example/cart#4711"] {
            let kept = json!({ "page_url": "https://shop.example/cart", "browser": "Lynx" });
            assert_eq!(known(json!({ "url": url })), kept);
        }
        assert_eq!(known(json!({ "url": "javascript:alert(1)" })), json!({ "browser": "Lynx" }));
        let chosen = json!({ "url": "https://shop.example/cart?card=4711", "query": "sku=7" });
        assert_eq!(known(chosen)["page_url"], "https://shop.example/cart?sku=7");
    }

    #[test]
    fn texts_are_cut_between_letters_and_empty_ones_are_left_out() {
        let (title, url) = ("é".repeat(200), format!("http://a/{}", "é".repeat(2000)));
        let cut = known(json!({ "url": url, "title": title, "language": " " }));
        assert_eq!(cut["page_title"], "é".repeat(PAGE_TEXT_MAX / 2));
        assert!(cut["page_url"].as_str().is_some_and(|url| url.len() >= URL_MAX - 1));
        assert_eq!(cut.get("language"), None);
    }
}
