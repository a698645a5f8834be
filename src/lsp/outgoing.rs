//! Messages to the client, as text.
//!
//! The messages of `lsp_server` have their contents as trees of values. For the tokens of a large text, to make such a
//! tree takes much longer than to find the tokens.

use gen_lsp_types::Notification;
use lsp_server::{ErrorCode, RequestId};
use serde::Serialize;
use std::io;

/// Writes the text of a message to the client.
pub type Outbox = dyn Fn(&str) -> io::Result<()> + Send + Sync;

/// The error in the response to a request.
pub(super) type Refused = (ErrorCode, String);

#[derive(Serialize)]
struct Message<'a, P> {
    jsonrpc: &'static str,
    method: &'a str,
    params: P,
}

#[derive(Serialize)]
struct Refusal<'a> {
    jsonrpc: &'static str,
    id: &'a RequestId,
    error: Fault<'a>,
}

#[derive(Serialize)]
struct Fault<'a> {
    code: i32,
    message: &'a str,
}

/// The result of a request, as text.
pub(super) fn result(result: impl Serialize) -> Result<String, Refused> {
    serde_json::to_string(&result).map_err(|error| (ErrorCode::InternalError, error.to_string()))
}

/// Responds to a request.
///
/// # Errors
/// When the client cannot be written to.
pub(super) fn respond(send: &Outbox, id: &RequestId, answer: Result<String, Refused>) -> io::Result<()> {
    match answer {
        Ok(result) => {
            let id = serde_json::to_string(id)?;
            send(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}"))
        }
        Err((code, message)) => {
            let error = Fault { code: code as i32, message: &message };
            send(&serde_json::to_string(&Refusal { jsonrpc: "2.0", id, error })?)
        }
    }
}

/// Notifies the client.
///
/// # Errors
/// When the client cannot be written to.
pub(super) fn notify<N: Notification>(send: &Outbox, params: N::Params) -> io::Result<()>
where
    N::Params: Serialize,
{
    let method = N::METHOD.to_string();
    send(&serde_json::to_string(&Message { jsonrpc: "2.0", method: &method, params })?)
}
