//! Who is in a room, on all nodes.

use std::collections::BTreeMap;

use hither::{FoundSocket, Io, NamespaceName, QueryError, Room};

use crate::{
    card::{self, UserCard},
    protocol::Member,
};

/// How often at most a list of members is told again before it is left for later.
///
/// A list is a snapshot taken of each node at another moment. What nodes tell of joins and leaves may overtake it on its way
/// to a client, which then puts the older list over it. So after a list was told everybody is asked once more: when the
/// answer is the same, nothing changed between the two snapshots of any node, so nothing can have been overtaken, and what
/// changed since comes after the list. Otherwise the new list is told.
pub(crate) const TELLINGS: usize = 4;

/// Who is in a room, each once, in the order of their ids, so that lists can be compared.
///
/// # Errors
/// When a node does not answer in time.
pub(crate) async fn members(
    io: &Io,
    namespace: &NamespaceName,
    room: &Room,
) -> Result<Vec<Member>, QueryError> {
    Ok(listed(&io.members(namespace, Some(room)).await?))
}

/// A socket on its way from one node to another may be found on both.
fn listed(found: &[FoundSocket]) -> Vec<Member> {
    let members: BTreeMap<_, _> = found
        .iter()
        .filter_map(|found| Some((&found.id, card::read::<UserCard>(found)?.user)))
        .collect();
    members
        .into_iter()
        .map(|(id, user)| Member { id: id.clone(), user })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither::{Json, SocketId};

    fn found(id: &str, card: Option<&str>) -> FoundSocket {
        FoundSocket {
            id: SocketId::new(id),
            card: card.map(|card| Json::new(card.to_owned()).unwrap()),
        }
    }

    #[test]
    fn everybody_once_in_the_order_of_ids() {
        let sockets = [
            found("b", Some(r#"{"user":"Bo","rooms":[]}"#)),
            found("a", Some(r#"{"user":"Ana","rooms":["lobby"]}"#)),
            found("b", Some(r#"{"user":"Bo","rooms":[]}"#)),
        ];
        let members: Vec<_> = listed(&sockets)
            .into_iter()
            .map(|member| member.user.to_string())
            .collect();
        assert_eq!(members, ["Ana", "Bo"]);
    }

    #[test]
    fn who_shows_no_name_is_left_out() {
        assert_eq!(listed(&[found("a", None), found("b", Some("{}"))]), []);
    }
}
