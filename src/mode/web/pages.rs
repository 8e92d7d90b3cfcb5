//! What browsers get that belongs to no customer: the chat as a page of its own and in a frame, the
//! script that puts it on a shop's pages, and their files.

use crate::core::http::{Method, Request};
use crate::mode::args;
use crate::page;

use super::browsers::Answer;
use super::routes::not_allowed;

/// The pages of this gateway.
pub(super) struct Pages {
    chat: Page,
    /// The chat for a frame on a page of the same site.
    frame: Page,
    /// The chat for a frame on a page of another site.
    foreign_frame: Page,
}

/// One page, with this gateway's options in it.
struct Page {
    html: String,
    gzip: Vec<u8>,
    policy: String,
    /// The request headers on which the answer depends.
    vary: &'static str,
}

impl Pages {
    /// The pages with these options.
    pub(super) fn new(args: &args::Web) -> Pages {
        let frame = |frame| Page::new(args, frame);
        Pages { chat: frame(""), frame: frame("same-site"), foreign_frame: frame("cross-site") }
    }

    /// The chat as a page of its own.
    pub(super) fn chat(&self, request: &Request) -> Answer {
        let mut answer = self.chat.answer(request);
        if answer.status == 200 {
            answer.headers.push(("Cross-Origin-Opener-Policy", "same-origin".to_owned()));
        }
        answer
    }

    /// The chat in a frame. Browsers say how the page around it is related to the gateway, because
    /// the frame's storage depends on that.
    pub(super) fn frame(&self, request: &Request) -> Answer {
        let is_near = matches!(request.header("sec-fetch-site"), Some("same-origin" | "same-site"));
        let page = if is_near { &self.frame } else { &self.foreign_frame };
        page.answer(request)
    }
}

impl Page {
    /// `frame` says where the frame is; empty for a page of its own.
    fn new(args: &args::Web, frame: &str) -> Page {
        let embedders = if frame.is_empty() { &[] } else { args.embedders.as_slice() };
        let html = [
            ("data-images", args.images.join(" ").as_str()),
            ("data-embedders", &embedders.join(" ")),
            ("data-frame", frame),
            ("data-notice", args.notice.as_deref().unwrap_or_default()),
            ("data-ask", args.ask.as_deref().unwrap_or_default()),
        ]
        .into_iter()
        .fold(page::chat().to_owned(), |html, (name, value)| {
            let value = value.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
            html.replace(&format!("{name}=\"\""), &format!("{name}=\"{value}\""))
        });
        let policy = policy(&args.images, embedders);
        let vary =
            if frame.is_empty() { "Accept-Encoding" } else { "Accept-Encoding, Sec-Fetch-Site" };
        Page { gzip: page::gzip(&html), html, policy, vary }
    }

    /// Browsers load a page anew each time, because it names the files of its version. With a 304 a
    /// browser would also keep the headers of the first answer, even wrong ones that a proxy added.
    fn answer(&self, request: &Request) -> Answer {
        let takes_gzip = page::takes_gzip(request.headers("accept-encoding"));
        let body = || if takes_gzip { self.gzip.clone() } else { self.html.clone().into_bytes() };
        let mut answer = content(request, "text/html; charset=utf-8", body);
        if answer.status == 200 {
            answer.headers.extend(takes_gzip.then(|| ("Content-Encoding", "gzip".to_owned())));
            answer.headers.extend([
                ("Vary", self.vary.to_owned()),
                ("Content-Security-Policy", self.policy.clone()),
                ("Referrer-Policy", "no-referrer".to_owned()),
                ("Permissions-Policy", "camera=(), geolocation=(), microphone=()".to_owned()),
                ("Cache-Control", "no-cache".to_owned()),
            ]);
        }
        answer
    }
}

/// What a page may load and do, and who may show it in a frame. Scripts are files of this origin
/// only, and no text becomes HTML.
fn policy(image_hosts: &[String], embedders: &[String]) -> String {
    let images: String = image_hosts.iter().map(|host| format!(" https://{host}")).collect();
    let ancestors = if embedders.is_empty() { "'none'".to_owned() } else { embedders.join(" ") };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src \
         'self' data:{images}; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// A script for shops' pages. It has the same name in every version, so browsers ask whether theirs
/// is still the newest.
pub(super) fn script(request: &Request, name: &str) -> Answer {
    let mut answer = file(request, name);
    answer.headers.extend([
        ("Cache-Control", "no-cache".to_owned()),
        ("ETag", etag()),
        // Any page may load the script, also a page that requires this header of all that it loads.
        ("Access-Control-Allow-Origin", "*".to_owned()),
        ("Cross-Origin-Resource-Policy", "cross-origin".to_owned()),
    ]);
    answer
}

/// A file of the pages: `VERSION/NAME`. It never changes under this name.
pub(super) fn asset(request: &Request, name: &str) -> Answer {
    let name = name.strip_prefix(page::version()).and_then(|rest| rest.strip_prefix('/'));
    let mut answer = file(request, name.unwrap_or_default());
    if answer.status != 404 {
        let forever = "public, max-age=31536000, immutable";
        answer.headers.push(("Cache-Control", forever.to_owned()));
    }
    answer
}

fn file(request: &Request, name: &str) -> Answer {
    let Some(file) = page::find(name) else { return Answer::empty(404) };
    let (bytes, coding) = file.content(request.headers("accept-encoding"));
    let mut answer = content(request, file.media_type(), || bytes.to_vec());
    if answer.status != 200 {
        return answer;
    }
    if request.header("if-none-match") == Some(&etag()) {
        answer = Answer::empty(304);
    } else {
        answer.headers.extend(coding.map(|coding| ("Content-Encoding", coding.to_owned())));
    }
    answer.headers.push(("Vary", "Accept-Encoding".to_owned()));
    answer
}

/// The files of one version have one tag. It is a weak one: it is the same for every coding (RFC
/// 9110, 8.8.3.3).
fn etag() -> String {
    format!("W/\"{}\"", page::version())
}

fn content(request: &Request, media_type: &str, body: impl FnOnce() -> Vec<u8>) -> Answer {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return not_allowed("GET, HEAD");
    }
    let headers = vec![
        ("Content-Type", media_type.to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
    ];
    Answer { status: 200, headers, body: body() }
}
