//! Names in `/etc/hosts`: a section of it, rewritten in place.
//!
//! In place, because etcd's container mounts the file: it sees the same inode, and finds a member with a new
//! address within a second.

use super::Host;
use crate::error::Result;

const FILE: &str = "/etc/hosts";
const BEGIN: &str = "# kops: begin";
const END: &str = "# kops: end";

/// Writes these addresses and names to the section of kops; returns whether it changed.
///
/// # Errors
/// If the file cannot be written.
pub fn write(host: &dyn Host, entries: &[(String, String)]) -> Result<bool> {
    let change = |old: &[u8]| rewritten(&String::from_utf8_lossy(old), entries).into_bytes();
    host.rewrite_in_place(FILE, &change)
}

fn rewritten(old: &str, entries: &[(String, String)]) -> String {
    let mut ours = false;
    let mut lines: Vec<String> = Vec::new();
    for line in old.lines() {
        match line.trim() {
            BEGIN => ours = true,
            END => ours = false,
            _ if !ours => lines.push(line.to_owned()),
            _ => {}
        }
    }
    lines.push(BEGIN.to_owned());
    lines.extend(entries.iter().map(|(address, name)| format!("{address} {name}")));
    lines.push(END.to_owned());
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::machine::testing::TestHost;

    #[test]
    fn only_our_part_changes_and_the_file_stays_the_same() {
        let host = TestHost::quiet();
        host.put(FILE, "127.0.0.1 localhost\n");
        let inode = || std::fs::metadata(host.path(FILE)).unwrap().ino();
        let before = inode();
        let entry = |address: &str| (address.to_owned(), "a.etcd".to_owned());
        assert!(write(&host, &[entry("10.0.0.1"), entry("10.0.0.3")]).unwrap());
        assert!(write(&host, &[entry("10.0.0.2")]).unwrap());
        assert!(!write(&host, &[entry("10.0.0.2")]).unwrap());
        assert_eq!(host.text(FILE), "127.0.0.1 localhost\n# kops: begin\n10.0.0.2 a.etcd\n# kops: end\n");
        assert_eq!(inode(), before);
    }
}
