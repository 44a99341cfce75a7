//! Allowed address pairs of ports.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use kops_core::Error;
use serde::{Deserialize, Serialize};

/// An additional address, or CIDR, that a port may send from.
///
/// ```
/// use kops_openstack::kinds::AddressPair;
///
/// let pair: AddressPair = "192.0.2.0/24,FA:16:3E:00:00:01".parse()?;
/// assert_eq!(pair.ip_address, "192.0.2.0/24");
/// assert_eq!(pair.mac_address.as_deref(), Some("fa:16:3e:00:00:01"));
/// # Ok::<(), kops_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AddressPair {
    /// The address or CIDR.
    pub ip_address: String,
    /// The corresponding MAC address, in lower case; the port's own if `None`.
    pub mac_address: Option<String>,
}

impl FromStr for AddressPair {
    type Err = Error;

    /// Parses an address or CIDR, optionally followed by a comma and a MAC address.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (ip, mac) = match text.split_once(',') {
            Some((ip, mac)) => (ip.trim(), Some(mac.trim())),
            None => (text.trim(), None),
        };
        if ip.parse::<IpNet>().is_err() && ip.parse::<std::net::IpAddr>().is_err() {
            return Err(Error::invalid(format!("{ip:?} is not an address or CIDR")));
        }
        let is_byte = |byte: &str| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit());
        let is_mac = |mac: &str| mac.split(':').count() == 6 && mac.split(':').all(is_byte);
        if let Some(mac) = mac.filter(|mac| !is_mac(mac)) {
            return Err(Error::invalid(format!("{mac:?} is not a MAC address")));
        }
        Ok(Self { ip_address: ip.to_owned(), mac_address: mac.map(str::to_ascii_lowercase) })
    }
}

impl fmt::Display for AddressPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ip_address)?;
        match &self.mac_address {
            Some(mac) => write!(f, ",{mac}"),
            None => Ok(()),
        }
    }
}
