//! How much a store takes, and how fast a big room opens.
//!
//!     cargo run --release -p hither-store --example bench -- sqlite:/tmp/bench.db
//!     cargo run --release -p hither-store --example bench -- postgres://hither@localhost/bench --fill 1000000
//!
//! Three handles of the store stand for three nodes. The store should be new.

use std::{
    collections::BTreeMap,
    error::Error,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use hither_store::{
    Author, ClientId, MessageKind, NewMessage, NewRoom, Number, Person, PersonName, RoomId, RoomName, Span,
    Store, StoreError, StoreUrl, Timestamp,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const NODES: usize = 3;
const ROOMS: usize = 30;
const PER_ROOM: usize = 20;
const SECONDS: u64 = 10;
const SMALL: u64 = 100;
const AT_ONCE: u64 = 1024;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let url = StoreUrl::parse(&arguments.next().ok_or("the URL of a store is missing")?)?;
    let fill = match arguments.next().as_deref() {
        Some("--fill") => arguments.next().ok_or("--fill needs a number")?.parse()?,
        Some(other) => return Err(format!("{other} is unknown").into()),
        None => 0_u64,
    };
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(Store::open(&url).await?);
    }
    let [first, ..] = &nodes[..] else {
        return Err("no node".into());
    };
    throughput(&nodes).await?;
    if fill > 0 {
        big_room(first, fill).await?;
    }
    Ok(())
}

/// Everybody says something, waits for the acknowledgement, and says the next.
async fn throughput(nodes: &[Store]) -> Outcome<()> {
    let mut people = Vec::new();
    for place in 0..ROOMS {
        let room = room(&nodes[0], &format!("room {place}")).await?;
        for person in 0..PER_ROOM {
            let store = nodes[person % nodes.len()].clone();
            let member = person_of(&store, &format!("p{place}x{person}")).await?;
            store.join(room, member.id).await?;
            people.push((store, room, member));
        }
    }
    let end = Instant::now() + Duration::from_secs(SECONDS);
    let talk = |(store, room, member): (Store, RoomId, Person)| {
        tokio::spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < end {
                let began = Instant::now();
                store.append(message(room, &member, sentence())).await?;
                took.push(began.elapsed());
            }
            Ok::<_, StoreError>(took)
        })
    };
    let began = Instant::now();
    let talk: Vec<_> = people.into_iter().map(talk).collect();
    let mut took = Vec::new();
    for one in talk {
        took.extend(one.await??);
    }
    let rate = took.len() as f64 / began.elapsed().as_secs_f64();
    println!(
        "{} people, {ROOMS} rooms, {} nodes: {rate:.0} messages/s",
        ROOMS * PER_ROOM,
        nodes.len()
    );
    println!("  acknowledged after {}", percentiles(took));
    Ok(())
}

async fn big_room(store: &Store, fill: u64) -> Outcome<()> {
    let reader = person_of(store, "reader").await?;
    let mut rooms = BTreeMap::new();
    for (name, count) in [("small", SMALL), ("big", fill)] {
        let writer = person_of(store, &format!("writer {name}")).await?;
        let room = room(store, name).await?;
        store.join(room, writer.id).await?;
        store.join(room, reader.id).await?;
        let began = Instant::now();
        let mut left = count;
        while left > 0 {
            let now = left.min(AT_ONCE);
            try_join_all((0..now).map(|_| store.append(message(room, &writer, sentence())))).await?;
            left -= now;
        }
        store
            .append(message(room, &writer, "an aardvark, once".into()))
            .await?;
        let rate = count as f64 / began.elapsed().as_secs_f64();
        println!("filled {name} with {count} messages at {rate:.0}/s");
        rooms.insert(name, (room, count));
    }
    for (name, (room, count)) in rooms {
        println!("{name} room");
        let middle = Number::new(count / 2);
        let time = store.message(room, middle).await?.time;
        for (what, span) in [
            ("the last 50", Span::Newest),
            ("50 around the middle", Span::Around(middle)),
            ("50 from a time", Span::Since(Timestamp(time.0))),
        ] {
            let read = async || {
                store
                    .history(room, span, 50)
                    .await
                    .map(|page| page.messages.len())
            };
            println!("  {what}: {}", timed(read).await?);
        }
        let rooms = async || store.memberships(reader.id).await.map(|rooms| rooms.len());
        println!("  one's rooms with what is unread: {}", timed(rooms).await?);
        for (what, query) in [
            ("a word that is once there", "aardvark"),
            ("a word of each third message", "word1"),
            ("two common words", "word1 word2"),
            ("no such word", "zebra"),
        ] {
            let search = async || {
                store
                    .search(room, query, None, 50)
                    .await
                    .map(|hits| hits.messages.len())
            };
            println!("  search for {what}: {}", timed(search).await?);
        }
    }
    Ok(())
}

async fn timed<F: Future<Output = Result<usize, StoreError>>>(call: impl Fn() -> F) -> Outcome<String> {
    let mut took = Vec::new();
    let mut found = 0;
    for _ in 0..20 {
        let began = Instant::now();
        found = call().await?;
        took.push(began.elapsed());
    }
    Ok(format!("{found} in {}", percentiles(took)))
}

fn percentiles(mut took: Vec<Duration>) -> String {
    took.sort();
    let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len().saturating_sub(1)));
    let of = |percent| at(percent).map_or(0.0, |took| took.as_secs_f64() * 1000.0);
    format!(
        "{:.1} ms (median), {:.1} ms (p99), {:.1} ms at most",
        of(50),
        of(99),
        of(100)
    )
}

async fn person_of(store: &Store, name: &str) -> Outcome<Person> {
    Ok(store
        .create_member(&PersonName::new(name)?, "no password")
        .await?)
}

async fn room(store: &Store, name: &str) -> Outcome<RoomId> {
    let name = RoomName::new(name)?;
    Ok(store
        .create_room(NewRoom {
            name,
            private: false,
            topic: String::new(),
            owner: None,
        })
        .await?
        .id)
}

fn message(room: RoomId, author: &Person, text: String) -> NewMessage {
    NewMessage {
        room,
        author: Author::Person(author.id),
        client_id: ClientId::random(),
        kind: MessageKind::Text,
        text,
        reply_to: None,
        attachments: Vec::new(),
    }
}

/// Ten words, of which few are common: the n-th comes about once in n·k words.
fn sentence() -> String {
    let word = || {
        let common = (rand::random::<f64>() * 8.0).exp();
        format!("word{}", common as u64)
    };
    (0..10).map(|_| word()).collect::<Vec<_>>().join(" ")
}
