//! Public SSH keys, and the fingerprints that are their names.

use md5::{Digest as _, Md5};

use crate::spec::ssh::key_of;
use kops_core::{Error, Result};

/// The MD5 fingerprint of a public key, as 16 lower-case hexadecimal bytes separated by colons: kOps' names
/// of keys in clouds and, without the colons, in its store. It is an identifier; no security depends on it.
///
/// ```
/// use kops_cluster::registry::ssh_fingerprint;
///
/// let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@desk";
/// assert_eq!(ssh_fingerprint(key)?, "0f:a2:0a:d7:38:3e:65:45:08:6b:63:84:1c:ff:dc:ba");
/// # Ok::<(), kops_core::Error>(())
/// ```
///
/// # Errors
/// `Invalid` if it is not a line of `authorized_keys`; the error does not contain the text.
pub fn ssh_fingerprint(public_key: &str) -> Result<String> {
    let blob = key_of(public_key).map_err(|broken| {
        Error::invalid(format!("the text is not a public SSH key: {}", broken.why)).with_hint(broken.fix)
    })?;
    let bytes: Vec<String> = Md5::digest(blob).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(bytes.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    #[test]
    fn comment_options_and_line_ends_do_not_count() {
        let plain = ssh_fingerprint(KEY).unwrap();
        for line in
            [format!("{KEY} a comment\r\n"), format!("\n{KEY}\n\n"), format!("command=\"x y\",no-pty {KEY}")]
        {
            assert_eq!(ssh_fingerprint(&line).unwrap(), plain, "{line}");
        }
    }

    #[test]
    fn what_is_no_public_key_is_refused_and_not_repeated() {
        let two = format!("{KEY}\n{KEY}");
        let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n";
        for text in ["", "hunter2", "ssh-ed25519", "ssh-ed25519 hunter2", "ssh-rsa AAAAB3Nz", &two, private] {
            let error = ssh_fingerprint(text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(error.hint().is_some() && !shown.contains("hunter2"), "{shown}");
        }
        assert!(ssh_fingerprint(private).unwrap_err().to_string().contains("it is a private key"));
    }
}
