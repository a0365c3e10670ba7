//! Token buckets that all nodes share.
//!
//! A bucket is kept as the time at which it is full again: that says how many tokens are in it. Tokens of many buckets are
//! taken by one statement, which locks them in the order of their names, so that nodes do not wait for each other in a circle.

use std::{collections::HashMap, time::Duration};

use serde::Serialize;

use crate::{
    db::conn::{Column, Columns, Conn},
    error::{Limit, StoreError},
    model::rate::Rate,
    ops::rows::{check_text, json},
    store::Store,
};

/// Bytes of a subject.
const MAX_SUBJECT: usize = 100;

/// Tokens that are to be taken for a subject.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Wanted {
    pub(super) subject: String,
    pub(super) tokens: u32,
}

/// What was taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) tokens: u32,
    /// How far the bucket is from being empty, in microseconds.
    left: i64,
    rate: Rate,
}

impl Taken {
    /// When there are so many tokens more.
    pub(super) fn retry_after(self, tokens: u32) -> Duration {
        let needed = self.rate.micros().saturating_mul(tokens.into());
        Duration::from_micros((needed - self.left).max(1).unsigned_abs())
    }
}

impl Store {
    /// Takes tokens from a subject's bucket, all or none, on all nodes together; never more than a full bucket has.
    ///
    /// # Errors
    /// [`StoreError::Limited`]; [`StoreError::Invalid`] when the subject is longer than 100 bytes.
    pub async fn take(&self, subject: &str, rate: Rate, tokens: u32) -> Result<(), StoreError> {
        check_text("the subject of a limit", subject, MAX_SUBJECT)?;
        let tokens = tokens.min(rate.burst());
        let wanted = Wanted {
            subject: subject.to_owned(),
            tokens,
        };
        self.write((wanted, rate), |(wanted, rate), conn| {
            Box::pin(async move {
                let taken = take(conn, std::slice::from_ref(wanted), *rate, Share::None).await?;
                let Some(taken) = taken.get(&wanted.subject) else {
                    return Err(StoreError::internal(sqlx::Error::RowNotFound));
                };
                if taken.tokens >= wanted.tokens {
                    return Ok(());
                }
                Err(StoreError::Limited {
                    limit: Limit::Subject,
                    retry_after: taken.retry_after(wanted.tokens),
                })
            })
        })
        .await
    }

    /// Forgets buckets that are full.
    pub(super) async fn forget_full_buckets(&self) -> Result<u64, StoreError> {
        self.write((), |(), conn| {
            Box::pin(async move {
                let statement = conn.statement(
                    "DELETE FROM buckets WHERE subject IN \
                     (SELECT subject FROM buckets WHERE full_at <= {now} * 1000 LIMIT 1000 {skip locked})",
                );
                conn.execute(statement).await
            })
        })
        .await
    }
}

/// What becomes of who wants more tokens than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// They get what there is.
    Some,
    /// They get none.
    None,
}

/// Takes tokens for subjects that differ.
pub(super) async fn take(
    conn: &mut Conn<'_>,
    wanted: &[Wanted],
    rate: Rate,
    share: Share,
) -> Result<HashMap<String, Taken>, StoreError> {
    let table = conn
        .dialect
        .table(&[("subject", Column::Text), ("tokens", Column::Integer)]);
    // $2 is what a token takes, $3 how far from full a bucket may be.
    let full = "{max}(buckets.full_at, {now} * 1000)";
    let there = format!("({{max}}({{now}} * 1000 + $3 - {full}, 0) / $2)");
    let taken = match share {
        Share::Some => format!("{{min}}(excluded.taken, {there})"),
        Share::None => format!("CASE WHEN excluded.taken <= {there} THEN excluded.taken ELSE 0 END"),
    };
    let statement = conn.statement(&format!(
        "INSERT INTO buckets (subject, full_at, taken) \
         SELECT subject, {{now}} * 1000 + {{min}}(tokens, $3 / $2) * $2, {{min}}(tokens, $3 / $2) FROM {table} \
         WHERE tokens > 0 ORDER BY subject \
         ON CONFLICT (subject) DO UPDATE SET full_at = {full} + {taken} * $2, taken = {taken} \
         RETURNING subject, taken, full_at, {{now}} * 1000 AS now"
    ));
    let statement = statement
        .bind(json(wanted)?)
        .bind(rate.micros())
        .bind(rate.depth());
    let mut all = HashMap::new();
    for row in conn.all(statement).await? {
        let taken = Taken {
            tokens: u32::try_from(row.integer("taken")?).unwrap_or_default(),
            left: row.integer("now")? + rate.depth() - row.integer("full_at")?,
            rate,
        };
        all.insert(row.text("subject")?, taken);
    }
    Ok(all)
}
