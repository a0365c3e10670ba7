//! The cookie that holds a login session.

use std::time::Duration;

use cookie::{Cookie, SameSite};

use super::secret::Secret;

const NAME: &str = "hither_session";

/// The secret in a `Cookie` header. Of several cookies of the name the first that can be one counts.
pub(crate) fn read(header: &str) -> Option<Secret> {
    Cookie::split_parse(header)
        .filter_map(Result::ok)
        .filter(|cookie| cookie.name() == NAME)
        .find_map(|cookie| Secret::read(cookie.value()))
}

/// A `Set-Cookie` header; `tls` when the request came by TLS.
pub(crate) fn set(secret: &Secret, max_age: Duration, tls: bool) -> String {
    // Durations of configured limits fit.
    let seconds = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
    write(secret.text(), seconds, tls)
}

/// A `Set-Cookie` header that removes the cookie.
pub(crate) fn remove(tls: bool) -> String {
    write("", 0, tls)
}

fn write(value: &str, max_age: i64, tls: bool) -> String {
    Cookie::build((NAME, value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(tls)
        .max_age(cookie::time::Duration::seconds(max_age))
        .build()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_read_among_others() {
        let secret = Secret::random();
        let header = format!("a=b; {NAME}=forged; {NAME}={}; c", secret.text());
        assert_eq!(read(&header), Some(secret));
        assert_eq!(read("a=b"), None);
        assert_eq!(read(""), None);
        assert_eq!(read(";;=;hither_session"), None);
    }

    #[test]
    fn pages_cannot_read_it_and_other_sites_cannot_send_it() {
        let secret = Secret::random();
        let header = set(&secret, Duration::from_secs(60), true);
        assert_eq!(
            header,
            format!(
                "{NAME}={}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60",
                secret.text()
            )
        );
        assert!(!set(&secret, Duration::from_secs(60), false).contains("Secure"));
        assert!(remove(false).contains("Max-Age=0"));
    }
}
