//! Listen keys: one per account, alive for an hour after the last renewal, on the protocol clock.
//!
//! Invariant: a key that is not in the table opens no stream.

use fulmar_domain::time::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Letters and digits in a key, as at Binance.
const KEY_LENGTH: usize = 64;
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[derive(Debug)]
struct Key {
    key: String,
    expires: Timestamp,
}

/// All live keys, by account.
#[derive(Debug)]
pub(crate) struct ListenKeys {
    life_ms: i64,
    seed: u64,
    made: u64,
    keys: BTreeMap<String, Key>,
}

impl ListenKeys {
    /// Keys that live `life_ms`; the same seed and accounts give the same keys.
    pub(crate) const fn new(life_ms: i64, seed: u64) -> Self {
        Self { life_ms, seed, made: 0, keys: BTreeMap::new() }
    }
    /// The account's key, renewed; made anew where there is none.
    pub(crate) fn open(&mut self, account: &str, now: Timestamp) -> String {
        let expires = Timestamp(now.millis() + self.life_ms);
        if let Some(live) = self.keys.get_mut(account) {
            live.expires = expires;
            return live.key.clone();
        }
        self.made += 1;
        let mut key = String::with_capacity(KEY_LENGTH);
        for half in 0_u8..2 {
            let mut hash = Sha256::new();
            hash.update(self.seed.to_le_bytes());
            hash.update(self.made.to_le_bytes());
            hash.update([half]);
            hash.update(account.as_bytes());
            key.extend(hash.finalize().iter().filter_map(|b| LETTERS.get(usize::from(*b) % LETTERS.len())).map(|b| char::from(*b)));
        }
        self.keys.insert(account.to_owned(), Key { key: key.clone(), expires });
        key
    }
    /// Renews the account's key and gives it; `None` when it has none.
    pub(crate) fn renew(&mut self, account: &str, now: Timestamp) -> Option<String> {
        let live = self.keys.get_mut(account)?;
        live.expires = Timestamp(now.millis() + self.life_ms);
        Some(live.key.clone())
    }
    /// Takes the account's key away and gives it.
    pub(crate) fn close(&mut self, account: &str) -> Option<String> {
        self.keys.remove(account).map(|k| k.key)
    }
    /// The account behind a live key.
    pub(crate) fn account(&self, key: &str) -> Option<&str> {
        self.keys.iter().find(|(_, k)| k.key == key).map(|(account, _)| account.as_str())
    }
    /// Takes away every key that has run out and gives them.
    pub(crate) fn expired(&mut self, now: Timestamp) -> Vec<String> {
        let gone: Vec<String> = self.keys.iter().filter(|(_, k)| k.expires <= now).map(|(account, _)| account.clone()).collect();
        gone.iter().filter_map(|account| self.close(account)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_again_gives_the_same_key_and_extends_it() {
        let mut keys = ListenKeys::new(60, 1);
        let key = keys.open("a", Timestamp(0));
        assert_eq!(key.len(), KEY_LENGTH);
        assert_eq!(keys.open("a", Timestamp(50)), key);
        assert!(keys.expired(Timestamp(100)).is_empty());
        assert_eq!(keys.account(&key), Some("a"));
        assert_eq!(keys.expired(Timestamp(110)), vec![key.clone()]);
        assert_eq!(keys.account(&key), None);
        assert_ne!(keys.open("a", Timestamp(111)), key, "an expired key never comes back");
    }

    #[test]
    fn accounts_have_keys_of_their_own() {
        let mut keys = ListenKeys::new(60, 1);
        let (a, b) = (keys.open("a", Timestamp(0)), keys.open("b", Timestamp(0)));
        assert_ne!(a, b);
        assert_eq!(keys.close("a"), Some(a));
        assert_eq!(keys.renew("a", Timestamp(1)), None);
        assert_eq!(keys.renew("b", Timestamp(1)), Some(b));
    }
}
