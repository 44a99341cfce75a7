//! The address of the API, from the user data if the API's name is not published.

use std::collections::BTreeSet;
use std::net::{IpAddr, ToSocketAddrs as _};

use crate::bundle::Bundle;
use crate::error::{Error, Result};
use crate::machine::{Host, WORK};

/// The name or address that stage 0 has stored, if the user data contains one.
///
/// # Errors
/// If the file cannot be read.
pub fn told(host: &dyn Host) -> Result<Option<String>> {
    let text = host.read(&format!("{WORK}/api"))?;
    Ok(text.map(|it| String::from_utf8_lossy(&it).trim().to_owned()).filter(|it| !it.is_empty()))
}

/// The addresses that a node writes to `/etc/hosts` for the API's name; empty if that name is published. The
/// addresses of a load balancer do not change as long as it exists.
///
/// # Errors
/// `Waiting` while the name of the load balancer cannot be resolved.
pub fn addresses(host: &dyn Host, bundle: &Bundle) -> Result<Vec<String>> {
    let Some(name) = told(host)?.or_else(|| bundle.api.balancer.clone()) else { return Ok(Vec::new()) };
    if name.parse::<IpAddr>().is_ok() {
        return Ok(vec![name]);
    }
    let doing = format!("looking up {name}, the API's load balancer");
    let found = (name.as_str(), bundle.api.port).to_socket_addrs();
    let found = found.map_err(|e| Error::waiting(&doing, e.to_string()))?;
    // A set, for the same order at every boot.
    let all: BTreeSet<IpAddr> = found.map(|it| it.ip()).collect();
    if all.is_empty() {
        return Err(Error::waiting(doing, "it has no address yet"));
    }
    Ok(all.iter().map(IpAddr::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubeadm::tests::bundle;
    use crate::machine::testing::TestHost;

    #[test]
    fn what_the_user_data_tells_wins_and_names_are_looked_up() {
        let (host, mut bundle) = (TestHost::quiet(), bundle());
        assert_eq!(addresses(&host, &bundle).unwrap(), Vec::<String>::new());
        bundle.api.balancer = Some("192.0.2.1".to_owned());
        assert_eq!(addresses(&host, &bundle).unwrap(), ["192.0.2.1"]);
        host.put("/var/lib/kops/api", "192.0.2.2\n");
        assert_eq!(told(&host).unwrap().as_deref(), Some("192.0.2.2"));
        assert_eq!(addresses(&host, &bundle).unwrap(), ["192.0.2.2"]);
        host.put("/var/lib/kops/api", "localhost\n");
        assert!(addresses(&host, &bundle).unwrap().contains(&"127.0.0.1".to_owned()));
    }
}
