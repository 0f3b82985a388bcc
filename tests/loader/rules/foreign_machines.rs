//! Other machines whose loaders can run here: directly, or with qemu in a root without native files.

use crate::rules::elf::{
    ARM64, ARMEL, ARMHF, Elf, I386, MIPS64EL, MIPSEL, Machine, PPC64EL, RISCV64, S390X, library,
};

/// A machine and the constants of its loader.
#[derive(Debug)]
pub(crate) struct Foreign {
    pub(crate) machine: Machine,
    /// The interpreter of its programs.
    pub(crate) loader: &'static str,
    /// The loader's path on this machine, and its Debian package.
    pub(crate) cross: &'static str,
    pub(crate) package: &'static str,
    /// The emulator, if one is needed.
    pub(crate) qemu: Option<&'static str>,
    /// Debian's multiarch name.
    pub(crate) triplet: &'static str,
    /// The value of `$PLATFORM`.
    pub(crate) platform: Platform,
    /// The best directory below `glibc-hwcaps` that the CPU here supports, and one that it does not.
    pub(crate) variants: Option<(&'static str, &'static str)>,
    /// The legacy directory that glibc up to 2.36 searches first, and its mask in caches.
    pub(crate) legacy: (&'static str, u64),
    /// Its flags of cache entries, and other flags that it accepts.
    pub(crate) flags: (u32, Option<u32>),
}

/// How a loader determines `$PLATFORM`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Platform {
    /// The same on every CPU.
    Always(&'static str),
    /// The value on this machine; it may differ on others.
    Here(&'static str),
    /// Unknown, because qemu does not provide it.
    None,
}

const TLS: u64 = 1 << 63;

pub(crate) const MACHINES: [Foreign; 9] = [
    Foreign {
        machine: ARM64,
        loader: "/lib/ld-linux-aarch64.so.1",
        cross: "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1",
        package: "libc6-arm64-cross",
        qemu: Some("/usr/bin/qemu-aarch64-static"),
        triplet: "aarch64-linux-gnu",
        platform: Platform::Always("aarch64"),
        variants: None,
        legacy: ("tls/aarch64/atomics", TLS | 1 << 8),
        flags: (0xa03, None),
    },
    Foreign {
        machine: ARMHF,
        loader: "/lib/ld-linux-armhf.so.3",
        cross: "/usr/arm-linux-gnueabihf/lib/ld-linux-armhf.so.3",
        package: "libc6-armhf-cross",
        qemu: Some("/usr/bin/qemu-arm-static"),
        triplet: "arm-linux-gnueabihf",
        platform: Platform::Here("v8l"),
        variants: None,
        legacy: ("tls/v8l/neon/vfp", TLS | 1 << 12 | 1 << 6),
        flags: (0x903, Some(3)),
    },
    Foreign {
        machine: ARMEL,
        loader: "/lib/ld-linux.so.3",
        cross: "/usr/arm-linux-gnueabi/lib/ld-linux.so.3",
        package: "libc6-armel-cross",
        qemu: Some("/usr/bin/qemu-arm-static"),
        triplet: "arm-linux-gnueabi",
        platform: Platform::Here("v8l"),
        variants: None,
        legacy: ("tls/v8l/neon/vfp", TLS | 1 << 12 | 1 << 6),
        flags: (0xb03, Some(3)),
    },
    Foreign {
        machine: I386,
        loader: "/lib/ld-linux.so.2",
        cross: "/usr/i686-linux-gnu/lib/ld-linux.so.2",
        package: "libc6-i386-cross",
        qemu: None,
        triplet: "i386-linux-gnu",
        platform: Platform::Always("i686"),
        variants: None,
        legacy: ("tls/i686/sse2", TLS | 1 << 49 | 1),
        flags: (3, Some(1)),
    },
    Foreign {
        machine: MIPS64EL,
        loader: "/lib64/ld.so.1",
        cross: "/usr/mips64el-linux-gnuabi64/lib64/ld.so.1",
        package: "libc6-mips64el-cross",
        qemu: Some("/usr/bin/qemu-mips64el-static"),
        triplet: "mips64el-linux-gnuabi64",
        platform: Platform::None,
        variants: None,
        legacy: ("tls", 0),
        flags: (0x703, None),
    },
    Foreign {
        machine: MIPSEL,
        loader: "/lib/ld.so.1",
        cross: "/usr/mipsel-linux-gnu/lib/ld.so.1",
        package: "libc6-mipsel-cross",
        qemu: Some("/usr/bin/qemu-mipsel-static"),
        triplet: "mipsel-linux-gnu",
        platform: Platform::None,
        variants: None,
        legacy: ("tls", 0),
        flags: (3, Some(1)),
    },
    Foreign {
        machine: PPC64EL,
        loader: "/lib64/ld64.so.2",
        cross: "/usr/powerpc64le-linux-gnu/lib/ld64.so.2",
        package: "libc6-ppc64el-cross",
        qemu: Some("/usr/bin/qemu-ppc64le-static"),
        triplet: "powerpc64le-linux-gnu",
        platform: Platform::None,
        variants: Some(("power9", "power10")),
        legacy: ("tls/altivec/dfp", TLS | 1 << 28 | 1 << 10),
        flags: (0x503, None),
    },
    Foreign {
        machine: RISCV64,
        loader: "/lib/ld-linux-riscv64-lp64d.so.1",
        cross: "/usr/riscv64-linux-gnu/lib/ld-linux-riscv64-lp64d.so.1",
        package: "libc6-riscv64-cross",
        qemu: Some("/usr/bin/qemu-riscv64-static"),
        triplet: "riscv64-linux-gnu",
        platform: Platform::None,
        variants: None,
        legacy: ("tls", TLS),
        flags: (0x1003, None),
    },
    Foreign {
        machine: S390X,
        loader: "/lib/ld64.so.1",
        cross: "/usr/s390x-linux-gnu/lib/ld64.so.1",
        package: "libc6-s390x-cross",
        qemu: Some("/usr/bin/qemu-s390x-static"),
        triplet: "s390x-linux-gnu",
        platform: Platform::None,
        variants: Some(("z13", "z14")),
        legacy: ("tls/vx/eimm/ldisp/zarch", TLS | 1 << 11 | 1 << 5 | 1 << 4 | 1 << 1),
        flags: (0x403, None),
    },
];

impl Foreign {
    pub(crate) fn library(&self) -> Elf {
        library().machine(self.machine)
    }

    pub(crate) fn program(&self) -> Elf {
        self.library().interpreter(self.loader)
    }
}
