//! Wrong command lines, told in one line.

use std::process;

use clap::{Parser, error::ErrorKind};

/// The exit code for a command line that is wrong, as is the custom.
pub const MISUSE: u8 = 2;

/// Reads the command line. Prints help or the version if that is asked for, and one line that says what would be right if
/// something is wrong, and then ends the process.
pub fn parse<Arguments: Parser>() -> Arguments {
    Arguments::try_parse().unwrap_or_else(|error| match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        _ => {
            eprintln!("{}", one_line(&error));
            process::exit(MISUSE.into())
        }
    })
}

/// Clap tells a mistake in paragraphs, of which the last ones are how to use the command at all.
fn one_line(error: &clap::Error) -> String {
    let told = error.render().to_string();
    let paragraphs: Vec<String> = told
        .split("\n\n")
        .filter(|paragraph| {
            !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more information")
        })
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|paragraph| !paragraph.is_empty())
        .collect();
    format!("{} (try --help)", paragraphs.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::NodeArgs;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        node: NodeArgs,
    }

    fn complaint(line: &str) -> String {
        one_line(&Line::try_parse_from(line.split(' ')).unwrap_err())
    }

    #[test]
    fn a_complaint_is_one_line_that_says_what_would_be_right() {
        for (line, parts) in [
            (
                "node --placement far",
                ["'far' for '--placement", "possible values: near, spread"],
            ),
            (
                "node --http 9001",
                ["'9001' for '--http", "such as 127.0.0.1:9001"],
            ),
            (
                "node --cluster 0.0.0.0:7001",
                ["'--cluster", "an address of this machine"],
            ),
            ("node --name a/b", ["'--name", "1 to 64 of the characters"]),
            ("node --seed node2", ["'--seed", "such as node2.internal:7001"]),
            ("node --shards 0", ["'--shards", "1 to 65536"]),
            ("node --lanes 65", ["'--lanes", "1..=64"]),
            (
                "node --failure-timeout 4",
                ["'--failure-timeout", "such as 500ms"],
            ),
            (
                "node --log loud",
                ["'--log", "off, error, warn, info, debug or trace"],
            ),
            ("node --log-format xml", ["'--log-format", "human, json"]),
            ("node --sed a:1", ["'--sed'", "'--seed'"]),
            ("node --secret hunter2", ["'--secret'", "'--secret-file'"]),
        ] {
            let complaint = complaint(line);
            assert!(
                parts.iter().all(|part| complaint.contains(part)),
                "{line}: {complaint}"
            );
            assert!(!complaint.contains('\n'), "{line}: {complaint}");
            assert!(!complaint.contains("Usage"), "{line}: {complaint}");
        }
    }
}
