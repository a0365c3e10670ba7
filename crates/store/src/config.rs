//! Where the store is.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

use sqlx::any::AnyConnectOptions;

/// Where the store is: `sqlite:PATH` or `postgres://USER@HOST/DATABASE`. What [`fmt::Debug`] and [`fmt::Display`] show has no
/// password in it.
#[derive(Clone)]
pub struct StoreUrl(Place);

#[derive(Clone)]
pub(crate) enum Place {
    /// A file that the nodes of one machine share.
    Sqlite(PathBuf),
    /// Servers of which one takes writes, in the order in which they are tried.
    Postgres {
        hosts: Arc<[AnyConnectOptions]>,
        writable: bool,
    },
}

/// A text does not say where a store is. It does not tell the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Neither of the two.
    #[error("a store is sqlite:PATH or postgres://USER@HOST[:PORT][,HOST…]/DATABASE")]
    Scheme,
    /// No path.
    #[error(
        "sqlite: needs the path of a file, such as sqlite:/var/lib/hither/chat.db; a store in memory keeps nothing"
    )]
    Path,
    /// Something else is wrong with it.
    #[error("the URL of PostgreSQL cannot be read: {0}")]
    Postgres(String),
    /// Of what `libpq` knows, these two are of use here.
    #[error("target_session_attrs is any or read-write")]
    SessionAttributes,
    /// A password is of no use to a file.
    #[error("a file has no password")]
    NoPassword,
}

impl StoreUrl {
    /// Reads a URL. PostgreSQL may have several hosts, `postgres://a:5432,b:5433/db?target_session_attrs=read-write`; with
    /// several, the one that takes writes is looked for even if that is not said. What else may follow the `?` says the
    /// documentation of sqlx's `PgConnectOptions`, for example `sslmode=verify-full`.
    ///
    /// # Errors
    /// When it is none, and why.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path == ":memory:" {
                return Err(UrlError::Path);
            }
            return Ok(Self(Place::Sqlite(path.into())));
        }
        let rest = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"));
        postgres(rest.ok_or(UrlError::Scheme)?).map(Self)
    }

    /// With a password that came by another way, so that it is seen neither in a list of processes nor in a unit's file.
    ///
    /// # Errors
    /// When the store is a file.
    pub fn with_password(self, password: &str) -> Result<Self, UrlError> {
        let Place::Postgres { hosts, writable } = self.0 else {
            return Err(UrlError::NoPassword);
        };
        let mut hosts = hosts.to_vec();
        for host in &mut hosts {
            let set = host.database_url.set_password(Some(password));
            set.map_err(|()| UrlError::Postgres("it has no host".into()))?;
        }
        Ok(Self(Place::Postgres {
            hosts: hosts.into(),
            writable,
        }))
    }

    /// Whether it is a file, which has no password.
    pub fn is_file(&self) -> bool {
        matches!(self.0, Place::Sqlite(_))
    }

    /// Whether it is a file that is not there; [`Store::open`](crate::Store::open) would make it.
    pub fn is_missing(&self) -> bool {
        matches!(&self.0, Place::Sqlite(path) if !path.exists())
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0
    }
}

/// One URL for each host.
fn postgres(rest: &str) -> Result<Place, UrlError> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (user, hosts) = authority
        .rsplit_once('@')
        .map_or(("", authority), |(user, hosts)| (user, hosts));
    let at = if user.is_empty() { "" } else { "@" };
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let mut writable = hosts.contains(',');
    let mut kept = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("target_session_attrs", "read-write" | "primary")) => writable = true,
            Some(("target_session_attrs", "any")) => writable = false,
            Some(("target_session_attrs", _)) => return Err(UrlError::SessionAttributes),
            _ => kept.push(parameter),
        }
    }
    let query = kept.join("&");
    let mut options = Vec::new();
    for host in hosts.split(',') {
        let url = format!("postgres://{user}{at}{host}{path}?{query}");
        // What is wrong is told without the text, which may hold a password.
        let parsed = AnyConnectOptions::from_str(url.trim_end_matches('?'));
        let parsed = parsed.map_err(|error| UrlError::Postgres(error.to_string().replace(user, "…")))?;
        options.push(parsed);
    }
    Ok(Place::Postgres {
        hosts: options.into(),
        writable,
    })
}

impl FromStr for StoreUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Place::Postgres { hosts, .. } => {
                f.write_str("postgres://")?;
                for (place, host) in hosts.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    write!(f, "{comma}{}", host_of(host))?;
                }
                f.write_str(hosts.first().map_or("", |host| host.database_url.path()))
            }
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

/// Host and port, for the log.
pub(crate) fn host_of(options: &AnyConnectOptions) -> String {
    let url = &options.database_url;
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> (Vec<String>, bool) {
        match StoreUrl::parse(text).unwrap().0 {
            Place::Sqlite(_) => panic!("a file"),
            Place::Postgres { hosts, writable } => (
                hosts.iter().map(|host| host.database_url.to_string()).collect(),
                writable,
            ),
        }
    }

    #[test]
    fn a_file_has_a_path() {
        for text in ["sqlite:/var/chat.db", "sqlite:///var/chat.db"] {
            assert_eq!(StoreUrl::parse(text).unwrap().to_string(), "sqlite:/var/chat.db");
        }
        for text in ["sqlite:", "sqlite://", "sqlite::memory:"] {
            assert_eq!(StoreUrl::parse(text).unwrap_err(), UrlError::Path);
        }
    }

    #[test]
    fn several_hosts_are_tried_in_order() {
        let (urls, writable) =
            hosts("postgres://u:p@a:5432,b:5433/db?sslmode=require&target_session_attrs=read-write");
        assert_eq!(
            urls,
            [
                "postgres://u:p@a:5432/db?sslmode=require",
                "postgres://u:p@b:5433/db?sslmode=require"
            ]
        );
        assert!(writable);
        assert_eq!(hosts("postgres://a/db"), (vec!["postgres://a/db".into()], false));
        assert!(hosts("postgres://a,b/db").1);
        assert!(!hosts("postgres://a,b/db?target_session_attrs=any").1);
    }

    #[test]
    fn a_password_is_never_shown() {
        let url = StoreUrl::parse("postgres://u@a:5432,b/db")
            .unwrap()
            .with_password("s3cret/@")
            .unwrap();
        for shown in [format!("{url}"), format!("{url:?}")] {
            assert!(shown.contains("postgres://a:5432,b/db"), "{shown}");
            assert!(!shown.contains("s3cret"), "{shown}");
        }
        let error = StoreUrl::parse("postgres://u:s3cret@a:port/db").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }

    #[test]
    fn other_texts_are_refused() {
        assert_eq!(StoreUrl::parse("mysql://a/b").unwrap_err(), UrlError::Scheme);
        let standby = StoreUrl::parse("postgres://a/db?target_session_attrs=standby");
        assert_eq!(standby.unwrap_err(), UrlError::SessionAttributes);
        let file = StoreUrl::parse("sqlite:x").unwrap().with_password("p");
        assert_eq!(file.unwrap_err(), UrlError::NoPassword);
    }
}
