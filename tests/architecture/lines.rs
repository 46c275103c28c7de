//! Counts lines. A line of code is one on which a token stands, doc comments and what is there for
//! tests apart; so neither blank lines nor the width of comments counts.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Lines of a file or a room, what is there for tests left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) files: usize,
    pub(crate) code: usize,
    /// Lines with a comment and nothing else.
    pub(crate) comments: usize,
}

impl std::ops::AddAssign for Lines {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.code += other.code;
        self.comments += other.comments;
    }
}

/// Counts the lines of a file, given its text as tokens too, and the first and last line of each
/// part for tests.
pub(crate) fn lines_of(text: &str, tokens: TokenStream, tests: &[(usize, usize)]) -> Lines {
    let mut code = BTreeSet::new();
    token_lines(tokens, &mut code);
    let is_test = |line: usize| tests.iter().any(|(first, last)| (*first..=*last).contains(&line));
    code.retain(|line| !is_test(*line));
    let is_comment = |line: usize, text: &str| !text.trim().is_empty() && !code.contains(&line) && !is_test(line);
    let comments = text.lines().enumerate().filter(|(at, text)| is_comment(at + 1, text)).count();
    Lines { files: 1, code: code.len(), comments }
}

fn token_lines(tokens: TokenStream, lines: &mut BTreeSet<usize>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        let doc = doc_comment(&tokens[at..]);
        if doc > 0 {
            at += doc;
            continue;
        }
        match &tokens[at] {
            TokenTree::Group(group) => {
                lines.extend([group.span_open().start().line, group.span_close().end().line]);
                token_lines(group.stream(), lines);
            }
            token => lines.extend(token.span().start().line..=token.span().end().line),
        }
        at += 1;
    }
}

/// Returns how many tokens a doc comment takes at the start of `tokens`: it is read as
/// `#[doc = "…"]`.
fn doc_comment(tokens: &[TokenTree]) -> usize {
    let is = |at: usize, character: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == character);
    let skipped = if is(1, '!') { 2 } else { 1 };
    match tokens.get(skipped) {
        Some(TokenTree::Group(group)) if is(0, '#') && group.delimiter() == Delimiter::Bracket => {
            let mut inner = group.stream().into_iter();
            let is_doc = matches!(inner.next(), Some(TokenTree::Ident(name)) if name == "doc");
            let has_value = matches!(inner.next(), Some(TokenTree::Punct(punct)) if punct.as_char() == '=');
            if is_doc && has_value { skipped + 1 } else { 0 }
        }
        _ => 0,
    }
}
