//! Modules as the compiler finds them: which file holds which, and what each of them declares.

use std::collections::HashMap;
use std::rc::Rc;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{Item, UseTree, Visibility};

use super::cfg::is_test_only;
use super::source::{Package, Texts, is_rust, packages};

/// Index of a file in [`Tree::files`].
pub(crate) type FileId = usize;
/// Index of a module in [`Tree::modules`].
pub(crate) type ModuleId = usize;

/// All packages, with their modules and files.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) packages: Vec<Package>,
    pub(crate) files: Vec<SourceFile>,
    pub(crate) modules: Vec<Module>,
    /// Name in code of a package → module at the root of its library.
    pub(crate) libraries: HashMap<String, ModuleId>,
    /// What keeps the tree from being read whole.
    pub(crate) problems: Vec<String>,
}

/// Reads a tree while it declares modules.
struct Reader<'a> {
    texts: &'a Texts,
    tree: Tree,
    parsed: Vec<Parsed>,
}

/// A file that a module declaration leads to.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) package: usize,
    pub(crate) module: ModuleId,
    /// Whether it is compiled for tests only.
    pub(crate) is_test: bool,
}

/// Text of a file as the compiler reads it.
pub(crate) struct Parsed {
    pub(crate) tokens: TokenStream,
    pub(crate) ast: Rc<syn::File>,
}

/// A module: a file, or a `mod x { … }` within one.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) parent: Option<ModuleId>,
    pub(crate) file: FileId,
    pub(crate) package: usize,
    pub(crate) names: HashMap<String, Vec<Entry>>,
    pub(crate) globs: Vec<ImportPath>,
}

/// What a name of a module stands for.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// A definition, with the namespaces that it is in.
    Item(Namespaces),
    Module(ModuleId),
    Import(ImportPath),
}

/// Which namespaces a definition is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Namespaces {
    pub(crate) is_type: bool,
    pub(crate) is_value: bool,
}

/// A path as it stands in a `use`, or in code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImportPath {
    /// Whether it begins with `::`.
    pub(crate) is_global: bool,
    pub(crate) segments: Vec<String>,
    /// Whether it is the `self` of a group, which is a module or a type, never a function of the
    /// same name.
    pub(crate) is_self: bool,
}

/// One leaf of a `use` tree.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) path: ImportPath,
    /// Name by which it is known here; `None` for a glob, and for `as _`.
    pub(crate) name: Option<String>,
    pub(crate) is_glob: bool,
    pub(crate) line: usize,
}

impl Tree {
    /// Reads every module of every package; gives the text of each file beside it.
    pub(crate) fn read(texts: &Texts) -> (Self, Vec<Parsed>) {
        let packages = packages(texts);
        let (files, modules, libraries, problems) = (Vec::new(), Vec::new(), HashMap::new(), Vec::new());
        let tree = Self { packages, files, modules, libraries, problems };
        let mut reader = Reader { texts, tree, parsed: Vec::new() };
        for package in 0..reader.tree.packages.len() {
            reader.read_package(package);
        }
        (reader.tree, reader.parsed)
    }

    /// Returns the ancestors of a module, itself first.
    pub(crate) fn ancestors(&self, module: ModuleId) -> impl Iterator<Item = ModuleId> {
        std::iter::successors(Some(module), |at| self.modules[*at].parent)
    }
}

impl Reader<'_> {
    fn read_package(&mut self, package: usize) {
        for root in self.tree.packages[package].roots.clone() {
            let module = self.new_module(None, package);
            if root.ends_with("src/lib.rs") {
                let name = self.tree.packages[package].name.replace('-', "_");
                self.tree.libraries.insert(name, module);
            }
            self.read_file(root, module, false);
        }
        let source = format!("{}src/", self.tree.packages[package].folder);
        for path in self.texts.keys().filter(|path| path.starts_with(&source) && is_rust(path)) {
            if !self.tree.files.iter().any(|file| file.path == *path) {
                self.tree.problems.push(format!("{path} belongs to no module: declare it, or delete it"));
            }
        }
    }

    fn new_module(&mut self, parent: Option<ModuleId>, package: usize) -> ModuleId {
        let file = parent.map_or(0, |parent| self.tree.modules[parent].file);
        let (names, globs) = (HashMap::new(), Vec::new());
        self.tree.modules.push(Module { parent, file, package, names, globs });
        self.tree.modules.len() - 1
    }

    fn read_file(&mut self, path: String, module: ModuleId, is_test: bool) {
        let parsed = self.texts[&path].parse::<TokenStream>().map_err(|error| error.to_string());
        let parsed = parsed.and_then(|tokens| {
            Ok((tokens.clone(), syn::parse2::<syn::File>(tokens).map_err(|error| error.to_string())?))
        });
        let (tokens, ast) = match parsed {
            Ok((tokens, ast)) => (tokens, Rc::new(ast)),
            Err(error) => {
                self.tree.problems.push(format!("{path} can not be parsed: {error}"));
                return;
            }
        };
        let is_test = is_test || is_test_only(&ast.attrs);
        let Module { package, parent, .. } = self.tree.modules[module];
        self.tree.modules[module].file = self.tree.files.len();
        let folder = folder_of_children(&path, parent.is_none());
        self.tree.files.push(SourceFile { path, package, module, is_test });
        self.parsed.push(Parsed { tokens, ast: Rc::clone(&ast) });
        self.declare(&ast.items, module, &folder, is_test);
    }

    fn declare(&mut self, items: &[Item], module: ModuleId, folder: &str, is_test: bool) {
        for item in items {
            match item {
                Item::Mod(declared) => {
                    let below_is_test = is_test || is_test_only(&declared.attrs);
                    self.declare_module(declared, module, folder, below_is_test);
                }
                Item::Use(_) if is_test_only(attributes(item)) && !is_test => {}
                Item::Use(used) => self.declare_imports(used, module),
                Item::ExternCrate(used) => {
                    let name = used.rename.as_ref().map_or(&used.ident, |(_, name)| name).to_string();
                    let path = ImportPath { is_global: true, segments: vec![used.ident.to_string()], is_self: false };
                    self.declare_name(module, name, Entry::Import(path));
                }
                Item::Macro(called) if called.ident.is_none() => {
                    let namespaces = Namespaces { is_type: true, is_value: true };
                    for name in documented(&called.mac.tokens) {
                        self.declare_name(module, name, Entry::Item(namespaces));
                    }
                }
                other => {
                    if let Some((name, namespaces)) = defined(other) {
                        self.declare_name(module, name, Entry::Item(namespaces));
                    }
                }
            }
        }
    }

    fn declare_name(&mut self, module: ModuleId, name: String, entry: Entry) {
        self.tree.modules[module].names.entry(name).or_default().push(entry);
    }

    fn declare_module(&mut self, declared: &syn::ItemMod, parent: ModuleId, folder: &str, is_test: bool) {
        let name = ident(&declared.ident);
        let module = self.new_module(Some(parent), self.tree.modules[parent].package);
        self.declare_name(parent, name.clone(), Entry::Module(module));
        if let Some((_, items)) = &declared.content {
            self.declare(items, module, &format!("{folder}{name}/"), is_test);
            return;
        }
        let file = &self.tree.files[self.tree.modules[parent].file].path;
        let candidates = match path_attribute(&declared.attrs) {
            Some(path) => vec![joined(file.rsplit_once('/').map_or("", |(above, _)| above), &path)],
            None => vec![format!("{folder}{name}.rs"), format!("{folder}{name}/mod.rs")],
        };
        if let Some(path) = candidates.iter().find(|path| self.texts.contains_key(*path)) {
            self.read_file(path.clone(), module, is_test);
        } else {
            let missing = candidates.join(" and no ");
            let problem = format!("{file} declares mod {name}, but there is no {missing}");
            self.tree.problems.push(problem);
        }
    }

    fn declare_imports(&mut self, used: &syn::ItemUse, module: ModuleId) {
        for import in imports(used) {
            if import.is_glob {
                self.tree.modules[module].globs.push(import.path);
            } else if let Some(name) = import.name {
                self.declare_name(module, name, Entry::Import(import.path));
            }
        }
    }
}

/// Lists the leaves of a `use`.
pub(crate) fn imports(used: &syn::ItemUse) -> Vec<Import> {
    let mut leaves = Vec::new();
    collect(&used.tree, &mut Vec::new(), used.leading_colon.is_some(), &mut leaves);
    leaves
}

fn collect(tree: &UseTree, above: &mut Vec<String>, is_global: bool, leaves: &mut Vec<Import>) {
    let leaf = |last: Option<&syn::Ident>, above: &[String]| {
        let mut segments = above.to_vec();
        let is_self = last.is_some_and(|last| last == "self") && !above.is_empty();
        // `use a::b::{self}` is `use a::b`.
        segments.extend(last.map(ident).filter(|_| !is_self));
        ImportPath { is_global, segments, is_self }
    };
    match tree {
        UseTree::Path(path) => {
            above.push(ident(&path.ident));
            collect(&path.tree, above, is_global, leaves);
            above.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect(tree, above, is_global, leaves)),
        UseTree::Name(name) => {
            let path = leaf(Some(&name.ident), above);
            let line = name.ident.span().start().line;
            leaves.push(Import { name: path.segments.last().cloned(), path, is_glob: false, line });
        }
        UseTree::Rename(rename) => {
            let path = leaf(Some(&rename.ident), above);
            let name = Some(ident(&rename.rename)).filter(|name| name != "_");
            leaves.push(Import { path, name, is_glob: false, line: rename.ident.span().start().line });
        }
        UseTree::Glob(glob) => {
            let line = glob.star_token.spans[0].start().line;
            leaves.push(Import { path: leaf(None, above), name: None, is_glob: true, line });
        }
    }
}

/// Returns an identifier as it is compared: `r#type` is `type`.
pub(crate) fn ident(ident: &syn::Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}

/// Returns whether others see the name that an item brings in: a `use` of this kind re-exports.
pub(crate) fn is_visible(visibility: &Visibility) -> bool {
    match visibility {
        Visibility::Public(_) => true,
        Visibility::Restricted(restricted) => !restricted.path.is_ident("self"),
        Visibility::Inherited => false,
    }
}

/// Returns the attributes of an item.
pub(crate) fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn defined(item: &Item) -> Option<(String, Namespaces)> {
    let types = Namespaces { is_type: true, is_value: false };
    let values = Namespaces { is_type: false, is_value: true };
    let both = Namespaces { is_type: true, is_value: true };
    let (name, namespaces) = match item {
        Item::Const(item) => (&item.ident, values),
        Item::Static(item) => (&item.ident, values),
        Item::Fn(item) => (&item.sig.ident, values),
        Item::Enum(item) => (&item.ident, types),
        Item::Struct(item) => (&item.ident, both),
        Item::Trait(item) => (&item.ident, types),
        Item::TraitAlias(item) => (&item.ident, types),
        Item::Type(item) => (&item.ident, types),
        Item::Union(item) => (&item.ident, types),
        Item::Macro(item) => (item.ident.as_ref()?, both),
        _ => return None,
    };
    Some((ident(name), namespaces))
}

/// Returns the names that stand below a doc comment or an attribute in what is given to a macro:
/// those that it defines.
fn documented(tokens: &TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let name = |window: &[TokenTree]| match window {
        [TokenTree::Punct(sign), TokenTree::Group(group), TokenTree::Ident(name)] => {
            (sign.as_char() == '#' && group.delimiter() == Delimiter::Bracket).then(|| ident(name))
        }
        _ => None,
    };
    tokens.windows(3).filter_map(name).collect()
}

fn folder_of_children(path: &str, is_root: bool) -> String {
    let (above, file) = path.rsplit_once('/').unwrap_or(("", path));
    match file {
        _ if is_root => format!("{above}/"),
        "mod.rs" => format!("{above}/"),
        file => format!("{above}/{}/", file.trim_end_matches(".rs")),
    }
}

fn path_attribute(attributes: &[syn::Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// Returns a path relative to a folder, without `..`.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
