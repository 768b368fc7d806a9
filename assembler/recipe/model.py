"""What a recipe says, as types. Every key of a recipe file is a field here, and nothing else is accepted.

The JSON Schema that ``assemble schema`` prints is generated from these types, their defaults and their docstrings.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from assembler import architecture, releases
from assembler.recipe.additions import Directory, File, FileTree, Group, SystemId, Unit, User
from assembler.recipe.initrd import Initrd
from assembler.recipe.shapes import (
    Account,
    Answered,
    ArchitectureName,
    ArchiveAddress,
    ArchivePart,
    ArgumentName,
    BroughtPath,
    Component,
    DebPath,
    EnvironmentName,
    EnvironmentValue,
    HostName,
    ImageName,
    ImageReference,
    KernelParameter,
    KubernetesVersion,
    Label,
    Locale,
    PackageName,
    PackageOfImage,
    PackageRequest,
    PackagesPinned,
    Password,
    PathPattern,
    PinnedTo,
    PublicKey,
    Question,
    ReleaseName,
    ScriptText,
    Sha256,
    SignedBy,
    Size,
    StateDisk,
    StepName,
    Suite,
    TimeZone,
    UnitName,
    UpstreamVersion,
    Url,
)
from assembler.recipe.short import AnswerText, ByOwnName, NumberOrText, OrValue, OrWords
from assembler.recipe.strict import Strict
from assembler.recipe.system_shapes import Keymap, ModuleName, SysctlKey, SysctlValue, UserName


class Pinned(Strict):
    """A priority for some versions of some packages, as in apt_preferences(5)."""

    packages: list[PackagesPinned]
    """Names of binary packages, or `src:` and that of a source package, with `*` and `?` for what may stand there. `*`
    alone is for all packages; such a pin counts where no other does. The first that fits is taken."""
    pin: PinnedTo
    """Which versions: `release` with `a=` (the suite), `n=` (codename), `v=`, `o=` (origin), `l=` (label) or `c=`
    (component); `version`; or `origin` and the host of an archive with `URIs`."""
    priority: int = Field(ge=-32768, le=32767)
    """The highest is taken. Without pins it is 500, for a suite with `NotAutomatic` 1, and for backports 100; below 0,
    a version is taken only where it is asked for itself, as `tool=1.2` or `tool/SUITE`."""


class DebianArchive(Strict):
    """An archive beside those of `debian.sources`, in the words of sources.list(5); or a directory of .debs."""

    uris: list[ArchiveAddress] = []
    """Roots of the archive, `file:///srv/archive` for a directory of this machine; empty, without `path`, for Debian's
    own, whose mirror is chosen when fetching."""
    path: str = ""
    """A directory, relative to the recipe file that says so. With `suites` it is the root of a signed archive. Without,
    all .debs in it and below it may be taken, as from an archive. Nobody signs these: they are a part of the recipe."""
    files: dict[DebPath, Sha256] = {}
    """SHA-256 of the .debs of such a directory by their paths below `path`. No others are taken then, and those that
    the store has need not be there. Absent: all that are there."""
    suites: list[Suite] = []
    """Suites, or a directory with a slash at its end, for a flat archive: `./`."""
    components: list[Component] = []
    """Components of the suites; a flat archive has none."""
    architectures: list[ArchivePart] = []
    """Which architectures are taken from there, `all` for packages of none; empty for the image's and those."""
    signed_by: SignedBy = ""
    """Who signs it: a file with certificates, certificates in ASCII armor, or fingerprints of Debian's own. Empty: the
    archive keys that come with the assembler."""
    check_valid_until: bool = True
    """Whether it is refused when it is past its Valid-Until."""


class DebianPackage(Strict):
    """A .deb that is installed, with what it needs of the archives. It comes before all versions of the same package
    there, as with `apt-get install ./tool.deb`. Exactly one of `path` and `url` says where it is.
    """

    path: str = ""
    """A file, relative to the recipe file that says so."""
    url: Url = ""
    """The address of one."""
    sha256: Sha256 = ""
    """SHA-256 of the .deb, in hex; required with `url`. With it, the file of `path` need not be there once the store
    has the package. Absent: that of the file as it is."""


class Debian(Strict):
    """Where packages come from."""

    release: ReleaseName = releases.DEFAULT.name
    """The release of Debian whose archives are taken, with their updates: short for its `sources`."""
    sources: str = releases.DEFAULT.sources
    """deb822 sources, as in sources.list(5). Without `URIs` the mirror is chosen when fetching; without `Signed-By`
    the archive keys that come with the assembler are trusted, otherwise the fingerprints listed there, or the
    certificate that is there itself. `Suites` with a slash at its end is the directory of a flat archive (`./`), which
    has no `Components`. An archive is signed in InRelease, or in Release.gpg."""
    archives: list[DebianArchive] = []
    """Archives besides those of `sources`; `archives_add` in a recipe on top adds more."""
    debs: list[DebianPackage] = []
    """Packages by their files. Nobody signs these: they are a part of the recipe."""
    pins: list[Pinned] = []
    """Which version of a package is taken where archives have several."""
    mirror: Url = ""
    """Base URL of the main archive; its security archive is looked for beside it. Empty: `ASSEMBLE_MIRROR`, the
    host's own apt sources, then a built-in default."""
    mirror_security: Url = ""
    """Base URL of the security archive, when it is not beside `mirror`."""


class KernelModule(Strict):
    """Modules from outside the kernel, compiled for it: the source of a DKMS package, or a tarball."""

    package: PackageName = ""
    """A DKMS package of the recipe's archives, `zfs-dkms`. Its source is taken, and it is not installed."""
    url: Url = ""
    """The address of a tarball: a source with a `dkms.conf`, or one that the kernel's make takes as it is."""
    sha256: Sha256 = ""
    """SHA-256 of that tarball, in hex; required with `url`, as compiling runs what is in it."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.package or self.url.rpartition("/")[2]


class Kernel(Strict):
    """The kernel layer."""

    source: Literal["distro", "vanilla"] = "distro"
    """`distro`: Debian's kernel package. `vanilla`: compiled from source, with nothing as a module."""
    package: PackageRequest = architecture.DEFAULT.kernel_package
    """The kernel package or metapackage to take; for another architecture the default is its own. With `vanilla`, the
    package with the source, `linux-source-VERSION`, unless `url` names a tarball."""
    url: Url = ""
    """With `vanilla`: the address of the source's tarball, as `https://cdn.kernel.org/pub/linux/kernel/v6.x/...`."""
    sha256: Sha256 = ""
    """SHA-256 of that tarball, in hex; required with `url`, as compiling runs what is in it."""
    version: UpstreamVersion = ""
    """With `vanilla`: the version that the source must have, as `6.12.48`. Empty: whichever it has."""
    base: Literal["defconfig", "tinyconfig"] = "defconfig"
    """With `vanilla`: what the configuration begins with: the architecture's default, without what that has as
    modules, or as little as possible."""
    toolchain: Literal["locked", "host"] = "locked"
    """With `vanilla`: what it is compiled with. `locked`: the lock's compiler and all that goes with it, so that the
    kernel's bytes follow from the lock alone. `host`: this machine's, whose versions the lock names."""
    fragments: list[str] = []
    """With `vanilla`: host files with settings on top of `base`, relative to the recipe file that says so. All that
    they ask for has to take, and they may not contradict one another."""
    modules: list[KernelModule] = []
    """Modules from outside the kernel, compiled against exactly this one, for `/usr/lib/modules/RELEASE/updates/dkms`.
    With `vanilla`, the kernel needs `CONFIG_MODULES`, as `kernel/modules.config` has it."""
    modules_key: str = Field(default="", repr=False)
    """What these are signed with: a private RSA key and its certificate, PEM, in one text. It comes by an argument,
    `--arg-file MODULES_KEY=FILE`, and is in no recipe, lock, log or store. Empty: they are not signed."""

    @property
    def compiled(self) -> tuple[str, str] | None:
        """What is compiled here, which runs programs of its source: the key that says so, and in words; None for
        nothing.
        """
        if self.source == "vanilla":
            return "kernel.source", "its kernel"
        return ("kernel.modules", "modules of its kernel") if self.modules else None


class Ids(Strict):
    """Numbers of users and groups that packages make, by name. What owns files in the image follows."""

    users: dict[Account, SystemId] = {}
    """`messagebus = 990`. Whoever has that number gets the one that becomes free."""
    groups: dict[Account, SystemId] = {}
    """The same for groups."""


Scripts = Literal["auto", "computed", "executed"]
"""What becomes of maintainer scripts; see `Rootfs.scripts`."""


class Answer(Strict):
    """The answer to one debconf question. The value alone, without a table, is an answer of the template's type."""

    value: Annotated[Answered, AnswerText()] = Field(repr=False)
    """What is answered: text; `true` or `false`; an array of strings for a multiselect. Of a select and a multiselect
    it is the untranslated choice."""
    type: Literal["string", "boolean", "select", "multiselect", "password", "note", "text"] | None = None
    """The question's type. Absent: its template's. A `password` has to be named as such, as it is a secret then."""

    @property
    def private(self) -> bool:
        """Whether it is a secret: then nothing but the image itself has what is made of it."""
        return self.type == "password"


class Debconf(Strict):
    """Answers to what packages ask when they are configured, which nobody is there to answer."""

    preseed: list[str] = []
    """Files of answers as debconf-set-selections(1) reads them, relative to the recipe file that says so. Of two
    answers to a question the later one counts. Passwords belong in `answers`, as these files go onto the medium."""
    answers: dict[PackageOfImage, dict[Question, Annotated[Answer, OrValue()]]] = {}
    """Answers by package and question, in the place of those in `preseed`. A question that no package of the image asks
    is a warning, and a value that the question's template does not allow an error."""

    def listed(self) -> Iterator[tuple[str, str, Answer]]:
        """Package, question and answer, of all `answers`."""
        for package, questions in self.answers.items():
            for question, answer in questions.items():
                yield package, question, answer

    @property
    def open(self) -> "Debconf":
        """What of the answers is no secret, without the names of files."""
        answers = {
            package: {
                question: answer.model_copy(update={"value": ""}) if answer.private else answer
                for question, answer in questions.items()
            }
            for package, questions in self.answers.items()
        }
        return self.model_copy(update={"preseed": [], "answers": answers})


class Run(Strict):
    """One step of the recipe's own: a script, executed once in a machine that has the image's tree as its root.

    That is after all packages are configured and the recipe's files are there. The machine is emulated, has no network
    and nothing of the host, and gives the same bytes everywhere. An exit status other than 0 stops the build. Scripts,
    environment and files are no secrets: they go onto the medium with the recipe.
    """

    script: ScriptText | None = None
    """Text of the script. Exactly one of `script` and `file` says what is executed. What begins with `#!` is executed
    by the interpreter that it names, which the image must have; anything else by `/bin/sh -e`."""
    file: str | None = None
    """A host file that holds the script, relative to the recipe file that says so."""
    name: StepName = ""
    """What messages call the step. Empty: its number, and the name of `file`."""
    environment: dict[EnvironmentName, EnvironmentValue] = {}
    """Variables of the script's environment."""
    files: Annotated[dict[BroughtPath, str], ByOwnName()] = {}
    """Host files and directories to bring along, relative to the recipe file that says so, by their path in the
    directory that the variable `ASSEMBLE_FILES` names; an array has each under its own name. Nothing of them stays in
    the image. Symbolic links and empty directories are refused, and every file is executable there."""

    def label(self, index: int) -> str:
        """What messages call the step, which is number `index` from 0."""
        return self.name or f"step {index + 1}" + (f" ({self.file})" if self.file else "")


class Rootfs(Strict):
    """The root file system layer."""

    packages: list[PackageRequest] = []
    """Packages to install, besides those that are essential. `curl/trixie-backports` is taken from that suite, with
    what it needs of it, and `curl=8.14.1-2*` in that version; see also `debian.pins`."""
    recommends: bool = False
    """Whether recommended packages are installed too."""
    first_boot: list[PackageName] = []
    """Packages that stay unpacked in the image, with all that depends on them: dpkg itself configures them on the
    image's first boot, before services start. For those with a script that no rule matches."""
    scripts: Scripts = "auto"
    """What becomes of packages' maintainer scripts. `auto`: they are computed, and what cannot be is executed by the
    image's own dpkg in an emulated machine. `computed`: what cannot be computed stops the build. `executed`: all are
    executed. `--scripts` says so for one build."""
    byte_code: bool = True
    """Whether the image has the byte code of Python's modules, as dpkg leaves it, so that programs start sooner: where
    Python is that of the assembler's own tools, and `scripts` is not `executed`."""
    debconf: Debconf = Debconf()
    """Answers to the questions of packages."""
    run: list[Run] = []
    """Steps of the recipe's own, in their order."""
    rules: list[str] = []
    """Files of rules for scripts that are not computed, relative to the recipe file that says so; before the
    assembler's own rules."""
    ids: Ids = Ids()
    """Numbers of users and groups. Absent: those that dpkg's order of configuration gives them."""
    hostname: HostName = "localhost"
    """The static host name."""
    root_password: Password = Field(default="!", repr=False)
    """Root's password in clear, or a crypt(5) hash (`$...`), or `!` alone for none. Any other text that begins with `!`
    or `*` is a password like another, but for the marks that shadow(5) has for locked accounts, which are refused."""
    locale: Locale = "C.UTF-8"
    """LANG of the system."""
    locales: list[Locale] = []
    """Locales that the image has, besides `C.UTF-8` and `locale`: of `locales-all` only these are kept, each of about
    3 MB; with `locales` they are generated, as dpkg-reconfigure(8) does. Empty: all of `locales-all`, and `locale`."""
    keymap: Keymap = ""
    """Layout of the keyboard, for `/etc/default/keyboard`: of console-setup, which the image needs for it."""
    timezone: TimeZone = "Etc/UTC"
    """A zone of the tz database."""
    exclude: list[PathPattern] = []
    """Path patterns that are not unpacked, as dpkg's `path-exclude`; see dpkg(1)."""
    include: list[PathPattern] = []
    """Exceptions from `exclude`, as dpkg's `path-include`: what matches one of these is unpacked after all."""
    enable: list[UnitName] = []
    """systemd units to enable, after those that packages enable."""
    disable: list[UnitName] = []
    """systemd units to disable."""
    mask: list[UnitName] = []
    """systemd units to mask."""
    units: dict[UnitName, Unit] = {}
    """systemd units given here, and drop-ins for others."""
    sysctl: dict[SysctlKey, Annotated[SysctlValue, NumberOrText()]] = {}
    """Kernel parameters, for `/etc/sysctl.d/90-recipe.conf` (sysctl.d(5))."""
    modules: list[ModuleName] = []
    """Kernel modules that are loaded at boot, for `/etc/modules-load.d/recipe.conf` (modules-load.d(5))."""
    groups: dict[UserName, Group] = {}
    """Groups to add."""
    users: dict[UserName, User] = {}
    """Users to add, after all packages are configured and before files."""
    certificates: list[str] = []
    """Host files with certificates (PEM) of authorities that the system trusts, relative to the recipe file that says
    so: for `/usr/local/share/ca-certificates`, and into the bundle that ca-certificates makes."""
    trees: list[FileTree] = []
    """Directories of the host whose files are added. Where two have the same file, the later one counts, and one in
    `files` before both."""
    directories: list[Directory] = []
    """Directories to add."""
    files: list[File] = []
    """Files to add, after all packages are configured. Those that not everybody may read are private: their bytes are
    in the root file system with their mode, and nowhere else on the medium. What packages do when such files come,
    by the triggers that they have for paths, is done: caches and tables know of them."""
    remove: list[PathPattern] = []
    """What is removed at the end: patterns as of `exclude`, which must match something. A conffile has to be named
    itself."""

    @property
    def private_sources(self) -> frozenset[str]:
        """The keys that name host files with the bytes of private files, as ``rootfs.files[2].source``."""
        named = enumerate(self.files)
        return frozenset(f"rootfs.files[{index}].source" for index, file in named if file.private and file.source)


class Artifacts(Strict):
    """Root file systems as files, besides the ISO: `rootfs.tar.gz` and so on."""

    formats: list[Literal["tar.gz", "tar.zst", "qcow2"]] = ["tar.gz", "qcow2"]
    """What is made of each root file system; `qcow2` is a disk that holds ext4 and no partitions."""
    disk_size: Size = ""
    """Size of the disk; empty for what is in it and about a quarter more."""


class KubernetesPart(Strict):
    """Where one part of the Kubernetes layer comes from."""

    source: Literal["upstream", "debian", "docker", "none"] = "upstream"
    """`upstream`: its publisher; `debian`: a Debian package; `docker`, for containerd alone: the package containerd.io
    of Docker's archive, which is among `debian.archives`; `none`: it is left out."""
    version: UpstreamVersion = ""
    """Empty: the one that goes with `kubernetes.version`."""
    url: Url = ""
    """Address of the file. Empty: where the publisher has this version."""
    sha256: Sha256 = ""
    """Its digest. Empty: the one that comes with the assembler, else that of the publisher's checksum file, else what
    arrives when locking is trusted; the lock says which."""


class Kubernetes(Strict):
    """The Kubernetes layer, which an image has when its recipe has this table."""

    version: KubernetesVersion = "1.36"
    """Version of Kubernetes, `1.36` for the newest patch when it is locked. Everything else follows from it."""
    kubelet: KubernetesPart = KubernetesPart()
    kubeadm: KubernetesPart = KubernetesPart()
    kubectl: KubernetesPart = KubernetesPart()
    containerd: KubernetesPart = KubernetesPart()
    runc: KubernetesPart = KubernetesPart()
    crictl: KubernetesPart = KubernetesPart()
    nerdctl: KubernetesPart = KubernetesPart()
    cni_plugins: KubernetesPart = KubernetesPart()
    images: Literal["kubeadm", "none"] = "none"
    """Container images that come on the medium, so that a node needs no registry. `kubeadm`: those that kubeadm of this
    version starts a cluster with."""
    extra_images: list[ImageReference] = []
    """Further images that come on the medium."""
    manifests: list[str] = []
    """Files with objects of Kubernetes, applied in this order when the cluster is there, each once; relative to the
    recipe file that says so. Their images come on the medium with `extra_images`."""

    def part(self, name: str) -> KubernetesPart:
        """The part with this key."""
        part: KubernetesPart = getattr(self, name)
        return part


class Livecd(Strict):
    """The live ISO layer."""

    label: Label = "K8S_NODE"
    """Volume label of the ISO, by which the initrd finds it."""
    state: StateDisk = "auto"
    """Default of `livecd.state=` on the kernel command line: auto, none, or the name of a disk (LABEL=, UUID=,
    PARTLABEL=, PARTUUID=, ID=, SERIAL= or a device). With `,required` behind it, the system does not start without
    its state."""
    state_label: Label = "K8S_STATE"
    """Label of the state disk's file system."""
    compression: Literal["zstd", "xz", "lz4", "gzip"] = "zstd"
    """Compression of the squashfs."""
    compression_level: int | None = None
    """Its level: 1 to 22 for zstd, 1 to 9 for gzip; the others have none. Absent: a sensible one."""
    medium_size: Size = ""
    """Size of the smallest medium that the ISO shall fit on; a larger one is an error. Empty: any."""
    cmdline: Annotated[list[KernelParameter], OrWords()] = []
    """Further kernel parameters. A text is taken apart at its spaces, as the kernel does. `cmdline_remove` takes
    parameters away by their names, or as they are."""
    timeout: Annotated[int, Field(ge=0, le=60)] = 1
    """Seconds that the boot loader shows its menu."""


class CloudInit(Strict):
    """The NoCloud seed. Files are named relative to the recipe file that says so."""

    user_data: str = ""
    """File with the user-data; empty for an empty cloud-config."""
    meta_data: str = ""
    """File with the meta-data. Empty for the host name and an instance-id that changes with it, and with what user-data
    has a machine do: neither with `network_config` nor with `ssh_authorized_keys`, which a node follows whenever it
    starts."""
    network_config: str = ""
    """File with the network-config; empty for none."""
    ssh_authorized_keys: list[PublicKey] = []
    """Public keys for root, added to user-data's."""


class Recipe(Strict):
    """A whole recipe, after `extends` and arguments are resolved."""

    name: ImageName
    """Name of the image; the lock is `NAME.lock.toml` beside the recipe."""
    arch: ArchitectureName = architecture.DEFAULT.name
    """Debian architecture of the image."""
    epoch: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """SOURCE_DATE_EPOCH, in seconds since 1970; absent: the newest date of the archives, when locking."""
    args: dict[ArgumentName, str] = {}
    """Arguments with their defaults; `--arg NAME=VALUE` overrides one, `--arg-file NAME=PATH`
    with the text in a file. `${NAME}` in any string elsewhere becomes the
    value. `$${NAME}` stands for the text `${NAME}`; every other `$` is itself."""
    debian: Debian = Debian()
    kernel: Kernel = Kernel()
    rootfs: Rootfs = Rootfs()
    artifacts: Artifacts = Artifacts()
    kubernetes: Kubernetes | None = None
    initrd: Initrd = Initrd()
    livecd: Livecd = Livecd()
    cloudinit: CloudInit = CloudInit()

    @model_validator(mode="before")
    @classmethod
    def _kernel_of_the_architecture(cls, data: Any) -> Any:
        """Where the recipe names no kernel package of Debian's, it is the architecture's."""
        arch = data.get("arch") if isinstance(data, dict) else None
        kernel = data.get("kernel", {}) if isinstance(data, dict) else None
        own = architecture.ARCHITECTURES.get(arch) if isinstance(arch, str) else None
        if own and isinstance(kernel, dict) and kernel.get("source", "distro") == "distro":
            return {**data, "kernel": {"package": own.kernel_package, **kernel}}
        return data
