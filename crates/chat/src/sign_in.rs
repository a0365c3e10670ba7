//! Whom the chat lets in.

use hither::{ConnectError, Json};

use crate::{
    protocol::{Auth, RefusalData},
    user_name::UserName,
};

/// Who wants in, by the auth payload of a connect.
pub(crate) fn user(auth: Option<&Json>) -> Result<UserName, ConnectError> {
    let Some(Ok(Auth { name })) = auth.map(Json::parse) else {
        let expected = r#"A name is needed: connect with auth {"name": "the name that others see"}."#;
        return Err(refused("name needed", expected));
    };
    UserName::new(&name).map_err(|error| refused("name refused", error.to_string()))
}

/// A refusal whose message says it all to people; the code spares programs from reading it.
pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> ConnectError {
    let error = ConnectError::new(message);
    // A code can be encoded.
    error.clone().with_data(&RefusalData { code }).unwrap_or(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed_in(auth: Option<&str>) -> Result<String, String> {
        let auth = auth.map(|auth| Json::new(auth.to_owned()).unwrap());
        match user(auth.as_ref()) {
            Ok(user) => Ok(user.to_string()),
            Err(error) => Err(format!("{}: {}", error.data.unwrap().as_str(), error.message)),
        }
    }

    #[test]
    fn signs_in_under_a_name() {
        assert_eq!(
            signed_in(Some(r#"{"name":" Ana ","colour":"red"}"#)),
            Ok("Ana".into())
        );
    }

    #[test]
    fn nobody_comes_in_without_a_name() {
        let needed = r#"{"code":"name needed"}: A name is needed: connect with auth {"name": "the name that others see"}."#;
        for auth in [None, Some("{}"), Some(r#"{"name":7}"#), Some("[]"), Some("null")] {
            assert_eq!(signed_in(auth), Err(needed.into()));
        }
        let refused = r#"{"code":"name refused"}: A name needs at least one visible character."#;
        assert_eq!(signed_in(Some(r#"{"name":" "}"#)), Err(refused.into()));
    }
}
