//! Walks the code of a file, tests left out, and collects every name that it uses.

use std::collections::HashMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Item, Stmt};

use super::cfg::is_test_only;
use super::modules::{Entry, FileId, ImportPath, ModuleId, Tree, attributes, ident, imports, is_visible};
use super::resolve::{Kind, Target};

/// A name in code that leads somewhere.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) line: usize,
    /// Module in which it stands.
    pub(crate) module: ModuleId,
    pub(crate) target: Target,
    pub(crate) how: How,
}

/// How a name is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// By a `use` for this module alone.
    Imported,
    /// By a `use` that others see.
    ReExported,
    /// In a path of the code.
    Said,
    /// As the name of a method, which has no path.
    Method,
}

/// What was found in one file.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) names: Vec<Name>,
    /// First and last line of each part that is there for tests only.
    pub(crate) tests: Vec<(usize, usize)>,
}

/// Collects the names of a file.
pub(crate) fn names_of(tree: &Tree, file: FileId, ast: &syn::File) -> Found {
    let mut walk = Walk { tree, module: tree.files[file].module, scopes: Vec::new(), found: Found::default() };
    walk.visit_file(ast);
    walk.found
}

struct Walk<'a> {
    tree: &'a Tree,
    module: ModuleId,
    /// What the blocks around declare: imports, or `None` for items of their own.
    scopes: Vec<HashMap<String, Option<ImportPath>>>,
    found: Found,
}

impl Walk<'_> {
    /// Returns whether a part is to be passed over, and notes its lines.
    fn passes_over(&mut self, attributes: &[syn::Attribute], part: &impl Spanned) -> bool {
        let is_test = is_test_only(attributes);
        if is_test {
            let span = part.span();
            self.found.tests.push((span.start().line, span.end().line));
        }
        is_test
    }

    fn say(&mut self, path: &ImportPath, kind: Kind, line: usize, how: How) {
        for target in self.resolve(path, kind) {
            self.found.names.push(Name { line, module: self.module, target, how });
        }
    }

    fn resolve(&self, path: &ImportPath, kind: Kind) -> Vec<Target> {
        let Some(first) = path.segments.first().filter(|_| !path.is_global) else {
            return self.tree.resolve(self.module, path, kind);
        };
        for (depth, scope) in self.scopes.iter().enumerate().rev() {
            match scope.get(first) {
                Some(None) => return Vec::new(),
                Some(Some(import)) => {
                    let mut whole = import.clone();
                    whole.segments.extend(path.segments.iter().skip(1).cloned());
                    whole.is_self &= path.segments.len() == 1;
                    let outer = Walk {
                        tree: self.tree,
                        module: self.module,
                        scopes: self.scopes[..depth].to_vec(),
                        found: Found::default(),
                    };
                    return outer.resolve(&whole, kind);
                }
                None => {}
            }
        }
        self.tree.resolve(self.module, path, kind)
    }

    fn say_path(&mut self, path: &syn::Path, kind: Kind) {
        let segments = path.segments.iter().map(|segment| ident(&segment.ident)).collect();
        let path_here = ImportPath { is_global: path.leading_colon.is_some(), segments, is_self: false };
        self.say(&path_here, kind, path.span().start().line, How::Said);
        for segment in &path.segments {
            self.visit_path_arguments(&segment.arguments);
        }
    }

    /// Collects what looks like a path in the tokens of a macro or an attribute.
    fn say_tokens(&mut self, tokens: TokenStream, in_attribute: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.say_tokens(group.stream(), in_attribute),
                TokenTree::Ident(first) => {
                    let follows_dot =
                        at > 0 && is_punct(&tokens[at - 1], '.') && !(at > 1 && is_punct(&tokens[at - 2], '.'));
                    let is_global = is_colons(&tokens, at.wrapping_sub(2));
                    let mut segments = vec![ident(first)];
                    let line = first.span().start().line;
                    while is_colons(&tokens, at + 1) {
                        let Some(TokenTree::Ident(next)) = tokens.get(at + 3) else { break };
                        segments.push(ident(next));
                        at += 3;
                    }
                    let next = tokens.get(at + 1);
                    if follows_dot {
                        if is_call(next) {
                            self.say_method(&segments[0], line);
                        }
                    } else if next.is_some_and(|next| is_punct(next, '!')) && !is_not_equal(&tokens, at + 1) {
                        self.say_macro(segments, is_global, line);
                    } else if segments.len() > 1 || !in_attribute {
                        self.say(&ImportPath { is_global, segments, is_self: false }, Kind::Any, line, How::Said);
                    }
                }
                // Paths in attributes stand in strings: `#[serde(with = "crate::seconds")]`.
                TokenTree::Literal(literal) if in_attribute => {
                    let text = literal.to_string();
                    if let Some(path) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                        self.say_text(path, literal.span().start().line);
                    }
                }
                TokenTree::Literal(_) | TokenTree::Punct(_) => {}
            }
            at += 1;
        }
    }

    fn say_text(&mut self, text: &str, line: usize) {
        if let Ok(path) = syn::parse_str::<syn::Path>(text) {
            let segments = path.segments.iter().map(|segment| ident(&segment.ident)).collect();
            let path = ImportPath { is_global: path.leading_colon.is_some(), segments, is_self: false };
            let in_workspace = self.resolve(&path, Kind::Any);
            for target in in_workspace.into_iter().filter(|target| matches!(target, Target::Item(..))) {
                self.found.names.push(Name { line, module: self.module, target, how: How::Said });
            }
        }
    }

    fn say_macro(&mut self, mut segments: Vec<String>, is_global: bool, line: usize) {
        let path = ImportPath { is_global, segments: segments.clone(), is_self: false };
        let targets = self.resolve(&path, Kind::Any);
        let ours = targets.into_iter().filter(|target| !matches!(target, Target::External(_))).collect::<Vec<_>>();
        if ours.is_empty() {
            let name = segments.pop().unwrap_or_default();
            let target = Target::External(format!("{name}!"));
            self.found.names.push(Name { line, module: self.module, target, how: How::Said });
        }
        for target in ours {
            self.found.names.push(Name { line, module: self.module, target, how: How::Said });
        }
    }

    fn say_method(&mut self, name: &str, line: usize) {
        let target = Target::External(format!(".{name}"));
        self.found.names.push(Name { line, module: self.module, target, how: How::Method });
    }

    fn within(&mut self, module: ModuleId, walk: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.module, module);
        let scopes = std::mem::take(&mut self.scopes);
        walk(self);
        self.module = outer;
        self.scopes = scopes;
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !self.passes_over(attributes(item), item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = ident(&item.ident);
        let entries = self.tree.modules[self.module].names.get(&name);
        let child = entries.into_iter().flatten().find_map(|entry| match entry {
            Entry::Module(child) if self.tree.modules[*child].file == self.tree.modules[self.module].file => {
                Some(*child)
            }
            _ => None,
        });
        if let (Some(child), Some((_, items))) = (child, &item.content) {
            self.within(child, |walk| items.iter().for_each(|item| walk.visit_item(item)));
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let how = if is_visible(&item.vis) { How::ReExported } else { How::Imported };
        for import in imports(item) {
            self.say(&import.path, Kind::Any, import.line, how);
        }
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if item.ident.is_some() {
            self.say_tokens(item.mac.tokens.clone(), false);
        } else {
            visit::visit_item_macro(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes: &[syn::Attribute] = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            syn::ImplItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !self.passes_over(attributes, item) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast syn::TraitItem) {
        let attributes: &[syn::Attribute] = match item {
            syn::TraitItem::Const(item) => &item.attrs,
            syn::TraitItem::Fn(item) => &item.attrs,
            syn::TraitItem::Type(item) => &item.attrs,
            syn::TraitItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !self.passes_over(attributes, item) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !self.passes_over(&field.attrs, field) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if !self.passes_over(&variant.attrs, variant) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_field_value(&mut self, value: &'ast syn::FieldValue) {
        if !self.passes_over(&value.attrs, value) {
            visit::visit_field_value(self, value);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !self.passes_over(&arm.attrs, arm) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let attributes: &[syn::Attribute] = match statement {
            Stmt::Local(local) => &local.attrs,
            Stmt::Macro(called) => &called.attrs,
            Stmt::Expr(syn::Expr::Block(block), _) => &block.attrs,
            Stmt::Expr(syn::Expr::Call(call), _) => &call.attrs,
            Stmt::Expr(syn::Expr::MethodCall(call), _) => &call.attrs,
            Stmt::Expr(syn::Expr::If(branch), _) => &branch.attrs,
            Stmt::Expr(..) | Stmt::Item(_) => &[],
        };
        if !self.passes_over(attributes, statement) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        let mut scope = HashMap::new();
        for statement in &block.stmts {
            let Stmt::Item(item) = statement else { continue };
            let own = match item {
                Item::Use(used) => {
                    let named = imports(used).into_iter().filter_map(|import| Some((import.name?, Some(import.path))));
                    scope.extend(named);
                    continue;
                }
                Item::Fn(item) => &item.sig.ident,
                Item::Const(item) => &item.ident,
                Item::Struct(item) => &item.ident,
                Item::Enum(item) => &item.ident,
                _ => continue,
            };
            scope.insert(ident(own), None);
        }
        // The block's imports are resolved by what is around it: none by itself.
        for statement in &block.stmts {
            if let Stmt::Item(item @ Item::Use(_)) = statement {
                self.visit_item(item);
            }
        }
        self.scopes.push(scope);
        for statement in &block.stmts {
            if !matches!(statement, Stmt::Item(Item::Use(_))) {
                self.visit_stmt(statement);
            }
        }
        self.scopes.pop();
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        // A lone lower-case name is a variable as a rule; a function that is imported has its arrow
        // by the import.
        if let Some(own) = &path.qself {
            self.visit_qself(own);
        }
        self.say_path(&path.path, Kind::Value);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.say_method(&ident(&call.method), call.method.span().start().line);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_pat_tuple_struct(&mut self, pattern: &'ast syn::PatTupleStruct) {
        self.say_path(&pattern.path, Kind::Value);
        pattern.elems.iter().for_each(|pattern| self.visit_pat(pattern));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.say_path(path, Kind::Type);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        let segments = called.path.segments.iter().map(|segment| ident(&segment.ident)).collect();
        let line = called.path.span().start().line;
        self.say_macro(segments, called.path.leading_colon.is_some(), line);
        self.say_tokens(called.tokens.clone(), false);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.say_tokens(list.tokens.clone(), true);
        }
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| tokens.get(at).is_some_and(|token| is_punct(token, ':'));
    let joined =
        matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.spacing() == proc_macro2::Spacing::Joint);
    colon(at) && joined && at.checked_add(1).is_some_and(colon)
}

fn is_call(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis)
}

fn is_not_equal(tokens: &[TokenTree], at: usize) -> bool {
    tokens.get(at + 1).is_some_and(|token| is_punct(token, '='))
}
