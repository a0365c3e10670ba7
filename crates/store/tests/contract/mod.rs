//! What the store promises, whatever database is behind it.

pub mod limits;
pub mod logins;
pub mod messages;
pub mod persons;
pub mod reading;
pub mod rooms;
pub mod upkeep;
pub mod writers;

/// Each promise by its name, with what proves it.
macro_rules! promises {
    ($each:ident) => {
        $each! {
            persons::names_are_unique_whatever_their_case_and_look,
            persons::members_have_passwords_and_tokens,
            persons::a_deleted_person_leaves_messages_and_rooms,
            logins::login_sessions_begin_and_end,
            logins::login_sessions_expire,
            logins::guests_go_with_their_last_login_session,
            logins::attempts_are_limited_in_their_window,
            limits::tokens_are_taken_all_or_none,
            limits::a_person_has_one_bucket_for_all_rooms,
            limits::a_room_has_one_bucket_for_all_people,
            rooms::public_rooms_are_found,
            rooms::a_direct_room_is_always_the_same,
            rooms::private_rooms_are_entered_by_invitation,
            rooms::who_is_banned_stays_outside,
            rooms::a_room_keeps_an_owner,
            rooms::webhooks_speak_in_their_room,
            messages::numbers_have_no_gaps_and_times_go_forward,
            messages::a_repeated_message_is_stored_once,
            messages::only_who_is_in_the_room_speaks,
            messages::texts_are_changed_by_their_authors,
            messages::deletion_removes_what_was_said,
            messages::reactions_come_and_go,
            messages::files_belong_to_their_message,
            messages::a_file_is_attached_once,
            reading::history_goes_both_ways,
            reading::one_can_jump_to_a_time,
            reading::search_finds_words_in_one_room,
            reading::search_finds_what_was_said_long_ago,
            reading::marks_follow_the_person,
            reading::changes_are_told_to_who_was_away,
            writers::many_writers_leave_no_gap,
            writers::one_who_is_refused_harms_no_neighbour,
            upkeep::what_is_old_or_too_much_goes,
            upkeep::one_node_prunes_at_a_time
        }
    };
}
pub(crate) use promises;
