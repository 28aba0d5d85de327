//! Plots for the documentation: bars beside each other, as SVG.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// One thing that is compared: its name, and a value for each series, if it has one.
pub(crate) type Bar = (String, Vec<Option<f64>>);

const COLOURS: [RGBColor; 3] =
    [RGBColor(0x1f, 0x6f, 0xb4), RGBColor(0xe0, 0x8a, 0x1e), RGBColor(0x5a, 0x9e, 0x5a)];

/// Writes `FOLDER/NAME.svg`: horizontal bars from zero on, the shorter the better or worse, as the title says.
pub(crate) fn write(folder: &Path, name: &str, title: &str, series: &[&str], bars: &[Bar]) {
    const LEFT: i32 = 230;
    const TOP: i32 = 64;
    const ROW: i32 = 16;
    const WIDTH: i32 = 860;
    let group = ROW * series.len() as i32 + 10;
    let height = TOP + group * bars.len() as i32 + 10;
    std::fs::create_dir_all(folder).unwrap();
    let file = folder.join(format!("{name}.svg"));
    let root = SVGBackend::new(&file, (WIDTH as u32, height as u32)).into_drawing_area();
    root.fill(&WHITE).unwrap();
    let text = |size: i32, horizontally| {
        ("sans-serif", size).into_font().color(&BLACK).pos(Pos::new(horizontally, VPos::Center))
    };
    root.draw(&Text::new(title.to_owned(), (16, 18), text(16, HPos::Left))).unwrap();
    for (at, series) in series.iter().enumerate() {
        let left = LEFT + 130 * at as i32;
        let place = [(left, 36), (left + 12, 48)];
        root.draw(&Rectangle::new(place, COLOURS[at % COLOURS.len()].filled())).unwrap();
        root.draw(&Text::new((*series).to_owned(), (left + 18, 42), text(13, HPos::Left))).unwrap();
    }
    let largest = bars.iter().flat_map(|(_, values)| values.iter().flatten()).copied().fold(1.0, f64::max);
    let scale = f64::from(WIDTH - LEFT - 90) / largest;
    for (at, (name, values)) in bars.iter().enumerate() {
        let top = TOP + group * at as i32;
        let middle = top + group / 2 - 5;
        root.draw(&Text::new(name.clone(), (LEFT - 10, middle), text(13, HPos::Right))).unwrap();
        for (within, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let top = top + ROW * within as i32;
            let end = LEFT + (value * scale).ceil() as i32;
            root.draw(&Rectangle::new(
                [(LEFT, top), (end, top + ROW - 3)],
                COLOURS[within % COLOURS.len()].filled(),
            ))
            .unwrap();
            let written = if *value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") };
            root.draw(&Text::new(written, (end + 5, top + ROW / 2 - 1), text(12, HPos::Left))).unwrap();
        }
    }
    root.present().unwrap();
    eprintln!("plotted: {}", file.display());
}
