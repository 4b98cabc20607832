//! Tables for people: columns as wide as their widest cell.

use anstyle::Style;
use std::io::Write;
use std::time::SystemTime;

const STRONG: Style = Style::new().bold();

/// A heading and a line for each row; the last column is as long as it wants to be.
pub(crate) fn write<const N: usize>(
    heading: [&str; N],
    rows: &[[String; N]],
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let width = |column: usize| widest(column).max(heading[column].len());
    let line = |cells: [&str; N]| {
        let padded = |(column, cell): (usize, &&str)| match column + 1 == N {
            true => (*cell).to_owned(),
            false => format!("{cell:width$}  ", width = width(column)),
        };
        cells.iter().enumerate().map(padded).collect::<String>()
    };
    writeln!(out, "{STRONG}{}{STRONG:#}", line(heading).trim_end())?;
    rows.iter().try_for_each(|row| writeln!(out, "{}", line(row.each_ref().map(String::as_str)).trim_end()))
}

/// How long ago that was, in seconds since 1970: `7s`, `5m`, `3h`, `12d`.
pub(crate) fn age(at: u64) -> String {
    let seconds = now().saturating_sub(at);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_have_to_be_and_lines_end_with_their_text() {
        let mut out = Vec::new();
        let rows = [["web".to_owned(), "-".to_owned()], ["a-long-name".to_owned(), String::new()]];
        write(["NAME", "WHY"], &rows, &mut out).expect("written");
        let text = String::from_utf8(anstream::adapter::strip_bytes(&out).into_vec()).expect("UTF-8");
        assert_eq!(text, "NAME         WHY\nweb          -\na-long-name\n");
    }

    #[test]
    fn an_age_has_one_unit() {
        for (seconds, wanted) in [(0, "0s"), (119, "119s"), (121, "2m"), (7300, "2h"), (400_000, "4d")] {
            assert_eq!(age(now() - seconds), wanted);
        }
    }
}
