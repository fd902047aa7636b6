//! Listen keys.

use super::{Answer, Call};
use crate::server::json::Json;
use crate::venue::ApiError;

fn shown(key: &str) -> Json {
    let mut j = Json::new();
    j.open().word("listenKey", key).close();
    j
}
fn gone() -> ApiError {
    ApiError::new(-1125, "This listenKey does not exist.")
}

pub(super) fn open(call: &mut Call<'_>) -> Answer {
    Ok(shown(&call.keys.open(call.key, call.now)))
}
pub(super) fn renew(call: &mut Call<'_>) -> Answer {
    call.keys.renew(call.key, call.now).map(|key| shown(&key)).ok_or_else(gone)
}
/// The key stops at once; its streams end like those of a key that ran out.
pub(super) fn close(call: &mut Call<'_>) -> Answer {
    let key = call.keys.close(call.key).ok_or_else(gone)?;
    call.hub.expire_key(&key, call.now.millis());
    let mut j = Json::new();
    j.open().close();
    Ok(j)
}
