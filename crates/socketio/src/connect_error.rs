//! Why a client was not connected to a namespace.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json::{Json, JsonError};

/// The server's refusal to connect a client to a namespace: the `connect_error` that the client's application sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectError {
    /// The error's message.
    pub message: String,
    /// Details for the application, if any: the error's `data`.
    pub data: Option<Json>,
}

impl ConnectError {
    /// A refusal without details.
    pub fn new(message: impl Into<String>) -> ConnectError {
        ConnectError {
            message: message.into(),
            data: None,
        }
    }

    /// What the reference says of a namespace that does not exist.
    pub fn invalid_namespace() -> ConnectError {
        ConnectError::new("Invalid namespace")
    }

    /// The refusal with details.
    pub fn with_data<T: Serialize + ?Sized>(self, data: &T) -> Result<ConnectError, JsonError> {
        Ok(ConnectError {
            data: Some(Json::encode(data)?),
            ..self
        })
    }

    /// Reads a CONNECT_ERROR's payload, an object. (Version 4 of the protocol had a bare string; version 5 has not.)
    pub(crate) fn decode(payload: &Json) -> Result<ConnectError, JsonError> {
        #[derive(Deserialize)]
        struct Payload<'a> {
            message: String,
            #[serde(borrow)]
            data: Option<&'a RawValue>,
        }
        let Payload { message, data } = payload.parse()?;
        let data = data.map(|data| Json::new(data.get())).transpose()?;
        Ok(ConnectError { message, data })
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ConnectError {}
