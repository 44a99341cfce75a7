//! Reading CIDRs, and how to write an address or a CIDR that was written wrongly.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

/// Reads a CIDR. Unlike `IpNet`'s parser, it takes no leading zeros: some programs read those as octal.
pub(crate) fn cidr(text: &str) -> Option<IpNet> {
    let (address, _) = text.split_once('/')?;
    address.parse::<IpAddr>().ok()?;
    text.parse().ok()
}

/// How the CIDR of a range of addresses has to be written, if the text leaves little doubt about what was meant.
pub(crate) fn mend_range(text: &str) -> Option<String> {
    match text.trim().parse::<IpAddr>() {
        Ok(address) => {
            let usual = if address.is_ipv4() { 16 } else { 64 };
            Some(format!("add the length of its prefix, as in {address}/{usual}"))
        }
        Err(_) => mend_cidr(text),
    }
}

/// How the CIDR of those who have access has to be written, if the text leaves little doubt about what was meant.
///
/// An address without a length is a single address, and an IPv4 address with leading zeros can be read in two ways:
/// by some programs as decimal, by others as octal.
pub(crate) fn mend_cidr(text: &str) -> Option<String> {
    let trimmed = text.trim();
    if cidr(trimmed).is_some() {
        return Some(format!("write {trimmed}, without blanks"));
    }
    let (address, length) = match trimmed.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (trimmed, None),
    };
    let whole = |address: IpAddr| {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        match length {
            None => Some(format!("{address}/{longest}")),
            Some(length) => {
                let length = length.parse::<u8>().ok().filter(|length| *length <= longest)?;
                Some(format!("{address}/{length}"))
            }
        }
    };
    if let Ok(address) = address.parse::<IpAddr>() {
        return match length {
            None => Some(format!("write {} for this single address", whole(address)?)),
            Some(_) if address.is_ipv4() => Some("use a length from /0 to /32".to_owned()),
            Some(_) => Some("use a length from /0 to /128".to_owned()),
        };
    }
    mend_zeros(address, |address| whole(IpAddr::V4(address)))
}

/// How an address has to be written, if the text leaves little doubt about what was meant.
pub(crate) fn mend_address(text: &str) -> Option<String> {
    let trimmed = text.trim();
    if trimmed.parse::<IpAddr>().is_ok() {
        return Some(format!("write {trimmed}, without blanks"));
    }
    if let Some(cidr) = cidr(trimmed) {
        return Some(format!("write {}, without the length", cidr.addr()));
    }
    mend_zeros(trimmed, |address| Some(address.to_string()))
}

/// The two readings of an IPv4 address with leading zeros.
fn mend_zeros(address: &str, write: impl Fn(Ipv4Addr) -> Option<String>) -> Option<String> {
    let parts: Vec<&str> = address.split('.').collect();
    let digits = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    if parts.len() != 4 || !parts.iter().all(digits) {
        return None;
    }
    let read = |radix: u32| -> Option<Ipv4Addr> {
        let mut octets = [0_u8; 4];
        for (octet, part) in octets.iter_mut().zip(&parts) {
            let radix = if part.len() > 1 && part.starts_with('0') { radix } else { 10 };
            *octet = u8::from_str_radix(part, radix).ok()?;
        }
        Some(Ipv4Addr::from(octets))
    };
    let decimal = write(read(10)?)?;
    match read(8).and_then(write) {
        Some(octal) if octal != decimal => {
            Some(format!("write {decimal}, or {octal} if the part with the leading zero is octal"))
        }
        _ => Some(format!("write {decimal}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_what_to_write() {
        for (text, expected) in [
            ("198.51.100.7", "write 198.51.100.7/32 for this single address"),
            ("2001:db8::1", "write 2001:db8::1/128 for this single address"),
            (" 10.0.0.0/8", "write 10.0.0.0/8, without blanks"),
            ("10.0.0.0/33", "use a length from /0 to /32"),
            ("2001:db8::/129", "use a length from /0 to /128"),
            (
                "198.051.100.0/24",
                "write 198.51.100.0/24, or 198.41.100.0/24 if the part with the leading zero is octal",
            ),
            ("010.001.000.009", "write 10.1.0.9/32"),
            ("08.0.0.0/8", "write 8.0.0.0/8"),
        ] {
            assert_eq!(mend_cidr(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "home", "10.0.0", "300.0.0.0/8", "10.0.0.0.0/8", "::1::/64", "010.0.0.0/99"] {
            assert_eq!(mend_cidr(text), None, "{text}");
        }
        assert_eq!(
            mend_range("10.0.0.0").as_deref(),
            Some("add the length of its prefix, as in 10.0.0.0/16")
        );
        assert_eq!(mend_range("10.0.0.0/33"), mend_cidr("10.0.0.0/33"));
        assert_eq!(
            mend_address("010.0.0.1").as_deref(),
            Some("write 10.0.0.1, or 8.0.0.1 if the part with the leading zero is octal")
        );
        assert_eq!(mend_address("10.0.0.1/24").as_deref(), Some("write 10.0.0.1, without the length"));
        assert_eq!(mend_address("home"), None);
    }
}
