//! Tables for people: columns as wide as their widest cell.

use anstyle::Style;
use std::io::Write;

const STRONG: Style = Style::new().bold();

/// What stands in a row and a column.
pub(crate) struct Cell {
    text: String,
    style: Style,
    is_number: bool,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, style: Style::new(), is_number: false }
    }
}

impl Cell {
    /// A number. Its column ends where all its numbers do.
    pub(crate) fn number(number: impl ToString) -> Self {
        Self { is_number: true, ..number.to_string().into() }
    }

    /// A text with a colour.
    pub(crate) fn coloured(text: impl Into<String>, style: Style) -> Self {
        Self { style, ..text.into().into() }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// A heading and a line for each row; the last column is as long as it wants to be.
pub(crate) fn write<const N: usize>(
    heading: [&str; N],
    rows: &[[Cell; N]],
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let widest = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(|column| widest(column).max(heading[column].chars().count()));
    let of_numbers = |column: usize| rows.iter().any(|row| row[column].is_number);
    let heading =
        std::array::from_fn(|column| Cell { is_number: of_numbers(column), ..Cell::coloured(heading[column], STRONG) });
    line(&heading, &widths, out)?;
    rows.iter().try_for_each(|row| line(row, &widths, out))
}

/// A line ends with its text.
fn line<const N: usize>(cells: &[Cell; N], widths: &[usize; N], out: &mut dyn Write) -> std::io::Result<()> {
    let mut gap = 0;
    for (cell, width) in cells.iter().zip(widths) {
        let Cell { text, style, is_number } = cell;
        let rest = width - cell.width();
        let (before, after) = if *is_number { (rest, 0) } else { (0, rest) };
        gap += before;
        if !text.is_empty() {
            write!(out, "{:gap$}{style}{text}{style:#}", "")?;
            gap = 0;
        }
        gap += after + 2;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(heading: [&str; 3], rows: &[[Cell; 3]]) -> String {
        let mut out = Vec::new();
        write(heading, rows, &mut out).expect("written");
        String::from_utf8(anstream::adapter::strip_bytes(&out).into_vec()).expect("UTF-8")
    }

    #[test]
    fn columns_are_as_wide_as_they_have_to_be_and_lines_end_with_their_text() {
        let row = |name: &str, state: &str, why: &str| [name.to_owned(), state.to_owned(), why.to_owned()];
        let rows = [row("web", "", "-"), row("größer-als", "failing", "")].map(|row| row.map(Cell::from));
        let wanted = "NAME        STATE    WHY\nweb                  -\ngrößer-als  failing\n";
        assert_eq!(plain(["NAME", "STATE", "WHY"], &rows), wanted);
    }

    #[test]
    fn numbers_end_below_each_other_and_colours_take_no_room() {
        let red = Style::new().bold();
        let row =
            |number: u64, state: &str| [Cell::number(number), Cell::coloured(state, red), "end".to_owned().into()];
        let rows = [row(7, "failing"), row(1200, "ok")];
        assert_eq!(
            plain(["NO", "STATE", "LAST"], &rows),
            "  NO  STATE    LAST\n   7  failing  end\n1200  ok       end\n"
        );
    }
}
