//! What the ingress does, seen from a client and from a node.
