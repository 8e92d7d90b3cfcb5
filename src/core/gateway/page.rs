//! The page that a customer is on, as their browser tells: for the bot and for the agent.

use serde::{Deserialize, Serialize};

/// The most bytes of a page's URL.
const PAGE_URL_MAX: usize = 2 * 1024;
/// The most bytes of a page's title, of a language and of a browser's name.
const PAGE_TEXT_MAX: usize = 256;

/// What a page tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct GivenPage {
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    language: Option<String>,
}

/// What is known of the page. A bot gets it as the metadata of each message (docs/WEB.md,
/// "Requests").
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page {
    /// Its URL, `http` or `https`, without query and fragment: these may hold secrets.
    #[serde(rename = "page_url", skip_serializing_if = "Option::is_none")]
    url: Option<Box<str>>,
    #[serde(rename = "page_title", skip_serializing_if = "Option::is_none")]
    title: Option<Box<str>>,
    /// The customer's language, as BCP 47 has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Box<str>>,
    /// The browser, as it names itself in `User-Agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    browser: Option<Box<str>>,
}

impl Page {
    /// Keeps what can be used of what a page tells. Longer texts are cut.
    pub fn new(given: GivenPage, user_agent: Option<&str>) -> Page {
        let is_web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        let url = given.url.filter(is_web).map(|url| {
            let end = url.find(['?', '#']).unwrap_or(url.len());
            url[..url.floor_char_boundary(end.min(PAGE_URL_MAX))].into()
        });
        let text = |text: &str| -> Option<Box<str>> {
            let text = text[..text.floor_char_boundary(PAGE_TEXT_MAX)].trim();
            (!text.is_empty()).then(|| text.into())
        };
        Page {
            url,
            title: given.title.as_deref().and_then(text),
            language: given.language.as_deref().and_then(text),
            browser: user_agent.and_then(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{GivenPage, PAGE_TEXT_MAX, PAGE_URL_MAX, Page};

    fn page(given: &serde_json::Value) -> serde_json::Value {
        let given: GivenPage = serde_json::from_value(given.clone()).unwrap();
        serde_json::to_value(Page::new(given, Some("Lynx"))).unwrap()
    }

    #[test]
    fn a_page_keeps_no_query_no_fragment_and_no_url_of_another_kind() {
        for url in ["https://shop.example/cart?card=4711", "https://shop.example/cart#4711"] {
            let known = json!({ "page_url": "https://shop.example/cart", "browser": "Lynx" });
            assert_eq!(page(&json!({ "url": url })), known);
        }
        assert_eq!(page(&json!({ "url": "javascript:alert(1)" })), json!({ "browser": "Lynx" }));
    }

    #[test]
    fn texts_are_cut_between_letters_and_empty_ones_are_left_out() {
        let (title, url) = ("é".repeat(200), format!("http://a/{}", "é".repeat(2000)));
        let cut = page(&json!({ "url": url, "title": title, "language": " " }));
        assert_eq!(cut["page_title"], "é".repeat(PAGE_TEXT_MAX / 2));
        assert!(cut["page_url"].as_str().is_some_and(|url| url.len() >= PAGE_URL_MAX - 1));
        assert_eq!(cut.get("language"), None);
    }
}
