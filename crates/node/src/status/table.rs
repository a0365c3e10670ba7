//! A cluster's status for people.

use super::{ClusterStatus, Member};

const HEADER: [&str; 11] = [
    "NODE",
    "PHASE",
    "HTTP",
    "SHARDS",
    "OWNED",
    "ATTACHED",
    "MOVING",
    "MOVED IN",
    "MOVED OUT",
    "REVIVED",
    "RECOVERED",
];
/// From here on there are numbers, which end where their column does.
const FIRST_NUMBER: usize = 3;

type Row = [String; HEADER.len()];

/// One line per member, and who tells.
pub(super) fn table(status: &ClusterStatus) -> String {
    let rows: Vec<Row> = std::iter::once(HEADER.map(str::to_owned))
        .chain(status.members.iter().map(row))
        .collect();
    let widths: [usize; HEADER.len()] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let line = |row: &Row| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if column < FIRST_NUMBER {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let silent = status.members.iter().filter(|member| member.sessions.is_none());
    let silent: Vec<&str> = silent.map(|member| member.name.as_str()).collect();
    let mut text: String = rows.iter().map(line).collect();
    text += &format!("\nas seen by {}", status.node);
    if !silent.is_empty() {
        text += &format!("; silent: {}", silent.join(", "));
    }
    text + "\n"
}

fn row(member: &Member) -> Row {
    let count = |of: fn(&super::Counts) -> u64| {
        member
            .sessions
            .as_ref()
            .map_or("-".to_owned(), |counts| of(counts).to_string())
    };
    [
        member.name.clone(),
        member.phase.clone(),
        member.http.clone(),
        member.shards.to_string(),
        count(|counts| counts.owned),
        count(|counts| counts.attached),
        count(|counts| counts.moving),
        count(|counts| counts.moved_in),
        count(|counts| counts.moved_out),
        count(|counts| counts.revived),
        count(|counts| counts.recovered),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_its_line() {
        let status = serde_json::from_str(
            r#"{"node":"node1","members":[
                {"name":"node1","phase":"up","http":"127.0.0.1:9001","shards":1000,"incarnation":1,"sessions":
                    {"owned":12,"attached":9,"moving":3,"moved_in":4,"moved_out":5,"revived":6,"recovered":7,"frames":8}},
                {"name":"node10","phase":"leaving","http":"127.0.0.1:9010","shards":24,"incarnation":2,"sessions":null}
            ]}"#,
        )
        .unwrap();
        let expected = "\
NODE    PHASE    HTTP            SHARDS  OWNED  ATTACHED  MOVING  MOVED IN  MOVED OUT  REVIVED  RECOVERED
node1   up       127.0.0.1:9001    1000     12         9       3         4          5        6          7
node10  leaving  127.0.0.1:9010      24      -         -       -         -          -        -          -

as seen by node1; silent: node10
";
        assert_eq!(table(&status), expected);
    }
}
