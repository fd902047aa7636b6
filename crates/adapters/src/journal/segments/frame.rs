//! The layout of one record in a segment file, and a reader that takes a file apart.
//!
//! ```text
//! 0  len   u32 LE  bytes of the payload
//! 4  crc   u32 LE  CRC-32 (IEEE) of `len` and the payload
//! 8  payload: version u8 = 1, kind length u8, seq u64, ts_ms i64, wall_ms i64, id u64, cause u64 (all LE),
//!             prev [u8; 32], kind (UTF-8), body (JSON text)
//! ```
//! A record's hash is the SHA-256 of its payload; as the payload holds the predecessor's hash, the hashes form a chain.
//!
//! Invariant: decoding never panics, whatever the bytes, and accepts only what `encode` can have written.

use std::{borrow::Cow, io::Read};

use fulmar_ports::journal::{Entry, Record};
use sha2::{Digest, Sha256};

/// Bytes before the payload.
pub(super) const HEADER: usize = 8;
/// Bytes of the payload before kind and body.
const FIXED: usize = 74;
/// The least a whole frame takes.
pub(super) const MIN_FRAME: usize = HEADER + FIXED;
const VERSION: u8 = 1;
/// The longest kind, in bytes (its length is stored in one byte).
pub const MAX_KIND_BYTES: usize = 255;
/// The longest payload: 16 MiB, far above any event of the engine, low enough that a damaged length cannot exhaust memory.
pub const MAX_PAYLOAD_BYTES: usize = 16 << 20;

/// A record as it lies in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// Its number.
    pub seq: u64,
    /// SHA-256 of the predecessor's payload.
    pub prev: [u8; 32],
    /// Kind of the body.
    pub kind: &'a str,
    /// Market time, ms.
    pub ts_ms: i64,
    /// Wall time, ms.
    pub wall_ms: i64,
    /// The producer's id.
    pub id: u64,
    /// The causing message's id; 0 = none.
    pub cause: u64,
    /// JSON text.
    pub body: &'a [u8],
    payload: &'a [u8],
}

impl RecordView<'_> {
    /// SHA-256 of the payload: what the successor holds as `prev`.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.payload).into()
    }

    /// Bytes of the whole frame on disk.
    pub fn frame_bytes(&self) -> u64 {
        (HEADER + self.payload.len()) as u64
    }

    /// An owned copy.
    pub fn to_record(&self) -> Record {
        Record {
            seq: self.seq,
            prev: self.prev,
            entry: Entry {
                kind: Cow::Owned(self.kind.to_owned()),
                ts_ms: self.ts_ms,
                wall_ms: self.wall_ms,
                id: self.id,
                cause: self.cause,
                body: self.body.to_vec(),
            },
        }
    }
}

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// The bytes end before the frame does.
    Incomplete,
    /// The length is impossible.
    Length,
    /// The checksum differs.
    Checksum,
    /// The checksum is right, but the content is not of this version or not well formed.
    Content,
}

impl Bad {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Incomplete => "the record is cut off",
            Self::Length => "the record's length is impossible",
            Self::Checksum => "the record's checksum differs",
            Self::Content => "the record's content is not of this format",
        }
    }
}

/// The size of an entry's payload.
pub(super) fn payload_len(entry: &Entry) -> usize {
    FIXED + entry.kind.len() + entry.body.len()
}

/// Appends one frame to `out` and gives the record's hash. The entry must be within the bounds.
pub(super) fn encode(entry: &Entry, seq: u64, prev: &[u8; 32], out: &mut Vec<u8>) -> [u8; 32] {
    let len = payload_len(entry);
    debug_assert!(len <= MAX_PAYLOAD_BYTES && entry.kind.len() <= MAX_KIND_BYTES);
    let start = out.len();
    out.reserve(HEADER + len);
    out.extend_from_slice(&(len as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(VERSION);
    out.push(entry.kind.len() as u8);
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&entry.ts_ms.to_le_bytes());
    out.extend_from_slice(&entry.wall_ms.to_le_bytes());
    out.extend_from_slice(&entry.id.to_le_bytes());
    out.extend_from_slice(&entry.cause.to_le_bytes());
    out.extend_from_slice(prev);
    out.extend_from_slice(entry.kind.as_bytes());
    out.extend_from_slice(&entry.body);
    let crc = checksum(&out[start..start + 4], &out[start + HEADER..]);
    out[start + 4..start + HEADER].copy_from_slice(&crc.to_le_bytes());
    Sha256::digest(&out[start + HEADER..]).into()
}

fn checksum(len: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(len);
    hasher.update(payload);
    hasher.finalize()
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// The payload length that a header announces, where it is possible.
fn announced(bytes: &[u8]) -> Result<usize, Bad> {
    let len = u32::from_le_bytes(array(bytes, 0).ok_or(Bad::Incomplete)?) as usize;
    if (FIXED..=MAX_PAYLOAD_BYTES).contains(&len) { Ok(len) } else { Err(Bad::Length) }
}

/// Reads the frame at the beginning of `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Result<RecordView<'_>, Bad> {
    let len = announced(bytes)?;
    let payload = bytes.get(HEADER..HEADER + len).ok_or(Bad::Incomplete)?;
    let crc = u32::from_le_bytes(array(bytes, 4).ok_or(Bad::Incomplete)?);
    if checksum(&bytes[..4], payload) != crc {
        return Err(Bad::Checksum);
    }
    parse(payload).ok_or(Bad::Content)
}

fn parse(payload: &[u8]) -> Option<RecordView<'_>> {
    let kind_len = usize::from(*payload.get(1)?);
    if *payload.first()? != VERSION {
        return None;
    }
    Some(RecordView {
        seq: u64::from_le_bytes(array(payload, 2)?),
        ts_ms: i64::from_le_bytes(array(payload, 10)?),
        wall_ms: i64::from_le_bytes(array(payload, 18)?),
        id: u64::from_le_bytes(array(payload, 26)?),
        cause: u64::from_le_bytes(array(payload, 34)?),
        prev: array(payload, 42)?,
        kind: std::str::from_utf8(payload.get(FIXED..FIXED + kind_len)?).ok()?,
        body: payload.get(FIXED + kind_len..)?,
        payload,
    })
}

/// The first whole, valid frame at or behind the beginning of `bytes`, if any: it tells a torn tail from damage in the middle.
pub(super) fn find_valid(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len().saturating_sub(MIN_FRAME - 1)).find(|&at| bytes[at + HEADER] == VERSION && decode(&bytes[at..]).is_ok())
}

/// Takes a segment apart, frame by frame, reading ahead in large blocks but never beyond a limit.
pub(super) struct FrameReader<R> {
    inner: R,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset of `start` in the file.
    offset: u64,
    /// Bytes of the file that may be read.
    limit: u64,
}

/// How much is read at once.
const BLOCK: usize = 256 << 10;

impl<R: Read> FrameReader<R> {
    pub(super) fn new(inner: R, limit: u64) -> Self {
        Self { inner, buf: vec![0; BLOCK], start: 0, end: 0, offset: 0, limit }
    }

    /// Offset of the next frame.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Allows reading up to this offset.
    pub(super) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The next frame; `Ok(None)` at the end of the bytes allowed. A bad frame is not consumed.
    pub(super) fn next(&mut self) -> std::io::Result<Option<Result<RecordView<'_>, Bad>>> {
        match self.fill(HEADER)? {
            0 => return Ok(None),
            n if n < HEADER => return Ok(Some(Err(Bad::Incomplete))),
            _ => {}
        }
        let total = match announced(&self.buf[self.start..self.end]) {
            Ok(len) => HEADER + len,
            Err(bad) => return Ok(Some(Err(bad))),
        };
        if self.fill(total)? < total {
            return Ok(Some(Err(Bad::Incomplete)));
        }
        let from = self.start;
        match decode(&self.buf[from..from + total]) {
            Ok(view) => {
                self.start += total;
                self.offset += total as u64;
                Ok(Some(Ok(view)))
            }
            Err(bad) => Ok(Some(Err(bad))),
        }
    }

    /// Everything from the next frame to the end of the bytes allowed.
    pub(super) fn rest(&mut self) -> std::io::Result<&[u8]> {
        let mut want = BLOCK;
        while self.fill(want)? >= want {
            want += BLOCK;
        }
        Ok(&self.buf[self.start..self.end])
    }

    /// Buffers `want` bytes if there are as many; gives how many are buffered.
    fn fill(&mut self, want: usize) -> std::io::Result<usize> {
        if self.end - self.start >= want {
            return Ok(self.end - self.start);
        }
        if self.buf.len() - self.start < want.max(HEADER) {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.buf.len() < want {
                self.buf.resize(want.next_multiple_of(BLOCK), 0);
            }
        }
        while self.end - self.start < want {
            let allowed = self.limit.saturating_sub(self.offset + (self.end - self.start) as u64);
            let room = (self.buf.len() - self.end).min(usize::try_from(allowed).unwrap_or(usize::MAX));
            if room == 0 {
                break;
            }
            match self.inner.read(&mut self.buf[self.end..self.end + room]) {
                Ok(0) => break,
                Ok(n) => self.end += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(self.end - self.start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = Entry> {
        (".{0,40}", any::<(i64, i64, u64, u64)>(), prop::collection::vec(any::<u8>(), 0..300))
            .prop_map(|(kind, (ts_ms, wall_ms, id, cause), body)| Entry { kind: kind.into(), ts_ms, wall_ms, id, cause, body })
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(entries in prop::collection::vec(entry(), 1..20)) {
            let mut bytes = Vec::new();
            let mut prev = [0; 32];
            let mut hashes = Vec::new();
            for (at, e) in entries.iter().enumerate() {
                hashes.push(prev);
                prev = encode(e, at as u64 + 1, &prev, &mut bytes);
            }
            let mut reader = FrameReader::new(bytes.as_slice(), u64::MAX);
            for (at, e) in entries.iter().enumerate() {
                let view = reader.next().unwrap().unwrap().unwrap();
                prop_assert_eq!(view.seq, at as u64 + 1);
                prop_assert_eq!(view.prev, hashes[at]);
                prop_assert_eq!(&view.to_record().entry, e);
            }
            prop_assert!(reader.next().unwrap().is_none());
            prop_assert_eq!(reader.offset(), bytes.len() as u64);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(decode(&bytes).is_err());
            let mut reader = FrameReader::new(bytes.as_slice(), u64::MAX);
            prop_assert!(!matches!(reader.next().unwrap(), Some(Ok(_))));
        }
    }

    #[test]
    fn a_valid_frame_behind_garbage_is_found() {
        let e = Entry { kind: "k".into(), ts_ms: 1, wall_ms: 2, id: 3, cause: 4, body: b"{}".to_vec() };
        let mut bytes = vec![1; 77];
        assert_eq!(find_valid(&bytes), None);
        encode(&e, 9, &[7; 32], &mut bytes);
        assert_eq!(find_valid(&bytes), Some(77));
        bytes.pop();
        assert_eq!(find_valid(&bytes), None);
    }

    #[test]
    fn the_reader_never_passes_its_limit() {
        let e = Entry { kind: "k".into(), ts_ms: 1, wall_ms: 2, id: 3, cause: 4, body: b"{}".to_vec() };
        let mut bytes = Vec::new();
        encode(&e, 1, &[0; 32], &mut bytes);
        let first = bytes.len() as u64;
        encode(&e, 2, &[0; 32], &mut bytes);
        let mut reader = FrameReader::new(bytes.as_slice(), first);
        assert_eq!(reader.next().unwrap().unwrap().unwrap().seq, 1);
        assert!(reader.next().unwrap().is_none());
        reader.set_limit(u64::MAX);
        assert_eq!(reader.next().unwrap().unwrap().unwrap().seq, 2);
    }
}
