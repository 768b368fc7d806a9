"""The architectures that images are made for and builds run on: every name that anything calls one by.

One value for each. What a build machine runs and what an image is for are both values of this type. Everywhere in files
(recipes, locks, packages, manifests) an architecture stands there by Debian's name; :func:`named` has the value.

To add one: its value here and a line in `ARCHITECTURES`; see docs/changing.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from assembler.errors import AssembleError

Firmware = Literal["bios", "uefi", "secure-boot"]
"""``secure-boot`` is UEFI that starts only what Microsoft's keys vouch for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSource:
    """How the kernel's own make (kbuild) calls an architecture, and what it makes."""

    arch: str
    """``ARCH=`` of make."""
    directory: str
    """Its directory below ``arch/``."""
    target: str
    """What make is asked for."""
    image: str
    """The file that this makes, below the directory of objects."""
    variants: tuple[tuple[str, str, str], ...] = ()
    """(symbol, target, image): what takes their place when the configuration has the symbol."""

    def made(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Target and image of a kernel whose configuration has these `values` by symbol."""
        for symbol, target, image in self.variants:
            if values.get(symbol) == "y":
                return target, image
        return self.target, self.image


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemCalls:
    """What a seccomp filter must know (seccomp(2)): numbers of system calls, as in ``asm/unistd.h``."""

    audit: int
    """AUDIT_ARCH of ``linux/audit.h``."""
    ioctl: int
    socket: int
    keys: tuple[int, int, int]
    """add_key, request_key and keyctl."""
    attributes: tuple[int, ...]
    """Those that change modes, owners, times and extended attributes of files."""
    foreign: int | None = None
    """The first number of another interface under the same AUDIT_ARCH; None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulation:
    """How QEMU is called, and the firmware that its machines get."""

    program: str
    machine: str
    cpu: str
    """``-cpu`` when it is emulated."""
    cd: str
    """Device of a CD drive; `{bus}` is the number of its bus."""
    controllers: tuple[str, ...] = ()
    """Devices that the CD drives hang on, besides what the machine has itself."""
    screen: tuple[str, ...]
    firmware: tuple[Firmware, ...]
    """All that a machine can start with, the usual one first."""
    packages: tuple[str, ...]
    """Debian packages of QEMU and of all that firmware."""
    data: tuple[str, ...] = ("qemu",)
    """Directories below ``usr/share`` in which these have QEMU's firmware images."""
    uefi_package: str
    """The one of them with UEFI."""
    uefi: tuple[tuple[str, str], ...]
    """Code and variable store of UEFI without Secure Boot keys, below a root directory: where distributions have it."""
    secure_boot: tuple[tuple[str, str], ...] = ()
    """The same with Microsoft's keys enrolled."""
    secure_machine: str = ""
    """What the machine has besides for these."""
    secure_options: tuple[str, ...] = ()
    """Further options for these."""
    cpu_flags: frozenset[str] = frozenset()
    """Flags of /proc/cpuinfo, one of which is there when the processor virtualises; empty where none tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedMachine:
    """How QEMU is called for a machine that counts its instructions: see guest/hardware.py. All of it decides bytes."""

    machine: str
    """``-machine``, with memory that stays (NVDIMM)."""
    cpu: str
    """A model without wide vectors, which cost more to emulate than they save."""
    console: str
    """What the kernel calls the serial port."""
    parameters: tuple[str, ...] = ()
    """Of the kernel's, for what it would find out by waiting."""
    packages: tuple[str, ...]
    """Debian packages of QEMU and of firmware."""
    firmware: str = ""
    """The UEFI image below a root directory that announces the memory (ACPI); empty where QEMU's own BIOS does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLibraries:
    """What ldconfig of glibc knows of libraries (sysdeps/*/readelflib.c, ldconfig.h, dl-procinfo.c)."""

    flags: int
    """Of 64-bit ones."""
    kinds: tuple[tuple[tuple[int, int], int], ...] = ()
    """Flags by ELF class and machine, 0 where these do not tell; others are passed over. Empty where any machine is
    taken for its own."""
    interpreters: frozenset[bytes]
    """Loaders by which it knows programs of this libc, before 2.37."""
    processors: frozenset[str]
    """Names of subdirectories for processors, before 2.37."""


LOADERS = frozenset({
    "ld-kfreebsd-x86-64.so.1", "ld-linux-aarch64.so.1", "ld-linux-aarch64_be.so.1", "ld-linux-armhf.so.3",
    "ld-linux-ia64.so.2", "ld-linux-mipsn8.so.1", "ld-linux-x86-64.so.2", "ld-linux.so.2", "ld-linux.so.3", "ld.so.1",
    "ld64.so.1", "ld64.so.2",
})  # fmt: skip
"""Names of dynamic loaders that Debian's ldconfig leaves alone (local-ldconfig-ignore-ld.so.diff)."""


@dataclass(frozen=True, slots=True)
class Microcode:
    """Updates of the processors of one vendor, which a kernel takes from the beginning of its initrd."""

    package: str
    """Debian's package of them."""
    pattern: str
    """Where its files are."""
    path: str
    """The one file that all of them become, where the kernel looks for it (Documentation/arch/x86/microcode.rst)."""
    intel: bool = False
    """Whether they have Intel's format; else AMD's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One architecture."""

    name: str
    """Debian's (dpkg-architecture(1))."""
    machine: str
    """What a running kernel calls it (uname -m)."""
    triplet: str
    """GNU's, which is Debian's multiarch directory, too."""
    loader: str
    """File name of glibc's dynamic loader."""
    elf_machine: int
    """e_machine of its programs."""
    libraries: SharedLibraries
    efi: str
    """What file names of EFI programs end with: ``x64`` of ``BOOTX64.EFI`` (UEFI Specification, 3.5.1.1)."""
    oci: str
    """GOARCH: in platforms of the OCI image specification, and in the addresses of Go's programs."""
    oci_variants: tuple[str, ...] = ()
    """Variants of the platform that are no other than the platform itself."""
    consoles: tuple[str, ...]
    """Kernel parameters for the screen and a serial console; the last becomes /dev/console where it exists."""
    kernel_package: str
    """Debian's kernel for virtual machines: a recipe's, when it names none."""
    kernel_file: str = "vmlinuz"
    """What Debian's kernel image is called in /boot, before ``-RELEASE``."""
    initrd_modules: tuple[str, ...] = ()
    """Modules that an initrd needs on this one alone: ext4's checksums, for which it asks by an alias."""
    microcode: tuple[Microcode, ...] = ()
    """Of the vendors of its processors."""
    kernel: KernelSource
    calls: SystemCalls
    emulation: Emulation
    counted: CountedMachine
    grub_efi: str
    """GRUB's platform for EFI; Debian's directory of its signed image is called so."""
    grub_bios: str = ""
    """GRUB's platform for a BIOS; empty where there is none."""

    @property
    def bios(self) -> bool:
        """Whether its machines may have a BIOS."""
        return "bios" in self.emulation.firmware

    @property
    def platform(self) -> str:
        """Of the OCI image specification."""
        return f"linux/{self.oci}"

    @property
    def prefix(self) -> str:
        """What the names of compilers for it begin with."""
        return f"{self.triplet}-"


AMD64 = Architecture(
    name="amd64",
    machine="x86_64",
    triplet="x86_64-linux-gnu",
    loader="ld-linux-x86-64.so.2",
    elf_machine=62,
    libraries=SharedLibraries(
        flags=0x303,
        kinds=(((2, 62), 0x303), ((1, 62), 0x803), ((1, 3), 0)),
        interpreters=frozenset(
            {
                b"/lib/ld-linux-x86-64.so.2",
                b"/lib/ld-linux.so.2",
                b"/libx32/ld-linux-x32.so.2",
                b"/lib64/ld-linux-x86-64.so.2",
            }
        ),
        processors=frozenset({"sse2", "x86_64", "avx512_1", "i586", "i686", "haswell", "xeon_phi"}),
    ),
    efi="x64",
    oci="amd64",
    consoles=("console=tty0", "console=ttyS0,115200"),
    kernel_package="linux-image-cloud-amd64",
    initrd_modules=("crc32c_intel",),
    microcode=(
        Microcode(
            "intel-microcode",
            "/usr/lib/firmware/intel-ucode/*",
            "/kernel/x86/microcode/GenuineIntel.bin",
            intel=True,
        ),
        Microcode(
            "amd64-microcode",
            "/usr/lib/firmware/amd-ucode/*.bin",
            "/kernel/x86/microcode/AuthenticAMD.bin",
        ),
    ),
    kernel=KernelSource(arch="x86_64", directory="x86", target="bzImage", image="arch/x86/boot/bzImage"),
    calls=SystemCalls(
        audit=0xC000003E,
        ioctl=16,
        socket=41,
        keys=(248, 249, 250),
        # chmod, fchmod, chown, fchown, lchown, utime, utimes, fchownat, futimesat, fchmodat, utimensat; then those of
        # extended attributes: set, lset, fset, remove, lremove, fremove.
        attributes=(90, 91, 92, 93, 94, 132, 235, 260, 261, 268, 280, 188, 189, 190, 197, 198, 199),
        foreign=0x40000000,  # x32
    ),
    emulation=Emulation(
        program="qemu-system-x86_64",
        machine="q35",
        # Under QEMU 7.2 a second processor makes Linux crash at random when it uses cmpxchg16b; LA57 only costs time;
        # with ERMS and FSRM programs clear and copy by single instructions, which are emulated byte by byte.
        cpu="max,-cx16,-la57,-erms,-fsrm",
        cd="ide-cd,bus=ide.{bus}",
        screen=("-vga", "std"),
        firmware=("bios", "uefi", "secure-boot"),
        packages=("qemu-system-x86", "qemu-utils", "ovmf", "seabios"),
        data=("qemu", "seabios"),
        uefi_package="ovmf",
        uefi=(
            ("usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_VARS_4M.fd"),  # Debian, Ubuntu
            ("usr/share/OVMF/OVMF_CODE.fd", "usr/share/OVMF/OVMF_VARS.fd"),
            ("usr/share/edk2/ovmf/OVMF_CODE.fd", "usr/share/edk2/ovmf/OVMF_VARS.fd"),  # Fedora
            ("usr/share/edk2/x64/OVMF_CODE.4m.fd", "usr/share/edk2/x64/OVMF_VARS.4m.fd"),  # Arch Linux
            ("usr/share/qemu/edk2-x86_64-code.fd", "usr/share/qemu/edk2-i386-vars.fd"),  # QEMU's own
        ),
        secure_boot=(
            ("usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "usr/share/OVMF/OVMF_VARS_4M.ms.fd"),  # Debian, Ubuntu
            ("usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"),  # Fedora
        ),
        # Only the firmware, in system management mode, may write to the variables.
        secure_machine=",smm=on",
        secure_options=("-global", "driver=cfi.pflash01,property=secure,value=on"),
        # A /dev/kvm may be there and open although the processor shows neither; guests then hang.
        cpu_flags=frozenset({"vmx", "svm"}),
    ),
    counted=CountedMachine(
        # Without an HPET, of which Linux waits for many ticks to measure it.
        machine="pc,nvdimm=on,hpet=off,smm=off,vmport=off",
        cpu="Westmere,+rdrand",
        console="ttyS0",
        # The processor's clock counts instructions, 10⁹ a second. The APIC's timer would be measured for 100 ms, which
        # costs the host 2 s as each look at it ends a piece of translated code; the PIT does for it.
        parameters=("tsc_early_khz=1000000", "tsc=reliable", "no_timer_check", "noapictimer"),
        packages=("qemu-system-x86", "seabios"),
    ),
    grub_efi="x86_64-efi",
    grub_bios="i386-pc",
)

ARM64 = Architecture(
    name="arm64",
    machine="aarch64",
    triplet="aarch64-linux-gnu",
    loader="ld-linux-aarch64.so.1",
    elf_machine=183,
    libraries=SharedLibraries(
        flags=0xA03,
        interpreters=frozenset(
            {
                b"/lib/ld-linux-aarch64.so.1",
                b"/lib/ld-linux-aarch64_be.so.1",
                b"/lib/ld-linux-aarch64_ilp32.so.1",
                b"/lib/ld-linux-aarch64_be_ilp32.so.1",
                b"/lib/ld-linux.so.3",
                b"/lib/ld-linux-armhf.so.3",
            }
        ),
        processors=frozenset({"atomics"}),
    ),
    efi="aa64",
    oci="arm64",
    oci_variants=("v8",),  # there is one, which few say
    consoles=("console=tty0", "console=ttyAMA0,115200"),
    kernel_package="linux-image-cloud-arm64",
    initrd_modules=("crc32c_arm64",),
    kernel=KernelSource(
        arch="arm64",
        directory="arm64",
        target="Image",
        image="arch/arm64/boot/Image",
        variants=(("EFI_ZBOOT", "vmlinuz.efi", "arch/arm64/boot/vmlinuz.efi"),),
    ),
    calls=SystemCalls(
        audit=0xC00000B7,
        ioctl=29,
        socket=198,
        keys=(217, 218, 219),
        # fchmod, fchmodat, fchownat, fchown, utimensat; the same six.
        attributes=(52, 53, 54, 55, 88, 5, 6, 7, 14, 15, 16),
    ),
    emulation=Emulation(
        program="qemu-system-aarch64",
        machine="virt",
        cpu="max,pauth-impdef=on",
        cd="scsi-cd,bus=scsi.0",
        controllers=("virtio-scsi-pci,id=scsi",),
        screen=("-device", "virtio-gpu-pci"),
        # No Secure Boot: QEMU has system management mode on amd64 alone.
        firmware=("uefi",),
        packages=("qemu-system-arm", "qemu-utils", "qemu-efi-aarch64"),
        uefi_package="qemu-efi-aarch64",
        uefi=(
            ("usr/share/AAVMF/AAVMF_CODE.fd", "usr/share/AAVMF/AAVMF_VARS.fd"),  # Debian, Ubuntu
            ("usr/share/edk2/aarch64/QEMU_CODE.fd", "usr/share/edk2/aarch64/QEMU_VARS.fd"),  # Arch Linux
            ("usr/share/qemu/edk2-aarch64-code.fd", "usr/share/qemu/edk2-arm-vars.fd"),
        ),
        # Nothing in cpuinfo tells; the kernel makes /dev/kvm only when it was started at EL2.
    ),
    counted=CountedMachine(
        machine="virt,nvdimm=on",
        # With an instruction for random numbers, which -seed decides: without one it decides nothing, and Linux looks
        # for randomness in the clock for 2 s. Signed pointers take half as long again.
        cpu="max,pauth=off,sve=off,sme=off",
        console="ttyAMA0",
        packages=("qemu-system-arm", "qemu-efi-aarch64"),
        firmware="usr/share/qemu-efi-aarch64/QEMU_EFI.fd",
    ),
    grub_efi="arm64-efi",
)

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType({each.name: each for each in (AMD64, ARM64)})
"""All that there are, by Debian's name."""
NAMES = tuple(ARCHITECTURES)
DEFAULT = AMD64
"""A recipe's when it names none."""


class ArchitectureError(AssembleError):
    """An architecture that the assembler knows nothing of."""


def named(name: str) -> Architecture:
    """The architecture with Debian's `name`. Raises ArchitectureError, which says which there are."""
    found = ARCHITECTURES.get(name)
    if found is None:
        raise ArchitectureError(
            "there is no such architecture here", why=name[:80], hint=f"there are {', '.join(NAMES)}"
        )
    return found


def of_machine(machine: str) -> Architecture | None:
    """The architecture of a host by what its kernel calls it (uname -m); None when it is none of ours."""
    return next((each for each in ARCHITECTURES.values() if each.machine == machine), None)
