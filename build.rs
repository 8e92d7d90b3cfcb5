//! Makes the files that browsers get from `src/page`: joins the modules that belong together,
//! minifies and compresses the result, and names it by its content.
//!
//! A file that no other file imports is made together with all that it imports: `chat.js` is the
//! whole chat except the language, `page.css` has every style sheet. So a browser asks for few
//! files, and repeated text compresses well. The sources are modules that run as they are; the
//! tests in `tests/page` import them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;

use brotli::enc::BrotliEncoderParams;
use brotli::enc::backward_references::BrotliEncoderMode;
use flate2::Compression;
use flate2::write::GzEncoder;
use oxc::allocator::Allocator;
use oxc::ast::ast::{ImportDeclarationSpecifier, Program, Statement};
use oxc::codegen::{Codegen, CodegenOptions};
use oxc::minifier::{Minifier, MinifierOptions};
use oxc::parser::Parser;
use oxc::semantic::SemanticBuilder;
use oxc::span::SourceType;

/// The texts of the page's files, by name.
type Sources = BTreeMap<String, String>;

fn main() {
    println!("cargo::rerun-if-changed=src/page");
    let out = std::env::var("OUT_DIR").expect("cargo sets it");
    let out = Path::new(&out);
    let sources = with_short_names(read_sources());
    let imported: BTreeSet<String> = sources.values().flat_map(|text| imports(text)).collect();
    let files: Vec<(&String, String)> = sources
        .keys()
        .filter(|name| !imported.contains(*name))
        .map(|name| (name, made(&sources, name)))
        .collect();
    // FNV-1a: the name changes with any content. Nobody relies on it for safety.
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let version =
        files.iter().flat_map(|(_, text)| text.bytes()).fold(0xcbf2_9ce4_8422_2325_u64, fold);
    let mut list = format!("const VERSION: &str = \"{version:016x}\";\n");
    let (_, served): (Vec<_>, Vec<_>) = files.iter().partition(|(name, _)| name.ends_with(".html"));
    list.push_str(&format!("static FILES: [File; {}] = [\n", served.len()));
    for (name, content) in &files {
        // The page names its files under a folder that changes with their content; these name each
        // other relative to it.
        let content = content.replace("=\"assets/", &format!("=\"assets/{version:016x}/"));
        let include = |suffix: &str, content: &[u8]| {
            let file = out.join(format!("{name}{suffix}"));
            fs::write(&file, content).expect("the output folder is there");
            format!("include_bytes!({file:?})")
        };
        if name.ends_with(".html") {
            // The gateway writes its options into the page, and then compresses it.
            include("", content.as_bytes());
            continue;
        }
        let gzip = include(".gz", &gzip(content.as_bytes()));
        let brotli = include(".br", &brotli(content.as_bytes()));
        list.push_str(&format!(
            "    File {{ name: {name:?}, plain: OnceLock::new(), gzip: {gzip}, brotli: {brotli} }},\n"
        ));
    }
    list.push_str("];\n");
    fs::write(out.join("page.rs"), list).expect("the output folder is there");
}

fn read_sources() -> Sources {
    let entries = fs::read_dir("src/page").expect("the page's folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let read = |path: std::path::PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        (name.to_owned(), fs::read_to_string(&path).expect("the page's files are text"))
    };
    paths.filter(|path| path.is_file()).map(read).collect()
}

/// The sources with a number in place of each name that words.en.js gives a sentence: `words.send`
/// is `words.w8` in all files, and so is `data-words="send"` in the page.
fn with_short_names(sources: Sources) -> Sources {
    const KEY: &str = "\n  ";
    let lines = sources["words.en.js"].split(KEY);
    let names: Vec<_> = lines.filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    let shorten = |text: &str, before: &str| {
        let mut parts = text.split(before);
        let mut shortened = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(part.len());
            let name = names.iter().position(|name| *name == &part[..end]);
            let name = name.map_or(part[..end].to_owned(), |number| format!("w{number}"));
            shortened.extend([before, &name, &part[end..]]);
        }
        shortened
    };
    let shortened = |(file, text): (&String, &String)| {
        let is_language = file.starts_with("words.") && file.as_str() != "words.js";
        let keys = is_language.then_some(KEY);
        let befores = ["words.", "data-words=\"", "data-label=\""].into_iter().chain(keys);
        (file.clone(), befores.fold(text.clone(), |text, before| shorten(&text, before)))
    };
    sources.iter().map(shortened).collect()
}

/// A file together with its imports, without comments and blanks.
fn made(sources: &Sources, name: &str) -> String {
    let minified = match name.rsplit_once('.') {
        Some((_, "js")) => minified_module(&joined_modules(sources, name)),
        Some((_, "css")) => minifier::css::minify(&joined_styles(sources, name))
            .map(|it| it.to_string())
            .map_err(str::to_owned),
        Some((_, "html")) => Ok(bare_html(&sources[name])),
        _ => Ok(sources[name].clone()),
    };
    minified.unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// The names of the files that a file imports.
fn imports(text: &str) -> Vec<String> {
    statements(text)
        .filter_map(|it| it.strip_prefix("import ").or(it.strip_prefix("@import ")))
        .map(|it| it.split("'./").nth(1).and_then(|it| it.split('\'').next()))
        .map(|file| file.expect("an import names a file as './NAME'").to_owned())
        .collect()
}

/// The lines of a text, but each import as one item, however many lines it has.
fn statements(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_import = rest.starts_with("import ") || rest.starts_with("@import ");
        let end = rest
            .find(if is_import { ";\n" } else { "\n" })
            .map(|at| at + 1 + usize::from(is_import));
        let (statement, next) = rest.split_at(end.unwrap_or(rest.len()));
        rest = next;
        (!statement.is_empty()).then_some(statement)
    })
}

/// A style sheet, with the text of each sheet that it imports in the place of the import.
fn joined_styles(sources: &Sources, name: &str) -> String {
    let own = |statement: &str| match imports(statement).first() {
        Some(imported) => joined_styles(sources, imported),
        None => statement.to_owned(),
    };
    statements(&sources[name]).map(own).collect()
}

/// A module and, before it, all that it imports, as one module.
fn joined_modules(sources: &Sources, name: &str) -> String {
    let mut order = Vec::new();
    collect(sources, name, &mut Vec::new(), &mut order);
    order.iter().map(|part| as_part(&sources[part], part, part == name)).collect()
}

/// Puts the modules that `name` imports before it, in the order in which a browser runs them.
fn collect(sources: &Sources, name: &str, path: &mut Vec<String>, order: &mut Vec<String>) {
    assert!(!path.iter().any(|it| it == name), "{path:?} import each other");
    if order.iter().any(|it| it == name) {
        return;
    }
    let text = sources.get(name).unwrap_or_else(|| panic!("{path:?}: there is no {name}"));
    path.push(name.to_owned());
    for imported in imports(text) {
        collect(sources, &imported, path, order);
    }
    path.pop();
    order.push(name.to_owned());
}

/// The statements of a module, to stand in one file with those of others: without its imports, and
/// with the module's name behind each name of its own, because others may declare the same. So
/// `make`, which dom.js exports, is `make$dom` there and wherever it is imported. The entry, which
/// is last, keeps its names and its exports.
fn as_part(text: &str, name: &str, is_entry: bool) -> String {
    let allocator = Allocator::default();
    let mut program = parsed(&allocator, text).unwrap_or_else(|why| panic!("{name}: {why}"));
    let mut scoping = SemanticBuilder::new().build(&program).semantic.into_scoping();
    let own: Vec<_> = scoping.iter_bindings_in(scoping.root_scope_id()).collect();
    for symbol in own.into_iter().filter(|_| !is_entry) {
        let named = with_module(scoping.symbol_name(symbol), name);
        scoping.set_symbol_name(symbol, named.as_str().into());
    }
    let statements = program.body.drain(..).filter_map(|statement| match statement {
        Statement::ImportDeclaration(import) => {
            for specifier in import.specifiers.iter().flatten() {
                let ImportDeclarationSpecifier::ImportSpecifier(it) = specifier else {
                    panic!("{name}: this build knows `import {{ NAME }}` alone");
                };
                let named = with_module(&it.imported.name(), &import.source.value);
                scoping.set_symbol_name(it.local.symbol_id(), named.as_str().into());
            }
            None
        }
        Statement::ExportDeclaration(export) if !is_entry => {
            Some(Statement::from(export.unbox().declaration))
        }
        other => Some(other),
    });
    let statements: Vec<_> = statements.collect();
    program.body.extend(statements);
    Codegen::new().with_scoping(Some(scoping)).build(&program).code
}

fn with_module(name: &str, file: &str) -> String {
    let module = file.trim_start_matches("./").trim_end_matches(".js");
    format!("{name}${}", module.replace('.', "_"))
}

fn parsed<'a>(allocator: &'a Allocator, text: &'a str) -> Result<Program<'a>, String> {
    let parsed = Parser::new(allocator, text, SourceType::mjs()).parse();
    parsed.diagnostics.first().map_or(Ok(parsed.program), |why| Err(why.to_string()))
}

/// A module with short names, and without what only people need.
fn minified_module(text: &str) -> Result<String, String> {
    let allocator = Allocator::default();
    let mut program = parsed(&allocator, text)?;
    let semantic = SemanticBuilder::new().build(&program).semantic;
    let unknown = semantic.scoping().root_unresolved_references().keys();
    if let Some(name) = unknown.into_iter().find(|name| name.contains('$')) {
        return Err(format!("{name} is imported, but not exported"));
    }
    let minified = Minifier::new(MinifierOptions::default()).minify(&allocator, &mut program);
    let generator = Codegen::new()
        .with_options(CodegenOptions::minify())
        .with_scoping(minified.scoping)
        .with_private_member_mappings(minified.class_private_mappings);
    Ok(generator.build(&program).code)
}

/// A page without comments and without the blanks at the edges of its lines.
fn bare_html(text: &str) -> String {
    let mut parts = text.split("<!--");
    let mut bare = parts.next().unwrap_or_default().to_owned();
    bare.extend(parts.map(|part| part.split_once("-->").expect("a comment ends").1));
    bare.lines().map(str::trim).filter(|line| !line.is_empty()).flat_map(|it| [it, "\n"]).collect()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(content).expect("memory takes it");
    gzip.finish().expect("memory takes it")
}

fn brotli(content: &[u8]) -> Vec<u8> {
    let mut brotli = Vec::new();
    let params = BrotliEncoderParams {
        mode: BrotliEncoderMode::BROTLI_MODE_TEXT,
        size_hint: content.len(),
        ..BrotliEncoderParams::default()
    };
    brotli::BrotliCompress(&mut &*content, &mut brotli, &params).expect("memory takes it");
    brotli
}
