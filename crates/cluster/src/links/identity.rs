//! How the library's handshake names a node.

use crate::member::{Incarnation, NodeId, NodeName};

/// What the library calls a node: `name.incarnation`, so that a restarted node is another peer.
pub(super) fn library_name(id: &NodeId) -> String {
    format!("{}.{}", id.name, id.incarnation.0)
}

/// Which node the library calls so; it adds `@host` to the name.
pub(super) fn parse_library_name(name: &str) -> Option<NodeId> {
    let (name, _host) = name.split_once('@')?;
    let (name, incarnation) = name.rsplit_once('.')?;
    Some(NodeId {
        name: name.parse::<NodeName>().ok()?,
        incarnation: Incarnation(incarnation.parse().ok()?),
    })
}

/// The process group in which a node's gateway is found.
pub(super) fn gateway_group(id: &NodeId) -> String {
    format!("hither gateway {}", library_name(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_dots_are_read_back() {
        let id = NodeId {
            name: "node.1-eu_west.example".parse().unwrap(),
            incarnation: Incarnation(1_763_600_000_123),
        };
        assert_eq!(
            parse_library_name(&format!("{}@node.1", library_name(&id))),
            Some(id)
        );
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "",
            "node1",
            "node1.5",
            "node1@host",
            "node1.x@host",
            ".5@host",
            "bad name.5@host",
        ] {
            assert_eq!(parse_library_name(name), None, "{name}");
        }
    }
}
