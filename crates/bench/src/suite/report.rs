//! The report, in Markdown.

use std::{fmt::Write, fs};

use anyhow::{Result, ensure};

use super::{cases::Case, systems::Kind};
use crate::workload::Outcome;

/// What came of a case on a system, if it can run there.
pub(crate) type Cell = Option<Outcome>;

/// More of a core than this, and the load generator may have been what was slow.
const SATURATED: f64 = 0.9;

/// All outcomes.
#[derive(Debug)]
pub(crate) struct Report {
    systems: Vec<Kind>,
    rows: Vec<(Case, Vec<Cell>)>,
}

impl Report {
    /// An empty one, for these systems.
    pub(crate) fn new(systems: Vec<Kind>) -> Self {
        Self {
            systems,
            rows: Vec::new(),
        }
    }

    /// Adds what came of a case, a cell for each system.
    pub(crate) fn add(&mut self, case: Case, cells: Vec<Cell>) {
        self.rows.push((case, cells));
    }

    /// The report.
    pub(crate) fn markdown(&self, commit: &str, seconds: f64, rounds: usize) -> String {
        let mut text = format!(
            "# Benchmarks\n\nWritten by `scripts/bench.sh`. What the workloads are is in `crates/bench/src/suite/cases.rs`; the \
             servers do the same in all systems, with texts of 64 bytes.\n\n\
             - Commit: {commit}\n- Machine: {}\n- Each measured {rounds} × {seconds} s, the systems in turn; the median by CPU \
             counts. Other work on the machine disturbs latency and throughput more than CPU time.\n",
            machine()
        );
        self.table(
            &mut text,
            "CPU of all servers per operation, µs",
            |case, outcome| (!case.is_about_latency()).then(|| format!("{:.1}", outcome.server_cpu_micros)),
        );
        if let Some(reference) = self.systems.iter().position(|kind| *kind == Kind::Socketioxide) {
            self.ratios(&mut text, reference);
        }
        self.table(&mut text, "Latency p50 / p90 / p99, ms", |_, outcome| {
            let latency = outcome.latency;
            Some(format!(
                "{:.1} / {:.1} / {:.1}",
                latency.p50, latency.p90, latency.p99
            ))
        });
        self.table(&mut text, "Operations per second", |_, outcome| {
            Some(format!("{:.0}", outcome.per_second))
        });
        self.table(
            &mut text,
            "Resident memory of all servers per idle connection, KiB",
            |_, outcome| outcome.resident_kib.map(|kib| format!("{kib:.1}")),
        );
        self.table(
            &mut text,
            "CPU of all servers with these connections idle, ms per second",
            |_, outcome| outcome.idle_cpu_millis.map(|millis| format!("{millis:.1}")),
        );
        self.table(
            &mut text,
            "Lost / doubled / out of order / failed clients",
            |_, outcome| {
                let faults = outcome.faults;
                Some(format!(
                    "{} / {} / {} / {}",
                    faults.lost, faults.doubled, faults.out_of_order, outcome.failures
                ))
            },
        );
        self.failures(&mut text);
        self.table(
            &mut text,
            "CPU of the load generator, of one core (! when it may be the bottleneck)",
            |_, outcome| {
                let mark = if outcome.own_cpu > SATURATED { " !" } else { "" };
                Some(format!("{:.2}{mark}", outcome.own_cpu))
            },
        );
        text
    }

    /// Why clients failed, a line for each case and system where some did.
    fn failures(&self, text: &mut String) {
        for (case, cells) in &self.rows {
            for (kind, outcome) in self.systems.iter().zip(cells) {
                let failure = outcome
                    .as_ref()
                    .and_then(|outcome| outcome.first_failure.as_ref());
                if let Some(failure) = failure {
                    let title = &case.title;
                    // Writing to a string cannot fail.
                    write!(text, "\nThe first that failed at {title} on {kind}: {failure}\n")
                        .unwrap_or_default();
                }
            }
        }
    }

    /// Fails when something went wrong on Hither, or nothing was measured.
    pub(crate) fn verdict(&self) -> Result<()> {
        for (case, cells) in &self.rows {
            for (kind, outcome) in self.systems.iter().zip(cells) {
                let Some(outcome) = outcome else { continue };
                let title = &case.title;
                ensure!(outcome.units > 0, "{title} on {kind}: nothing was done");
                if kind.is_hither() {
                    ensure!(outcome.faults.none(), "{title} on {kind}: {:?}", outcome.faults);
                    ensure!(
                        outcome.failures == 0,
                        "{title} on {kind}: {:?}",
                        outcome.first_failure
                    );
                }
            }
        }
        Ok(())
    }

    fn ratios(&self, text: &mut String, reference: usize) {
        let mut rows = Vec::new();
        for (case, cells) in self.rows.iter().filter(|(case, _)| !case.is_about_latency()) {
            let Some(base) = cells[reference].as_ref().map(|outcome| outcome.server_cpu_micros) else {
                continue;
            };
            let ratio = |outcome: &Outcome| Some(format!("{:.2}", outcome.server_cpu_micros / base));
            rows.push((
                case.title.as_str(),
                cells.iter().map(|cell| cell.as_ref().and_then(ratio)).collect(),
            ));
        }
        self.write_table(text, "CPU per operation as a multiple of socketioxide's", rows);
    }

    fn table(&self, text: &mut String, title: &str, entry: impl Fn(&Case, &Outcome) -> Option<String>) {
        let rows = self.rows.iter().map(|(case, cells)| {
            let entries = cells
                .iter()
                .map(|cell| cell.as_ref().and_then(|outcome| entry(case, outcome)));
            (case.title.as_str(), entries.collect::<Vec<_>>())
        });
        self.write_table(
            text,
            title,
            rows.filter(|(_, cells)| cells.iter().any(Option::is_some))
                .collect(),
        );
    }

    fn write_table(&self, text: &mut String, title: &str, rows: Vec<(&str, Vec<Option<String>>)>) {
        if rows.is_empty() {
            return;
        }
        let mut lines = vec![String::new(), format!("## {title}"), String::new()];
        let heads = self
            .systems
            .iter()
            .map(|kind| format!(" {kind} |"))
            .collect::<String>();
        lines.push(format!("| workload |{heads}"));
        lines.push(format!("|---|{}", "--:|".repeat(self.systems.len())));
        for (label, cells) in rows {
            let cells = cells
                .into_iter()
                .map(|cell| format!(" {} |", cell.as_deref().unwrap_or("–")))
                .collect::<String>();
            lines.push(format!("| {label} |{cells}"));
        }
        for line in lines {
            // Writing to a string cannot fail.
            writeln!(text, "{line}").unwrap_or_default();
        }
    }
}

/// Processor, cores and kernel of this machine.
fn machine() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
        Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{}, {cores} cores, Linux {}",
        model.as_deref().unwrap_or("unknown processor"),
        kernel.trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_client_failed_is_said() {
        let mut report = Report::new(vec![Kind::Socketioxide]);
        let case = Case::all(true).remove(0);
        let outcome = Outcome {
            failures: 2,
            first_failure: Some("no answer".to_owned()),
            ..Outcome::default()
        };
        let line = format!(
            "The first that failed at {} on socketioxide ×1: no answer\n",
            case.title
        );
        report.add(case, vec![Some(outcome)]);
        let text = report.markdown("a commit", 1.0, 1);
        assert!(text.contains(&line), "{text}");
        assert!(text.contains("0 / 0 / 0 / 2"), "{text}");
    }
}
