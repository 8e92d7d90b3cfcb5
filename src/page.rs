//! What browsers get: the files in `src/page`, joined, without comments, and compressed
//! (`build.rs`).

use std::io::{Read, Write};
use std::sync::OnceLock;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// One file of the page.
pub struct File {
    name: &'static str,
    /// The content without a coding. It is made at the first request for it, because browsers take
    /// a coding.
    plain: OnceLock<Vec<u8>>,
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
    /// The content, and its coding, for a browser that names these codings in `Accept-Encoding`.
    pub fn content<'a>(
        &'static self,
        accepted: impl Iterator<Item = &'a str>,
    ) -> (&'static [u8], Option<&'static str>) {
        let codings = codings(accepted);
        match (codings.contains(&"br"), codings.contains(&"gzip")) {
            (true, _) => (self.brotli, Some("br")),
            (false, true) => (self.gzip, Some("gzip")),
            (false, false) => (self.plain(), None),
        }
    }

    fn plain(&self) -> &[u8] {
        self.plain.get_or_init(|| {
            let mut plain = Vec::new();
            GzDecoder::new(self.gzip).read_to_end(&mut plain).expect("build.rs compressed it");
            plain
        })
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

/// Whether a browser that sends these headers `Accept-Encoding` takes gzip.
pub fn takes_gzip<'a>(accepted: impl Iterator<Item = &'a str>) -> bool {
    codings(accepted).contains(&"gzip")
}

/// Compresses a page into which the gateway has written its options.
pub fn gzip(page: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(page.as_bytes()).expect("memory takes it");
    gzip.finish().expect("memory takes it")
}

fn codings<'a>(accepted: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    accepted.flat_map(|header| header.split(',')).filter_map(accepted_coding).collect()
}

/// The name of a coding in `Accept-Encoding`, unless the browser refuses it (RFC 9110, 12.4.2).
fn accepted_coding(coding: &str) -> Option<&str> {
    let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
    let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
    let is_refused = weight.parse() == Ok(0.0);
    (!is_refused).then_some(name.trim())
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_file_has_a_coding_that_the_browser_takes() {
        let file = find("widget.js").unwrap();
        let coding = |accepted: &'static str| file.content([accepted].into_iter()).1;
        for (accepted, wanted) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip;q=0.8, br;q=0.5", Some("br")),
            ("br;q=0, gzip", Some("gzip")),
            ("gzip; q=0.000", None),
            ("identity", None),
            ("", None),
        ] {
            assert_eq!(coding(accepted), wanted, "{accepted}");
        }
        let sizes = ["", "gzip", "br"].map(|accepted| file.content([accepted].into_iter()).0.len());
        assert!(sizes.is_sorted_by(|larger, smaller| larger > smaller), "{sizes:?}");
    }
}
