//! The public face of the library: every item that a program can name, with its signature, as one
//! text. It is read from the source, as all of the shape is, so that no nightly compiler and
//! nothing to install is needed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Fields, Item, Visibility};

use super::cfg::is_test_only;
use super::modules::{Entry, ImportPath, ModuleId, Parsed, Tree, attributes, ident, imports};
use super::resolve::{Kind, Target};
use super::source::Texts;

/// Packages of the compiler, whose types need no name of ours.
const OF_THE_COMPILER: &[&str] = &["alloc", "core", "std"];

/// What programs see.
#[derive(Debug)]
pub(crate) struct Face {
    /// One line for each item, in the order of their paths.
    pub(crate) text: String,
    /// Number of names at the root.
    pub(crate) root_names: usize,
    /// What is in a signature and has no public name.
    pub(crate) nameless: Vec<String>,
}

/// A definition, with the module in which its names are looked up.
type Defined<'a> = (ModuleId, &'a Item);

struct Source<'a> {
    tree: &'a Tree,
    /// Items of each module, tests left out.
    items: HashMap<ModuleId, Vec<&'a Item>>,
    /// By the type or trait that they belong to.
    impls: HashMap<Target, Vec<(ModuleId, &'a syn::ItemImpl)>>,
}

/// A public name: its condition, and what it stands for.
struct Export {
    name: String,
    condition: String,
    target: Target,
}

/// What a public path says, before it is known where else the item has a name.
struct Entries<'a> {
    source: &'a Source<'a>,
    /// Public path of each item and module, the shortest.
    paths: BTreeMap<Target, String>,
    /// Path → condition and item.
    found: BTreeMap<String, (String, Target)>,
}

impl Face {
    /// Reads the face of the library `name`.
    pub(crate) fn of(texts: &Texts, name: &str) -> Self {
        let (tree, parsed) = Tree::read(texts);
        let source = Source::of(&tree, &parsed);
        let mut entries = Entries { source: &source, paths: BTreeMap::new(), found: BTreeMap::new() };
        entries.enter(tree.libraries[name], name);
        let root_names = entries.found.keys().filter(|path| path.matches("::").count() == 1).count();
        let (mut text, mut nameless) = (String::new(), BTreeSet::new());
        for (path, (condition, target)) in &entries.found {
            let first = &entries.paths[target];
            if first == path {
                entries.print(path, condition, target, &mut text, &mut nameless);
            } else {
                writeln!(text, "{condition}{path} = {first}").unwrap();
            }
        }
        Self { text, root_names, nameless: nameless.into_iter().collect() }
    }
}

impl<'a> Source<'a> {
    fn of(tree: &'a Tree, parsed: &'a [Parsed]) -> Self {
        let mut source = Self { tree, items: HashMap::new(), impls: HashMap::new() };
        for (file, parsed) in tree.files.iter().zip(parsed) {
            if !file.is_test {
                source.add(file.module, &parsed.ast.items);
            }
        }
        source
    }

    fn add(&mut self, module: ModuleId, items: &'a [Item]) {
        for item in items.iter().filter(|item| !is_test_only(attributes(item))) {
            self.items.entry(module).or_default().push(item);
            match item {
                Item::Mod(below) => {
                    if let (Some((_, items)), Some(child)) = (&below.content, self.child(module, below)) {
                        self.add(child, items);
                    }
                }
                Item::Impl(implemented) => self.add_impl(module, implemented),
                _ => {}
            }
        }
    }

    /// Notes an impl at its type; at its trait where the type is not ours.
    fn add_impl(&mut self, module: ModuleId, implemented: &'a syn::ItemImpl) {
        let of_type = match &*implemented.self_ty {
            syn::Type::Path(path) => self.item(module, &path.path),
            _ => None,
        };
        let of_trait = || implemented.trait_.as_ref().and_then(|(path, _)| self.item(module, path));
        if let Some(owner) = of_type.or_else(of_trait) {
            self.impls.entry(owner).or_default().push((module, implemented));
        }
    }

    fn item(&self, module: ModuleId, path: &syn::Path) -> Option<Target> {
        let found = self.tree.resolve(module, &import_path(path), Kind::Type);
        found.into_iter().find(|target| matches!(target, Target::Item(..)))
    }

    fn definition(&self, target: &Target) -> Option<Defined<'a>> {
        let Target::Item(module, name) = target else { return None };
        let named = |item: &&&Item| name_of(item).is_some_and(|own| own == *name);
        self.items.get(module)?.iter().find(named).map(|item| (*module, *item))
    }

    /// Lists what a module shows to everybody.
    fn exports(&self, module: ModuleId) -> Vec<Export> {
        let mut exports = Vec::new();
        for item in self.items.get(&module).into_iter().flatten() {
            let attributes = attributes(item);
            if !is_public(item) || is_hidden(attributes) {
                continue;
            }
            let condition = condition(attributes);
            let export = |(name, target)| Export { name, condition: condition.clone(), target };
            match item {
                Item::Use(used) => {
                    for import in imports(used) {
                        let mut targets = self.tree.resolve(module, &import.path, Kind::Any);
                        let is_ours = |target: &Target| matches!(target, Target::Item(..) | Target::Module(_));
                        if targets.iter().any(is_ours) {
                            targets.retain(is_ours);
                        }
                        // A package by its name alone.
                        if let ([package], true) = (import.path.segments.as_slice(), targets.is_empty()) {
                            targets.push(Target::External(package.clone()));
                        }
                        match import.name {
                            Some(name) => {
                                exports.extend(targets.into_iter().map(|target| export((name.clone(), target))));
                            }
                            None => exports.extend(targets.iter().flat_map(|target| self.exports_of(target))),
                        }
                    }
                }
                Item::Mod(below) => {
                    let child = self.child(module, below);
                    exports.extend(child.map(|child| export((ident(&below.ident), Target::Module(child)))));
                }
                other => {
                    let name = name_of(other);
                    exports.extend(name.map(|name| export((name.clone(), Target::Item(module, name)))));
                }
            }
        }
        exports
    }

    /// Lists what a glob of a target brings.
    fn exports_of(&self, target: &Target) -> Vec<Export> {
        if let Target::Module(module) = target { self.exports(*module) } else { Vec::new() }
    }

    fn child(&self, module: ModuleId, declared: &syn::ItemMod) -> Option<ModuleId> {
        let entries = self.tree.modules[module].names.get(&ident(&declared.ident)).into_iter().flatten();
        let mut children = entries.filter_map(|entry| match entry {
            Entry::Module(child) => Some(*child),
            Entry::Item(_) | Entry::Import(_) => None,
        });
        children.next_back()
    }
}

impl Entries<'_> {
    /// Notes what a module shows, and what the modules below it show.
    fn enter(&mut self, module: ModuleId, path: &str) {
        for Export { name, condition, target } in self.source.exports(module) {
            let path = format!("{path}::{name}");
            let is_shorter = |known: &String| path.matches("::").count() < known.matches("::").count();
            if self.paths.get(&target).is_none_or(is_shorter) {
                self.paths.insert(target.clone(), path.clone());
            }
            self.found.insert(path.clone(), (condition, target.clone()));
            if let Target::Module(below) = target {
                self.enter(below, &path);
            }
        }
    }

    fn print(&self, path: &str, condition: &str, target: &Target, text: &mut String, nameless: &mut BTreeSet<String>) {
        let mut lines = Lines { entries: self, module: 0, path, out: Vec::new(), nameless };
        let head = match (target, self.source.definition(target)) {
            (_, Some((module, item))) => {
                lines.module = module;
                lines.item(item)
            }
            (Target::Module(_), _) => "mod".to_owned(),
            (Target::External(package), _) => format!("use {package}"),
            _ => "unknown".to_owned(),
        };
        for (module, implemented) in self.source.impls.get(target).into_iter().flatten() {
            lines.module = *module;
            lines.implemented(implemented, target);
        }
        lines.out.sort();
        let out = std::mem::take(&mut lines.out);
        writeln!(text, "{condition}{path}: {head}").unwrap();
        for line in out {
            writeln!(text, "    {line}").unwrap();
        }
    }
}

/// Lines of one item.
struct Lines<'a> {
    entries: &'a Entries<'a>,
    /// Where names are looked up.
    module: ModuleId,
    path: &'a str,
    out: Vec<String>,
    nameless: &'a mut BTreeSet<String>,
}

impl Lines<'_> {
    fn item(&mut self, item: &Item) -> String {
        let open = if is_non_exhaustive(attributes(item)) { "non_exhaustive " } else { "" };
        self.derives(attributes(item));
        match item {
            Item::Struct(item) => {
                self.fields(&item.fields);
                self.visit_generics(&item.generics);
                format!("{open}struct{}", source(&item.generics))
            }
            Item::Enum(item) => {
                for variant in &item.variants {
                    let open = if is_non_exhaustive(&variant.attrs) { "non_exhaustive " } else { "" };
                    self.visit_fields(&variant.fields);
                    let fields: Vec<String> = variant.fields.iter().map(field).collect();
                    let fields = match &variant.fields {
                        Fields::Named(_) => format!(" {{ {} }}", fields.join(", ")),
                        Fields::Unnamed(_) => format!("({})", fields.join(", ")),
                        Fields::Unit => String::new(),
                    };
                    self.out.push(format!("{open}variant {}{fields}", variant.ident));
                }
                format!("{open}enum{}", source(&item.generics))
            }
            Item::Trait(item) => {
                for member in &item.items {
                    if let syn::TraitItem::Fn(member) = member {
                        let provided = if member.default.is_some() { "provided " } else { "" };
                        self.function(provided, &member.sig);
                    } else {
                        self.out.push(source(member));
                    }
                }
                item.supertraits.iter().for_each(|bound| self.visit_type_param_bound(bound));
                format!("{open}trait{}: {}", source(&item.generics), source(&item.supertraits))
            }
            Item::Fn(item) => {
                self.visit_signature(&item.sig);
                source(&item.sig)
            }
            Item::Type(item) => {
                self.visit_type(&item.ty);
                format!("type{} = {}", source(&item.generics), source(&item.ty))
            }
            Item::Const(item) => {
                self.visit_type(&item.ty);
                format!("const: {}", source(&item.ty))
            }
            other => source(other),
        }
    }

    fn fields(&mut self, fields: &Fields) {
        let (shown, hidden): (Vec<_>, Vec<_>) =
            fields.iter().partition(|field| matches!(field.vis, Visibility::Public(_)) && !is_hidden(&field.attrs));
        for shown in shown {
            self.visit_field(shown);
            self.out.push(format!("field {}", field(shown)));
        }
        if !hidden.is_empty() {
            self.out.push("private fields".to_owned());
        }
    }

    fn implemented(&mut self, implemented: &syn::ItemImpl, target: &Target) {
        let condition = condition(&implemented.attrs);
        if let Some((named, _)) = &implemented.trait_ {
            let own = self.entries.source.item(self.module, named).as_ref() == Some(target);
            let of = if own { format!(" for {}", source(&*implemented.self_ty)) } else { String::new() };
            self.out.push(format!("{condition}impl{} {}{of}", source(&implemented.generics), source(named)));
            return;
        }
        for member in &implemented.items {
            match member {
                syn::ImplItem::Fn(member) if is_shown(&member.vis, &member.attrs) => {
                    let condition = [condition.as_str(), &self::condition(&member.attrs)].concat();
                    self.function(&condition, &member.sig);
                }
                syn::ImplItem::Const(member) if is_shown(&member.vis, &member.attrs) => {
                    self.visit_type(&member.ty);
                    self.out.push(format!("{condition}const {}: {}", member.ident, source(&member.ty)));
                }
                _ => {}
            }
        }
    }

    fn function(&mut self, before: &str, signature: &syn::Signature) {
        self.visit_signature(signature);
        self.out.push(format!("{before}{}", source(signature)));
    }

    fn derives(&mut self, attributes: &[Attribute]) {
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
            if let syn::Meta::List(list) = &attribute.meta {
                self.out.extend(list.tokens.to_string().split(',').map(|name| format!("derive {}", name.trim())));
            }
        }
    }
}

/// Holds each name of a signature against the names that programs have.
impl<'ast> Visit<'ast> for Lines<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        for target in self.entries.source.tree.resolve(self.module, &import_path(path), Kind::Type) {
            let is_named = match &target {
                Target::External(package) => {
                    let package = package.split("::").next().unwrap_or(package);
                    let named = Target::External(package.to_owned());
                    OF_THE_COMPILER.contains(&package) || self.entries.paths.contains_key(&named)
                }
                target => self.entries.paths.contains_key(target),
            };
            if !is_named {
                self.nameless.insert(format!("{} says {}, which has no public name", self.path, source(path)));
            }
        }
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn import_path(path: &syn::Path) -> ImportPath {
    let segments = path.segments.iter().map(|segment| ident(&segment.ident)).collect();
    ImportPath { is_global: path.leading_colon.is_some(), segments, is_self: false }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(ident(name))
}

fn is_public(item: &Item) -> bool {
    let visibility = match item {
        Item::Const(item) => &item.vis,
        Item::Enum(item) => &item.vis,
        Item::Fn(item) => &item.vis,
        Item::Mod(item) => &item.vis,
        Item::Struct(item) => &item.vis,
        Item::Trait(item) => &item.vis,
        Item::Type(item) => &item.vis,
        Item::Use(item) => &item.vis,
        _ => return false,
    };
    matches!(visibility, Visibility::Public(_))
}

fn is_shown(visibility: &Visibility, attributes: &[Attribute]) -> bool {
    matches!(visibility, Visibility::Public(_)) && !is_hidden(attributes) && !is_test_only(attributes)
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    let says = |attribute: &Attribute| attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("hidden"));
    attributes.iter().any(|attribute| attribute.path().is_ident("doc") && says(attribute))
}

fn is_non_exhaustive(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("non_exhaustive"))
}

/// Returns the features without which an item is not there.
fn condition(attributes: &[Attribute]) -> String {
    let conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    conditions.fold(String::new(), |all, attribute| all + &source(attribute) + " ")
}

fn field(field: &syn::Field) -> String {
    let kind = source(&field.ty);
    field.ident.as_ref().map_or(kind.clone(), |name| format!("{}: {kind}", ident(name)))
}

/// Returns a part as it is written, on one line.
fn source(part: &impl Spanned) -> String {
    let text = part.span().source_text().unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let joined = words.join(" ");
    joined.replace("( ", "(").replace(", )", ")").replace("< ", "<").replace(", >", ">")
}
