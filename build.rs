//! Compresses the files of the page, and names them by their content.

use std::fs;
use std::io::Write;
use std::path::Path;

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
    let contents: Vec<_> =
        files.iter().map(|path| fs::read(path).expect("it can be read")).collect();
    // FNV-1a: the name changes with any content. Nobody relies on it for safety.
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let version = contents.iter().flatten().fold(0xcbf2_9ce4_8422_2325_u64, fold);
    let mut list = format!("const VERSION: &str = \"{version:016x}\";\n");
    list.push_str("const FILES: &[File] = &[\n");
    for (path, content) in files.iter().zip(contents) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let text = String::from_utf8(content).expect("the page's files are text");
        // The page names its files under a folder that changes with their content; these name each
        // other relative to it.
        let content =
            text.replace("=\"assets/", &format!("=\"assets/{version:016x}/")).into_bytes();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&content).expect("memory takes it");
        let compressed = encoder.finish().expect("memory takes it");
        fs::write(out.join(name), &content).expect("the output folder is there");
        fs::write(out.join(format!("{name}.gz")), compressed).expect("as before");
        let file = |suffix: &str| format!("{:?}", out.join(format!("{name}{suffix}")));
        let (plain, gzip) = (file(""), file(".gz"));
        list.push_str(&format!(
            "    File {{ name: {name:?}, plain: include_bytes!({plain}), \
             gzip: include_bytes!({gzip}) }},\n"
        ));
    }
    list.push_str("];\n");
    fs::write(out.join("page.rs"), list).expect("the output folder is there");
}
