//! The `Link` header (RFC 8288).

/// Returns the target of the first link of `header` with the relation `relation`, as it is written.
///
/// `<https://api.example/events?page=2>; rel="next", <…>; rel="last"`. A `rel` may hold several
/// relations, in any case; parameters come in any order; commas and semicolons may stand inside
/// `<…>` and quotes. What is not a link is passed over.
pub fn link_target(header: &str, relation: &str) -> Option<String> {
    let mut rest = header;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, parameters) = after.split_once('>')?;
        let (has_relation, next) = read_parameters(parameters, relation);
        if has_relation {
            return Some(target.trim().to_owned());
        }
        rest = next;
    }
}

/// Reads the parameters of one link: whether one of its relations is `relation`, and what follows
/// the link.
fn read_parameters<'a>(parameters: &'a str, relation: &str) -> (bool, &'a str) {
    let mut rest = parameters;
    let mut found = false;
    let mut rel_seen = false;
    loop {
        rest = rest.trim_start();
        let Some(after) = rest.strip_prefix(';') else { break };
        let (name, value, next) = read_parameter(after);
        // Of several `rel` parameters the first one counts (RFC 8288 §3.3).
        if name.eq_ignore_ascii_case("rel") && !rel_seen {
            rel_seen = true;
            found = value.split_ascii_whitespace().any(|known| known.eq_ignore_ascii_case(relation));
        }
        rest = next;
    }
    (found, rest.strip_prefix(',').unwrap_or(rest))
}

/// Returns `name=value`, `name="value"` or `name`, and what follows.
fn read_parameter(text: &str) -> (&str, String, &str) {
    let text = text.trim_start();
    let name_end = text.find(['=', ';', ',']).unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    let Some(value) = rest.strip_prefix('=') else { return (name.trim(), String::new(), rest) };
    let value = value.trim_start();
    let Some(quoted) = value.strip_prefix('"') else {
        let end = value.find([';', ',']).unwrap_or(value.len());
        let (value, rest) = value.split_at(end);
        return (name.trim(), value.trim().to_owned(), rest);
    };
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return (name.trim(), text, quoted.get(position + 1..).unwrap_or_default()),
            '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
            other => text.push(other),
        }
    }
    (name.trim(), text, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_relation_is_found_however_it_is_written() {
        for (header, expected) in [
            ("<https://a/2>; rel=\"next\", <https://a/9>; rel=\"last\"", Some("https://a/2")),
            ("<https://a/9>; rel=\"last\", <https://a/2>; rel=\"next\"", Some("https://a/2")),
            ("<https://a/2?x=1,2;3>; title=\"a, b; rel=x\"; REL=Next", Some("https://a/2?x=1,2;3")),
            ("<https://a/2>; rel=\"prev next\"", Some("https://a/2")),
            ("<https://a/2>;rel=next,<https://a/3>;rel=last", Some("https://a/2")),
            ("<https://a/1>; rel=\"prev\"; rel=\"next\"", None),
            ("<https://a/1>; rel=\"nextish\"", None),
            ("</events?page=2>; rel=\"next\"", Some("/events?page=2")),
            ("<https://a/2>; title=\"it \\\" is\"; rel=next", Some("https://a/2")),
            ("", None),
            ("nonsense", None),
            ("<https://a/2", None),
        ] {
            assert_eq!(link_target(header, "next").as_deref(), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn foreign_headers_never_panic(header in "[<>;,\"\\\\= relnxt/a-z]{0,60}") {
            drop(link_target(&header, "next"));
        }
    }
}
