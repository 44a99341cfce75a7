//! Step 3, lowering: from agnostic tasks to tasks of the cloud's own kinds.
//!
//! For each agnostic kind that the cloud supports, an `impl` of [`Lowered`] converts its tasks. [`Lowerings`] does
//! the rest: references point to the native tasks, kinds that the cloud does not support are rejected, and all
//! problems of a graph are reported at once, before anything is created.

use kops_core::graph::Setting;
use kops_core::lower::{Lowered, Lowering, Lowerings, entry, native};
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone};
use kops_core::{Error, ErrorKind, Result};

use crate::kinds::{Entry, Zone};

/// What lowering knows about this cloud: nothing. Other providers have their region here, for example.
pub(crate) struct Site;

pub(crate) const LOWERINGS: Lowerings<Site> = Lowerings {
    cloud: "A directory of zones",
    kinds: &[entry::<Site, DnsZone>(), entry::<Site, DnsRecord>()],
    parts: &[],
};

impl Lowered<Site> for DnsZone {
    type Native = Zone;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_, Site>) -> Result<()> {
        if spec.network.is_some() {
            return Err(unsupported("private zones"));
        }
        cx.add(name, Zone { name: spec.name, transfer_key: Setting::Unmanaged });
        Ok(())
    }
}

impl Lowered<Site> for DnsRecord {
    type Native = Entry;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_, Site>) -> Result<()> {
        let DnsTarget::Values(values) = spec.target else { return Err(unsupported("load balancers")) };
        let Self { zone, name: full_name, record_type, ttl_seconds: ttl, .. } = spec;
        // The reference points to the native zone already; here only its type changes.
        let zone = native::<Site, DnsZone>(zone);
        cx.add(name, Entry { zone, name: full_name, record_type, ttl, values });
        Ok(())
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("this cloud has no {what}"))
}
