"""A kernel in small: eight modules, two built-in ones, and what kmod 34's depmod makes of them (``data/depmod``)."""

import lzma

import zstandard

from tests.kernel.ko import module

RELEASE = "6.1-sample"
ORDER = "kernel/base.ko\nkernel/fs/ext-9.ko\nkernel/lib/crc.ko\nkernel/net/hub.ko\nkernel/net/leaf.ko\n"
BUILTIN = "kernel/core/first.ko\nkernel/core/se-cond.ko\n"
BUILTIN_MODINFO = (
    b"first.license=GPL\0first.alias=fs-first\0se_cond.alias=char-major-9-1\0hidden.alias=cpu:type:x86-*\0"
)
MODULES = {
    "kernel/base.ko": module(["license=GPL", "alias=base-alias"], ["base_open", "base_close"], ["printk"]),
    "kernel/fs/ext-9.ko.xz": lzma.compress(
        module(
            ["alias=fs-ext9", "alias=fs-ext9-old", "softdep=pre: crc-x hub post: leaf", "firmware=ext/9.bin"],
            ["ext9_mount"],
            ["crc_sum", "base_open", "__stack_chk_fail"],
        )
    ),
    "kernel/lib/crc.ko.xz": lzma.compress(
        module(["alias=crc-x", "weakdep=base"], ["crc_sum", "crc_init"], ["base_open", "base_close"])
    ),
    "kernel/net/hub.ko.zst": zstandard.ZstdCompressor().compress(
        module(
            [
                "alias=pci:v00008086d*sv*sd*bc02sc*i*",
                "alias=pci:v00008086d0000[1-9]*",
                "alias=devname:net/hub",
                "alias=char-major-10-200",
                "alias=broken]bracket",
            ],
            ["hub_add"],
            ["crc_sum", "ext9_mount"],
        )
    ),
    "kernel/net/leaf.ko": module(
        ["alias=pci:v00008086d*sv*sd*bc02sc*i*", "alias=block-major-7-*"], [], ["hub_add", "base_open"]
    ),
    "updates/leaf.ko": module(["alias=pci:v00001234*", "alias=net-pf-1"], [], ["hub_add"]),
    "kernel/zz/loose.ko": module(["alias=zz"], ["free_name"], []),
    "kernel/zz/plain.ko": module(["alias=zzz", "softdep=pre: base"], [], ["free_name", "hub_add"], wide=True),
}
