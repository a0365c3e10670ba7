//! What the fuzz targets reach of sessions.

use hither_socketio::Offset;

use super::history::Place;

/// What an offset says, as this server would say it.
pub(crate) fn offset_again(offset: &Offset) -> Option<Offset> {
    Place::parse(offset).map(Place::offset)
}
