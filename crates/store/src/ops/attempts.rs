//! Counting attempts, such as wrong passwords, for all nodes together.

use std::time::Duration;

use crate::{
    db::conn::Columns, error::StoreError, model::person::Attempt, ops::rows::check_text, store::Store,
};

/// Bytes of a subject.
const MAX_SUBJECT: usize = 300;

impl Store {
    /// Counts an attempt of a subject, such as `account:ana` or `address:192.0.2.1`, unless there were `limit` already in the
    /// window that began with the first of them.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the subject is longer than 300 bytes.
    pub async fn count_attempt(
        &self,
        subject: &str,
        limit: u32,
        window: Duration,
    ) -> Result<Attempt, StoreError> {
        check_text("the subject of an attempt", subject, MAX_SUBJECT)?;
        let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX / 4);
        self.write((subject.to_owned(), limit, window), |(subject, limit, window), conn| {
            Box::pin(async move {
                // Others' windows that are over are removed along the way, a few at a time.
                let statement = conn.statement(
                    "DELETE FROM attempts WHERE subject IN \
                     (SELECT subject FROM attempts WHERE ends <= {now} AND subject <> $1 LIMIT 10)",
                );
                conn.execute(statement.bind(subject.clone())).await?;
                let statement = conn.statement(
                    "INSERT INTO attempts (subject, began, ends, attempts) VALUES ($1, {now}, {now} + $2, 1) \
                     ON CONFLICT (subject) DO UPDATE SET \
                       attempts = CASE WHEN attempts.ends <= excluded.began THEN 1 ELSE attempts.attempts + 1 END, \
                       ends = CASE WHEN attempts.ends <= excluded.began THEN excluded.ends ELSE attempts.ends END, \
                       began = CASE WHEN attempts.ends <= excluded.began THEN excluded.began ELSE attempts.began END \
                     RETURNING attempts, ends, {now} AS now",
                );
                let row = conn.one(statement.bind(subject.clone()).bind(*window)).await?;
                if row.integer("attempts")? <= i64::from(*limit) {
                    return Ok(Attempt::Allowed);
                }
                let left = (row.integer("ends")? - row.integer("now")?).max(1);
                Ok(Attempt::Limited { retry_after: Duration::from_millis(left.unsigned_abs()) })
            })
        })
        .await
    }

    /// Forgets a subject's attempts, since one was right.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn forget_attempts(&self, subject: &str) -> Result<(), StoreError> {
        self.write(subject.to_owned(), |subject, conn| {
            Box::pin(async move {
                let statement = conn.statement("DELETE FROM attempts WHERE subject = $1");
                conn.execute(statement.bind(subject.clone())).await?;
                Ok(())
            })
        })
        .await
    }
}
