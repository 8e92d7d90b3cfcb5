//! What browsers get: the files in `src/page`, without comments, and compressed (`build.rs`).

/// One file of the page.
pub struct File {
    name: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The name of this version of the files: it changes with their content.
pub fn version() -> &'static str {
    VERSION
}

/// The chat page, which shows images of no host.
pub fn chat() -> &'static str {
    include_str!(concat!(env!("OUT_DIR"), "/chat.html"))
}

/// The file with this name.
pub fn find(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

impl File {
    /// The content as a browser takes it that names these codings in `Accept-Encoding`, and the
    /// coding.
    pub fn content<'a>(
        &self,
        accepted: impl Iterator<Item = &'a str>,
    ) -> (&'static [u8], Option<&'static str>) {
        let codings = accepted.flat_map(|header| header.split(','));
        let codings: Vec<_> =
            codings.filter_map(|coding| coding.split(';').next()).map(str::trim).collect();
        match (codings.contains(&"br"), codings.contains(&"gzip")) {
            (true, _) => (self.brotli, Some("br")),
            (false, true) => (self.gzip, Some("gzip")),
            (false, false) => (self.plain, None),
        }
    }

    /// The media type.
    pub fn media_type(&self) -> &'static str {
        match self.name.rsplit_once('.') {
            Some((_, "html")) => "text/html; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "application/octet-stream",
        }
    }
}
