//! Compresses the player and writes the table of its files, so that the executable carries them as they are sent.
//!
//! Lines of comments are left out, which are a third of what would go over the wire. The files work as they lie in the
//! tree too; nobody needs this to use them.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use zopfli::{Format, Options};

/// The page.
const INDEX: &str = "app/index.html";
/// What the page begins with.
const ENTRY: &str = "app/app.js";

fn main() -> Result<(), Box<dyn Error>> {
    let web = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../web");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut texts = BTreeMap::new();
    // What lies beside these is for tests and for npm.
    for part in ["app", "core", "login/login.css", "eyelet.js"] {
        println!("cargo::rerun-if-changed={}", web.join(part).display());
        for file in files(&web.join(part))? {
            let path =
                file.strip_prefix(&web)?.to_str().ok_or("a name that is not UTF-8")?.to_owned();
            texts.insert(path, lean(&fs::read_to_string(&file)?));
        }
    }
    let version = version(&texts);
    let page = texts.get(INDEX).ok_or("there is no page")?;
    let page = hasten(page, &texts, &version);
    texts.insert(INDEX.to_owned(), page);

    let mut table = String::new();
    for (path, text) in &texts {
        let Some(content_type) = content_type(path) else { continue };
        let packed = out.join(format!("{}.gz", path.replace('/', "-")));
        zopfli::compress(
            Options::default(),
            Format::Gzip,
            text.as_bytes(),
            fs::File::create(&packed)?,
        )?;
        let packed = packed.to_str().ok_or("a folder that is not UTF-8")?;
        writeln!(
            table,
            "    File {{ path: {path:?}, content_type: {content_type:?}, gzip: include_bytes!({packed:?}) }},"
        )?;
    }
    fs::write(out.join("site.rs"), format!("&[\n{table}]"))?;
    println!("cargo::rustc-env=EYELET_SITE_VERSION={version}");
    Ok(())
}

/// Names what all files together are, so that an address with it in can be kept for ever.
fn version(texts: &BTreeMap<String, String>) -> String {
    // Source: FNV-1a, 64 bits; http://www.isthe.com/chongo/tech/comp/fnv
    let bytes = texts.iter().flat_map(|(path, text)| path.bytes().chain(text.bytes()));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Lets the page name its files by addresses that a browser keeps, and all modules at once, which it would else find
/// one behind the other.
fn hasten(page: &str, texts: &BTreeMap<String, String>, version: &str) -> String {
    let mut found = vec![ENTRY.to_owned()];
    let mut at = 0;
    while let Some(module) = found.get(at).cloned() {
        let text = texts.get(&module).map_or("", String::as_str);
        for import in imports(text).map(|import| resolve(&module, import)) {
            if texts.contains_key(&import) && !found.contains(&import) {
                found.push(import);
            }
        }
        at += 1;
    }
    let links: String = found
        .iter()
        .map(|module| format!("<link rel=\"modulepreload\" href=\"-/{version}/{module}\">\n"))
        .collect();
    page.replace("\"-/app/", &format!("\"-/{version}/app/"))
        .replace("</head>", &format!("{links}</head>"))
}

/// What a module imports before it runs, as it is written there.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| {
            line.starts_with("import ")
                || line.starts_with("export ")
                || line.starts_with("} from ")
        })
        .filter_map(|line| line.strip_suffix("';")?.rsplit_once('\'').map(|(_, path)| path))
}

/// The path of what `module` calls `import`.
fn resolve(module: &str, import: &str) -> String {
    let mut path: Vec<&str> = module.split('/').collect();
    path.pop();
    for step in import.split('/') {
        match step {
            "." => {}
            ".." => drop(path.pop()),
            step => path.push(step),
        }
    }
    path.join("/")
}

/// Every file in a folder and below it, or the one file, in order.
fn files(path: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = fs::read_dir(path)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        found.extend(files(&entry)?);
    }
    Ok(found)
}

/// Leaves out comments, types within lines, and what indents these.
///
/// Only lines are looked at, so no line within a string may begin as a comment does, and none may have ` // ` in it.
fn lean(text: &str) -> String {
    let mut lean = String::new();
    let mut is_within = false;
    for line in text.lines().map(str::trim) {
        let line = without_types(line);
        let line = line.trim();
        let begins = line.starts_with("/*");
        if is_within || begins || line.starts_with("//") || line.is_empty() {
            is_within = (is_within || begins) && !line.ends_with("*/");
            continue;
        }
        let code = line.split_once(" // ").map_or(line, |(code, _)| code.trim_end());
        lean.push_str(code);
        lean.push('\n');
    }
    lean
}

/// Leaves out what only a checker of types reads: `/** @type {…} */` and the like.
fn without_types(line: &str) -> String {
    let mut rest = line;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once("/** @") {
        let Some((_, behind)) = after.split_once("*/") else { break };
        kept.push_str(before);
        rest = behind.trim_start();
    }
    kept + rest
}

/// What a file is; none for those that a browser does not ask for.
fn content_type(path: &str) -> Option<&'static str> {
    match Path::new(path).extension()?.to_str()? {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        _ => None,
    }
}
