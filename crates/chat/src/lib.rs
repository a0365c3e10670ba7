//! A multi-room chat on Hither.
