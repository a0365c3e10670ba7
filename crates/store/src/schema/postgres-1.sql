-- Times are milliseconds since 1970, ids random, hashes base64url. Look at crates/store/src/db/migrate.rs before you change it.
CREATE TABLE persons (
    id BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    folded TEXT NOT NULL UNIQUE,
    look TEXT NOT NULL UNIQUE,
    look_as_written TEXT NOT NULL UNIQUE,
    password TEXT,
    token TEXT UNIQUE,
    created BIGINT NOT NULL
);
CREATE TABLE logins (
    id TEXT NOT NULL PRIMARY KEY,
    person BIGINT NOT NULL REFERENCES persons ON DELETE CASCADE,
    label TEXT NOT NULL,
    created BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    idle BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX logins_by_person ON logins (person);
CREATE INDEX logins_by_end ON logins (expires);
CREATE TABLE attempts (
    subject TEXT NOT NULL PRIMARY KEY,
    began BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    attempts BIGINT NOT NULL
);
CREATE INDEX attempts_by_end ON attempts (ends);
CREATE TABLE rooms (
    id BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Of public rooms only.
    folded TEXT UNIQUE,
    look TEXT UNIQUE,
    look_as_written TEXT UNIQUE,
    -- Of direct rooms only: the two people.
    pair TEXT UNIQUE,
    topic TEXT NOT NULL,
    created BIGINT NOT NULL,
    first_number BIGINT NOT NULL DEFAULT 1,
    last_number BIGINT NOT NULL DEFAULT 0,
    last_time BIGINT NOT NULL DEFAULT 0,
    last_change BIGINT NOT NULL DEFAULT 0,
    -- When the bucket for what is said in it is full, in microseconds.
    full_at BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE memberships (
    room BIGINT NOT NULL REFERENCES rooms ON DELETE CASCADE,
    person BIGINT NOT NULL REFERENCES persons ON DELETE CASCADE,
    role TEXT NOT NULL,
    invited_by TEXT,
    since BIGINT NOT NULL,
    place BIGINT NOT NULL DEFAULT 0,
    muted BIGINT NOT NULL DEFAULT 0,
    read_number BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (room, person)
);
CREATE INDEX memberships_by_person ON memberships (person);
CREATE TABLE messages (
    room BIGINT NOT NULL REFERENCES rooms ON DELETE CASCADE,
    number BIGINT NOT NULL,
    time BIGINT NOT NULL,
    -- A person, a webhook, or 0 for the server. They may be gone.
    author BIGINT NOT NULL,
    author_name TEXT NOT NULL,
    author_kind TEXT NOT NULL,
    client_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    reply_to BIGINT,
    edited BIGINT,
    deleted BIGINT,
    change BIGINT NOT NULL DEFAULT 0,
    -- The room is a word, too, so that the index finds the words of one room.
    words TSVECTOR GENERATED ALWAYS AS (
        array_to_tsvector(ARRAY['@' || CAST(room AS TEXT)]) || to_tsvector('simple', text)
    ) STORED,
    PRIMARY KEY (room, number),
    UNIQUE (author, client_id)
);
CREATE INDEX messages_by_change ON messages (room, change) WHERE change > 0;
CREATE INDEX messages_by_word ON messages USING gin (words);
CREATE TABLE reactions (
    room BIGINT NOT NULL,
    number BIGINT NOT NULL,
    emoji TEXT NOT NULL,
    person BIGINT NOT NULL REFERENCES persons ON DELETE CASCADE,
    time BIGINT NOT NULL,
    PRIMARY KEY (room, number, emoji, person),
    FOREIGN KEY (room, number) REFERENCES messages (room, number) ON DELETE CASCADE
);
CREATE INDEX reactions_by_person ON reactions (person);
CREATE TABLE webhooks (
    id BIGINT NOT NULL PRIMARY KEY,
    room BIGINT NOT NULL REFERENCES rooms ON DELETE CASCADE,
    name TEXT NOT NULL,
    secret TEXT NOT NULL UNIQUE,
    created BIGINT NOT NULL
);
CREATE INDEX webhooks_by_room ON webhooks (room);
CREATE TABLE attachments (
    id BIGINT NOT NULL PRIMARY KEY,
    owner BIGINT NOT NULL,
    room BIGINT NOT NULL REFERENCES rooms ON DELETE CASCADE,
    -- Of the message, once it is sent.
    number BIGINT,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    width BIGINT,
    height BIGINT,
    created BIGINT NOT NULL,
    preview BYTEA,
    FOREIGN KEY (room, number) REFERENCES messages (room, number) ON DELETE CASCADE
);
CREATE INDEX attachments_by_message ON attachments (room, number);
CREATE INDEX attachments_by_age ON attachments (created) WHERE number IS NULL;
-- What is in a file, in parts of one size but for the last.
CREATE TABLE attachment_parts (
    attachment BIGINT NOT NULL REFERENCES attachments ON DELETE CASCADE,
    part BIGINT NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (attachment, part)
);
-- Files are compressed already, if they can be.
ALTER TABLE attachment_parts ALTER COLUMN content SET STORAGE EXTERNAL;
-- What one node does for all, and when it is to be done next.
CREATE TABLE chores (
    name TEXT NOT NULL PRIMARY KEY,
    due BIGINT NOT NULL
);
-- Token buckets: when each is full, in microseconds, and how many tokens were last taken from it.
-- Nothing is lost with them, so they are not worth a log.
CREATE UNLOGGED TABLE buckets (
    subject TEXT NOT NULL PRIMARY KEY,
    full_at BIGINT NOT NULL,
    taken BIGINT NOT NULL
);
