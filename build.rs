//! Takes comments and blanks out of the files of the page, compresses them, and names them by their
//! content.

use std::fs;
use std::io::Write;
use std::path::Path;

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

fn main() {
    println!("cargo::rerun-if-changed=src/page");
    let out = std::env::var("OUT_DIR").expect("cargo sets it");
    let out = Path::new(&out);
    let mut files: Vec<_> = fs::read_dir("src/page")
        .expect("the page's folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let contents: Vec<_> = files.iter().map(|path| minified(path)).collect();
    // FNV-1a: the name changes with any content. Nobody relies on it for safety.
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let version =
        contents.iter().flat_map(|text| text.as_bytes()).fold(0xcbf2_9ce4_8422_2325_u64, fold);
    let mut list = format!("const VERSION: &str = \"{version:016x}\";\n");
    list.push_str("const FILES: &[File] = &[\n");
    for (path, content) in files.iter().zip(contents) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        // The page names its files under a folder that changes with their content; these name each
        // other relative to it.
        let content = content.replace("=\"assets/", &format!("=\"assets/{version:016x}/"));
        let content = content.as_bytes();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(content).expect("memory takes it");
        let gzip = gzip.finish().expect("memory takes it");
        let mut brotli = Vec::new();
        brotli::BrotliCompress(&mut &*content, &mut brotli, &BrotliEncoderParams::default())
            .expect("memory takes it");
        let include = |suffix: &str, content: &[u8]| {
            let file = out.join(format!("{name}{suffix}"));
            fs::write(&file, content).expect("the output folder is there");
            format!("include_bytes!({file:?})")
        };
        let (plain, gzip) = (include("", content), include(".gz", &gzip));
        let brotli = include(".br", &brotli);
        list.push_str(&format!(
            "    File {{ name: {name:?}, plain: {plain}, gzip: {gzip}, brotli: {brotli} }},\n"
        ));
    }
    list.push_str("];\n");
    fs::write(out.join("page.rs"), list).expect("the output folder is there");
}

/// A file of the page. Scripts and styles have no comments and no blanks that only people need.
fn minified(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("the page's files are text");
    let extension = path.extension().and_then(|extension| extension.to_str());
    let minified = match extension {
        Some("js") => minifier::js::minify(&text).map(|it| it.to_string()),
        Some("css") => minifier::css::minify(&text).map(|it| it.to_string()),
        _ => return text,
    };
    minified.unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}
