//! A Socket.IO server that is a cluster by nature.
