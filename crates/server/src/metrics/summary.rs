//! Quantiles of what requests took, in the families and with the labels of Notary's server.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use metrics_util::storage::Summary;
use parking_lot::Mutex;

use crate::clock::Stopwatch;

/// In the order of the values that are observed.
const FAMILIES: [&str; 3] = [
    "notary_server_http_request_duration_microseconds",
    "notary_server_http_request_size_bytes",
    "notary_server_http_response_size_bytes",
];
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];
/// Quantiles are of what was observed since one to two of these ago.
const WINDOW: Duration = Duration::from_mins(5);

/// By operation, of which there are a handful.
static OBSERVED: Mutex<BTreeMap<&'static str, [Windows; 3]>> = Mutex::new(BTreeMap::new());

/// One request: how long it took, and the sizes of its body and of its answer's.
pub(super) fn observe(operation: &'static str, values: [f64; 3]) {
    let mut observed = OBSERVED.lock();
    let windows = observed.entry(operation).or_default();
    for (windows, value) in windows.iter_mut().zip(values) {
        windows.add(value);
    }
}

/// All families as text.
pub(super) fn render() -> String {
    let mut observed = OBSERVED.lock();
    let families = FAMILIES.iter().enumerate().map(|(at, family)| {
        let lines = observed.iter_mut().filter_map(|(operation, windows)| {
            let windows = windows.get_mut(at)?;
            Some(windows.lines(family, operation))
        });
        match lines.collect::<String>() {
            nothing if nothing.is_empty() => nothing,
            lines => format!("# TYPE {family} summary\n{lines}\n"),
        }
    });
    families.collect()
}

struct Windows {
    count: u64,
    sum: f64,
    began: Stopwatch,
    current: Summary,
    last: Summary,
}

impl Default for Windows {
    fn default() -> Self {
        Self { count: 0, sum: 0.0, began: Stopwatch::start(), current: summary(), last: summary() }
    }
}

/// Within 1%, in at most 16 KiB. What is less than 1 counts as nothing.
fn summary() -> Summary {
    Summary::new(0.01, 2048, 1.0)
}

impl Windows {
    fn add(&mut self, value: f64) {
        self.turn(self.began.elapsed());
        self.count += 1;
        self.sum += value;
        self.current.add(value);
    }

    fn turn(&mut self, passed: Duration) {
        if passed >= WINDOW {
            self.began = Stopwatch::start();
            let current = mem::replace(&mut self.current, summary());
            self.last = if passed >= WINDOW * 2 { summary() } else { current };
        }
    }

    fn lines(&mut self, family: &str, operation: &str) -> String {
        self.turn(self.began.elapsed());
        let mut both = self.last.clone();
        let merged = both.merge(&self.current);
        let labels = format!("operation=\"{operation}\"");
        let quantiles = QUANTILES.map(|quantile| {
            // As Prometheus has it where nothing was observed.
            let value = both.quantile(quantile).filter(|_| merged.is_ok()).unwrap_or(f64::NAN);
            format!("{family}{{{labels},quantile=\"{quantile}\"}} {value}\n")
        });
        let Self { count, sum, .. } = self;
        format!("{}{family}_sum{{{labels}}} {sum}\n{family}_count{{{labels}}} {count}\n", quantiles.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_near_and_counts_are_exact() {
        let mut windows = Windows::default();
        assert!(windows.lines("f", "o").contains("f{operation=\"o\",quantile=\"0.5\"} NaN\n"));
        for value in 1..=1000_u32 {
            windows.add(value.into());
        }
        let text = windows.lines("f", "o");
        let value = |of: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(of)).unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert_eq!((value("f_sum"), value("f_count")), (500_500.0, 1000.0));
        for (quantile, expected) in [("0.5", 500.0), ("0.9", 900.0), ("0.99", 990.0)] {
            let found = value(&format!("f{{operation=\"o\",quantile=\"{quantile}\"}}"));
            assert!((found - expected).abs() <= expected * 0.02, "{quantile}: {found}");
        }
    }

    #[test]
    fn what_is_old_counts_in_no_quantile() {
        let median = |windows: &mut Windows| {
            let text = windows.lines("f", "o");
            text.lines().next().unwrap().rsplit(' ').next().unwrap().parse::<f64>().unwrap()
        };
        let mut windows = Windows::default();
        windows.add(1000.0);
        windows.turn(WINDOW.saturating_sub(Duration::from_secs(1)));
        assert!(median(&mut windows) > 980.0);
        windows.turn(WINDOW);
        assert!(median(&mut windows) > 980.0, "of the window before");
        windows.turn(WINDOW);
        assert!(median(&mut windows).is_nan());
        windows.add(1000.0);
        windows.turn(WINDOW * 2);
        assert!(median(&mut windows).is_nan(), "nobody came for two windows");
        assert_eq!(windows.count, 2);
    }
}
