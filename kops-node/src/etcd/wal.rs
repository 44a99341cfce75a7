//! The owner of the data on a disk: the ids in etcd's write-ahead log.
//!
//! A log is a sequence of frames: a little-endian `u64`, whose low 56 bits are the record's size and whose
//! top bit indicates that bits 56 to 58 are the padding after it; then the record, protobuf `{1: type, 2:
//! crc, 3: data}`. In every file the first record of type 1 contains the metadata `{1: member id, 2: cluster
//! id}`. (go.etcd.io/etcd/server, `wal/encoder.go`, `wal/walpb/record.proto`,
//! `etcdserverpb/etcdserver.proto`.)

use super::{ClusterId, Disk, MemberId};
use crate::error::{Error, Result};
use crate::machine::Host;

/// How much of a file is read: the metadata is at its very beginning.
const ENOUGH: usize = 64 << 10;
/// The type of the metadata record.
const METADATA: u64 = 1;

/// Reads the content of the data directory.
///
/// # Errors
/// `Invalid` if there is a log that cannot be read: then the owner of the data is unknown, and nothing may be
/// started.
pub fn read(host: &dyn Host, data: &str) -> Result<Disk> {
    let directory = format!("{data}/member/wal");
    let names = host.list(&directory)?;
    let Some(first) = names.iter().find(|it| it.rsplit_once('.').is_some_and(|(_, kind)| kind == "wal"))
    else {
        return Ok(Disk::Empty);
    };
    let path = format!("{directory}/{first}");
    let wrong = |why: &str| Error::invalid(format!("reading {path}"), why);
    let mut head = Vec::new();
    let file = std::fs::File::open(host.path(&path)).map_err(|e| wrong(&e.to_string()))?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, ENOUGH as u64), &mut head)
        .map_err(|e| wrong(&e.to_string()))?;
    let (member, cluster) = ids(&head).ok_or_else(|| wrong("it contains no member id: inspect the disk"))?;
    Ok(Disk::Holds { member, cluster })
}

/// The ids at the beginning of a log.
fn ids(mut log: &[u8]) -> Option<(MemberId, ClusterId)> {
    loop {
        let (field, rest) = log.split_first_chunk::<8>()?;
        let field = u64::from_le_bytes(*field);
        let size = usize::try_from(field & ((1 << 56) - 1)).ok()?;
        let padding = if field >> 63 == 1 { usize::try_from(field >> 56 & 7).ok()? } else { 0 };
        let record = Message::parse(rest.get(..size)?)?;
        if record.number(1) == METADATA {
            let metadata = Message::parse(record.bytes(3)?)?;
            return Some((MemberId(metadata.number(1)), ClusterId(metadata.number(2))));
        }
        log = rest.get(size + padding..)?;
    }
}

/// A protobuf message of numbers and bytes: these two contain nothing else.
struct Message<'a> {
    numbers: Vec<(u64, u64)>,
    bytes: Vec<(u64, &'a [u8])>,
}

impl<'a> Message<'a> {
    fn parse(mut from: &'a [u8]) -> Option<Self> {
        let mut message = Self { numbers: Vec::new(), bytes: Vec::new() };
        while !from.is_empty() {
            let key = varint(&mut from)?;
            let value = varint(&mut from)?;
            match key & 7 {
                0 => message.numbers.push((key >> 3, value)),
                2 => {
                    let (bytes, rest) = from.split_at_checked(usize::try_from(value).ok()?)?;
                    message.bytes.push((key >> 3, bytes));
                    from = rest;
                }
                _ => return None,
            }
        }
        Some(message)
    }

    /// A number; zero, as in protobuf, if it is absent.
    fn number(&self, field: u64) -> u64 {
        self.numbers.iter().find(|(it, _)| *it == field).map_or(0, |(_, value)| *value)
    }

    fn bytes(&self, field: u64) -> Option<&'a [u8]> {
        self.bytes.iter().find(|(it, _)| *it == field).map(|(_, value)| *value)
    }
}

fn varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 127) << shift;
        if byte & 128 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::TestHost;

    /// The first frames of a log as etcd 3.5 wrote them: a checksum, then the metadata with padding.
    fn log(member: u64, cluster: u64) -> Vec<u8> {
        fn number(field: u8, mut value: u64) -> Vec<u8> {
            let mut out = vec![field << 3];
            while value > 127 {
                out.push(u8::try_from(value & 127).unwrap() | 128);
                value >>= 7;
            }
            out.push(u8::try_from(value).unwrap());
            out
        }
        fn frame(record: &[u8]) -> Vec<u8> {
            let padding = (8 - record.len() % 8) % 8;
            let mut field = record.len() as u64;
            if padding > 0 {
                field |= (0x80 | padding as u64) << 56;
            }
            [&field.to_le_bytes()[..], record, &vec![0; padding]].concat()
        }
        let metadata = [number(1, member), number(2, cluster)].concat();
        let length = u8::try_from(metadata.len()).unwrap();
        let record = [number(1, 1), number(2, 77), vec![3 << 3 | 2, length], metadata].concat();
        [frame(&[number(1, 4), number(2, 0)].concat()), frame(&record)].concat()
    }

    #[test]
    fn the_ids_are_those_of_the_metadata() {
        let host = TestHost::quiet();
        assert_eq!(read(&host, "/mnt/etcd").unwrap(), Disk::Empty);
        host.put("/mnt/etcd/.disk", "x");
        assert_eq!(read(&host, "/mnt/etcd").unwrap(), Disk::Empty);
        let path = host.path("/mnt/etcd/member/wal");
        std::fs::create_dir_all(&path).unwrap();
        let bytes = log(0xa7d4_85d6_08ba_08bb, 0x97_3d7f);
        std::fs::write(path.join("0000000000000000-0000000000000000.wal"), bytes).unwrap();
        let held = Disk::Holds { member: MemberId(0xa7d4_85d6_08ba_08bb), cluster: ClusterId(0x97_3d7f) };
        assert_eq!(read(&host, "/mnt/etcd").unwrap(), held);
    }

    #[test]
    fn a_log_that_cannot_be_read_is_no_empty_disk() {
        for bytes in [vec![], vec![1; 40], log(1, 2)[..20].to_vec(), vec![0xff; 64]] {
            assert_eq!(ids(&bytes), None);
        }
        let host = TestHost::quiet();
        host.put("/mnt/etcd/member/wal/0.wal", "");
        assert!(read(&host, "/mnt/etcd").is_err());
    }
}
