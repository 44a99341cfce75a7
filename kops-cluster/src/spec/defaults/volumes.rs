//! Limits of volumes, by cloud and type.

/// The limits of a volume type.
#[derive(Debug)]
pub(crate) struct VolumeLimits {
    pub(crate) cloud: &'static str,
    pub(crate) name: &'static str,
    /// In GiB.
    pub(crate) size: (i64, i64),
    /// I/O operations per second, if configurable.
    pub(crate) iops: Option<(i64, i64)>,
    /// The maximum operations per second for each GiB, above the guaranteed minimum.
    pub(crate) iops_per_gib: i64,
    /// In MiB per second, if configurable.
    pub(crate) throughput: Option<(i64, i64)>,
}

// docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html
static LIMITS: &[VolumeLimits] = &[
    VolumeLimits {
        cloud: "aws",
        name: "gp3",
        size: (1, 65_536),
        iops: Some((3_000, 80_000)),
        iops_per_gib: 500,
        throughput: Some((125, 2_000)),
    },
    VolumeLimits {
        cloud: "aws",
        name: "gp2",
        size: (1, 16_384),
        iops: None,
        iops_per_gib: 0,
        throughput: None,
    },
    VolumeLimits {
        cloud: "aws",
        name: "io1",
        size: (4, 16_384),
        iops: Some((100, 64_000)),
        iops_per_gib: 50,
        throughput: None,
    },
    VolumeLimits {
        cloud: "aws",
        name: "io2",
        size: (4, 65_536),
        iops: Some((100, 256_000)),
        iops_per_gib: 1_000,
        throughput: None,
    },
    VolumeLimits {
        cloud: "aws",
        name: "st1",
        size: (125, 16_384),
        iops: None,
        iops_per_gib: 0,
        throughput: None,
    },
    VolumeLimits {
        cloud: "aws",
        name: "sc1",
        size: (125, 16_384),
        iops: None,
        iops_per_gib: 0,
        throughput: None,
    },
    VolumeLimits {
        cloud: "aws",
        name: "standard",
        size: (1, 1_024),
        iops: None,
        iops_per_gib: 0,
        throughput: None,
    },
];

impl VolumeLimits {
    /// The operations per second of a volume whose type has to be told them, which is the least that the type takes:
    /// kOps' default, too.
    pub(crate) fn least_iops(cloud: &str, name: &str) -> Option<i64> {
        let limits = Self::of(cloud).find(|limits| limits.name == name)?;
        // Where throughput is configurable as well, both have defaults.
        limits.iops.filter(|_| limits.throughput.is_none()).map(|(least, _)| least)
    }

    /// The types of a cloud; empty if the operator defines them.
    pub(crate) fn of(cloud: &str) -> impl Iterator<Item = &'static Self> {
        LIMITS.iter().filter(move |limits| limits.cloud == cloud)
    }
}
