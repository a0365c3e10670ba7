//! How the database is spoken to: dialects, connections, migrations, and writes in groups.

pub(crate) mod conn;
pub(crate) mod group;
pub(crate) mod migrate;
pub(crate) mod pools;
