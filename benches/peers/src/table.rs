//! Tables for people.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};

/// Prints rows under heads; all but the first column end at the right.
pub(crate) fn print(title: &str, heads: &[&str], rows: &[Vec<String>]) {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN).set_header(heads);
    for row in rows {
        table.add_row(row);
    }
    for at in 1..heads.len() {
        table.column_mut(at).unwrap().set_cell_alignment(CellAlignment::Right);
    }
    println!("\n### {title}\n\n{table}");
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
