//! What a client may say on a stream socket: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, properties, and in lock-step the
//! acknowledgement of a barrier. Ids may be whole numbers or texts and come back as they were sent.

use crate::server::floor::Floor;
use crate::server::hub::TooManyStreams;
use crate::server::json::Json;
use crate::server::lockstep::SocketId;
use bytestring::ByteString;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Message<'a> {
    method: Option<&'a str>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

/// Subscribes a socket to streams, listen keys and barriers.
pub(super) fn subscribe(floor: &Floor, id: SocketId, names: &[String], events: &[String]) -> Result<(), TooManyStreams> {
    let mut outcome = Ok(());
    {
        let mut guard = floor.lock();
        let state = &mut *guard;
        for name in names {
            let user = state.keys.account(name).and_then(|key| state.exchange.account_of(key));
            outcome = state.hub.subscribe(id, name, user, events);
            if outcome.is_err() {
                break;
            }
        }
        state.read_interest();
    }
    floor.wake();
    outcome
}

/// Carries out a message and sends its answer through the hub, behind everything that was sent before.
pub(super) fn answer(floor: &Floor, id: SocketId, text: &str) {
    let reply = match serde_json::from_str::<Message<'_>>(text) {
        Ok(message) => carry_out(floor, id, &message),
        Err(_) => Some(error(None, 3, "Invalid JSON: a message with method, params and id is expected")),
    };
    if let Some(reply) = reply {
        floor.lock().hub.send(id, ByteString::from(reply));
    }
}

fn is_id(raw: &RawValue) -> bool {
    let text = raw.get();
    text == "null" || text.starts_with('"') || text.bytes().all(|b| b.is_ascii_digit() || b == b'-')
}

fn carry_out(floor: &Floor, socket: SocketId, message: &Message<'_>) -> Option<String> {
    let id = message.id;
    if id.is_some_and(|raw| !is_id(raw)) {
        return Some(error(None, 2, "Invalid request: request ID must be an unsigned integer, a string, or null"));
    }
    let names = || message.params.and_then(|p| serde_json::from_str::<Vec<String>>(p.get()).ok());
    let needs_names = || error(id, 2, "Invalid request: params must be an array of stream names");
    match message.method {
        Some("ACK_BARRIER") => {
            let number = message.params.and_then(|p| serde_json::from_str::<Vec<u64>>(p.get()).ok()).and_then(|p| p.first().copied());
            let Some(number) = number else { return Some(error(id, 2, "Invalid request: params must be the number of a barrier")) };
            let known = floor.lock().hub.barrier.acknowledge(socket, number);
            floor.wake();
            // An acknowledgement is not answered: it would only be one more frame for each step.
            if known { None } else { Some(error(id, 2, "Invalid request: this socket has joined no barrier")) }
        }
        Some("SUBSCRIBE") => {
            let Some(names) = names() else { return Some(needs_names()) };
            match subscribe_and_confirm(floor, socket, &names, id) {
                Ok(()) => None,
                Err(TooManyStreams) => Some(error(id, 4, "Too many streams for one connection")),
            }
        }
        Some("UNSUBSCRIBE") => {
            let Some(names) = names() else { return Some(needs_names()) };
            {
                let mut state = floor.lock();
                for name in &names {
                    state.hub.unsubscribe(socket, name);
                }
                state.read_interest();
            }
            floor.wake();
            Some(result(id, "null"))
        }
        Some("LIST_SUBSCRIPTIONS") => {
            let mut j = Json::new();
            j.list();
            for name in floor.lock().hub.streams(socket) {
                j.item(name);
            }
            j.end();
            Some(result(id, j.as_str()))
        }
        Some("SET_PROPERTY") => {
            let set = message.params.and_then(|p| serde_json::from_str::<(String, bool)>(p.get()).ok());
            match set {
                Some((name, on)) if name == "combined" => {
                    floor.lock().hub.set_combined(socket, on);
                    Some(result(id, "null"))
                }
                _ => Some(error(id, 0, "Unknown property")),
            }
        }
        Some("GET_PROPERTY") => {
            let on = floor.lock().hub.combined(socket);
            Some(result(id, if on { "true" } else { "false" }))
        }
        Some(_) => Some(error(id, 2, "Invalid request: unknown method")),
        None => Some(error(id, 2, "Invalid request: missing field method")),
    }
}

/// The confirmation comes before the first frame of a stream.
fn subscribe_and_confirm(floor: &Floor, socket: SocketId, names: &[String], id: Option<&RawValue>) -> Result<(), TooManyStreams> {
    floor.lock().hub.send(socket, ByteString::from(result(id, "null")));
    subscribe(floor, socket, names, &[])
}

fn result(id: Option<&RawValue>, json: &str) -> String {
    let mut j = Json::new();
    j.open().raw("result", json).raw("id", id.map_or("null", RawValue::get)).close();
    j.into_string()
}
fn error(id: Option<&RawValue>, code: i32, text: &str) -> String {
    let mut j = Json::new();
    j.open().open_at("error").int("code", code).text("msg", text).close().raw("id", id.map_or("null", RawValue::get)).close();
    j.into_string()
}
