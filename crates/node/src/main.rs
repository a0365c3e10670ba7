//! The hither binary: one node of a Hither cluster.
fn main() {}
