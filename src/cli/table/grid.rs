//! Plain text in columns, so that `awk` and `cut` can take it too: no frame, two spaces between
//! columns.

/// Characters of a value that a line for people shows.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// Which side of its column a cell keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Side {
    Left,
    Right,
}

/// Lays rows out below their headings, a line feed after each. Cells may come from an API: they
/// stand on one line, without what a terminal would obey.
pub(in crate::cli) fn grid<const COLUMNS: usize>(
    headings: [(&str, Side); COLUMNS],
    rows: &[[String; COLUMNS]],
) -> String {
    lay_out(&headings, rows)
}

/// Does as [`grid`], for columns whose number is not known before.
pub(super) fn lay_out(headings: &[(&str, Side)], rows: &[impl AsRef<[String]>]) -> String {
    let on_one_line = |text: &str| printable(text).collect::<String>();
    let heading = headings.iter().map(|(heading, _)| on_one_line(heading)).collect();
    let rows = rows.iter().map(|row| row.as_ref().iter().map(|cell| on_one_line(cell)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    let mut widths = vec![0; headings.len()];
    for line in &lines {
        for (widest, cell) in widths.iter_mut().zip(line) {
            *widest = cell.chars().count().max(*widest);
        }
    }
    let line = |cells: &Vec<String>| {
        let cells = cells.iter().zip(headings).zip(&widths).map(|((cell, (_, side)), width)| match side {
            Side::Left => format!("{cell:<width$}"),
            Side::Right => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    lines.iter().map(line).collect()
}

/// Returns a string on one line, cut to a bearable length, without what a terminal would obey.
pub(super) fn shortened(text: &str) -> String {
    let mut characters = printable(text);
    let mut line: String = characters.by_ref().take(SHOWN_CHARACTERS_MAX).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}

fn printable(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|character| if character.is_control() { ' ' } else { character })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_hold_no_control_characters() {
        let rows = [["a", "1", ""], ["größer", "12\n4", "\u{1b}"]].map(|row| row.map(str::to_owned));
        let headings = [("name", Side::Left), ("n", Side::Right), ("why", Side::Left)];
        assert_eq!(grid(headings, &rows), "name       n  why\na          1\ngrößer  12 4\n");
    }
}
