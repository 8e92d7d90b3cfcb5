//! What browsers get without asking for anything of a customer: the chat page, and its files.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::core::http::{Method, Request};
use crate::page;

use super::browsers::Answer;
use super::routes::not_allowed;

/// The chat page of this gateway.
pub(super) struct Front {
    html: String,
    etag: String,
    policy: String,
}

impl Front {
    /// The page, which shows images of these hosts. Those of other hosts are links.
    pub(super) fn new(image_hosts: &[String]) -> Front {
        let hosts = image_hosts.join(" ");
        let html = page::chat().replace("data-images=\"\"", &format!("data-images=\"{hosts}\""));
        let mut hasher = DefaultHasher::new();
        html.hash(&mut hasher);
        Front { html, etag: format!("\"{:016x}\"", hasher.finish()), policy: policy(image_hosts) }
    }

    /// The page itself. Browsers ask for it each time, because it names the files of its version.
    pub(super) fn page(&self, request: &Request) -> Answer {
        let mut answer = content(request, "text/html; charset=utf-8", &self.etag, || {
            self.html.clone().into_bytes()
        });
        if answer.status == 200 {
            answer.headers.extend([
                ("Content-Security-Policy", self.policy.clone()),
                ("Referrer-Policy", "no-referrer".to_owned()),
                ("Permissions-Policy", "camera=(), geolocation=(), microphone=()".to_owned()),
                ("Cross-Origin-Opener-Policy", "same-origin".to_owned()),
                ("Cache-Control", "no-cache".to_owned()),
                ("ETag", self.etag.clone()),
            ]);
        }
        answer
    }
}

/// What the page may load and do. Scripts are files of this origin only, and no text becomes HTML.
fn policy(image_hosts: &[String]) -> String {
    let images: String = image_hosts.iter().map(|host| format!(" https://{host}")).collect();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src \
         'self' data:{images}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// A file of the page: `VERSION/NAME`. It never changes under this name.
pub(super) fn asset(request: &Request, name: &str) -> Answer {
    let name = name.strip_prefix(page::version()).and_then(|rest| rest.strip_prefix('/'));
    let Some(file) = name.and_then(page::find) else { return Answer::empty(404) };
    let takes_gzip = request.headers("accept-encoding").any(|it| it.contains("gzip"));
    let etag = format!("\"{}\"", page::version());
    let mut answer =
        content(request, file.media_type(), &etag, || file.content(takes_gzip).to_vec());
    if answer.status == 200 {
        answer.headers.push(("Vary", "Accept-Encoding".to_owned()));
        if takes_gzip {
            answer.headers.push(("Content-Encoding", "gzip".to_owned()));
        }
    }
    answer.headers.push(("Cache-Control", "public, max-age=31536000, immutable".to_owned()));
    answer
}

fn content(
    request: &Request,
    media_type: &str,
    etag: &str,
    body: impl FnOnce() -> Vec<u8>,
) -> Answer {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return not_allowed("GET, HEAD");
    }
    if request.header("if-none-match") == Some(etag) {
        return Answer::empty(304);
    }
    let headers = vec![
        ("Content-Type", media_type.to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
    ];
    Answer { status: 200, headers, body: body() }
}
