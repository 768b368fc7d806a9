"""An example of every key of a recipe, for its reference: pieces of recipes by the name of the type of their table.

Each piece loads when the recipe has a name and the files that it names are there.
"""

_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

EXAMPLES: dict[str, tuple[str, ...]] = {
    "Recipe": (
        """\
name = "edge-node"
arch = "arm64"
epoch = 1764374400

[args]
HOSTNAME = "edge-1"

[kernel]
package = "linux-image-cloud-arm64"

[rootfs]
hostname = "${HOSTNAME}"
""",
    ),
    "Debian": (
        """\
[debian]
mirror = "https://mirror.example/debian"
mirror_security = "https://mirror.example/debian-security"
sources = '''
Types: deb
Suites: trixie trixie-updates
Components: main

Types: deb
URIs: https://packages.example/debian
Suites: stable
Components: main
Signed-By: 3AF65F93D6FECA9A4FD5A4C3A1B2C3D4E5F60718
'''
""",
        """\
[debian]
release = "bookworm"
archives = [{ suites = ["bookworm-backports"], components = ["main"] }]
pins = [{ packages = ["*"], pin = "release n=bookworm-backports", priority = -1 }]
debs = [{ path = "packages/tool_1.0_amd64.deb" }]
""",
    ),
    "DebianArchive": (
        """\
[[debian.archives]]
uris = ["https://packages.example/debian"]
suites = ["stable"]
components = ["main"]
architectures = ["amd64", "all"]
signed_by = "3AF65F93D6FECA9A4FD5A4C3A1B2C3D4E5F60718"
check_valid_until = true

[[debian.archives]]
uris = ["https://pkgs.k8s.io/core:/stable:/v1.37/deb"]
suites = ["/"]
signed_by = "kubernetes.asc"

[[debian.archives]]
path = "vendor/archive"
suites = ["./"]
signed_by = "kubernetes.asc"
""",
        f"""\
[[debian.archives]]
path = "packages"
files = {{ "tool_1.0_amd64.deb" = "{_DIGEST}" }}
""",
    ),
    "DebianPackage": (
        f"""\
[[debian.debs]]
path = "packages/tool_1.0_amd64.deb"
sha256 = "{_DIGEST}"

[[debian.debs]]
url = "https://example.org/agent_2.1_amd64.deb"
sha256 = "{_DIGEST}"
""",
    ),
    "Pinned": (
        """\
[[debian.pins]]
packages = ["linux-image-*", "src:systemd"]
pin = "release n=trixie-backports"
priority = 900

[[debian.pins]]
packages = ["docker-ce"]
pin = "version 5:28.*"
priority = 1001
""",
    ),
    "Kernel": (
        """\
[kernel]
source = "distro"
package = "linux-image-amd64"
""",
        f"""\
[kernel]
source = "vanilla"
url = "https://cdn.kernel.org/pub/linux/kernel/v6.x/linux-6.12.48.tar.xz"
sha256 = "{_DIGEST}"
version = "6.12.48"
base = "defconfig"
toolchain = "locked"
fragments = ["kernel/boot.config", "mine.config"]
""",
        """\
[args]
MODULES_KEY = ""

[kernel]
modules = [{ package = "zfs-dkms" }]
modules_key = "${MODULES_KEY}"
""",
    ),
    "KernelModule": (
        f"""\
[[kernel.modules]]
package = "zfs-dkms"

[[kernel.modules]]
url = "https://example.org/driver-1.2.tar.gz"
sha256 = "{_DIGEST}"
""",
    ),
    "Rootfs": (
        """\
[rootfs]
packages = ["systemd-sysv", "openssh-server", "chrony"]
recommends = false
scripts = "auto"
byte_code = false
first_boot = ["postgresql"]
rules = ["my-rules.toml"]
hostname = "node-1.example.org"
root_password = "!"
locale = "en_GB.UTF-8"
locales = ["en_GB.UTF-8", "de_DE.UTF-8"]
keymap = "gb"
timezone = "Europe/Berlin"
exclude = ["/usr/share/doc/*"]
include = ["/usr/share/doc/*/copyright"]
enable = ["ssh.service"]
disable = ["apt-daily.timer"]
mask = ["systemd-hwdb-update.service"]
modules = ["br_netfilter", "overlay"]
certificates = ["files/authority.crt"]
remove = ["/usr/share/man/*"]

[rootfs.sysctl]
"net.ipv4.ip_forward" = 1
"kernel.core_pattern" = "|/bin/false"
""",
    ),
    "Answer": (
        """\
[args]
ADMIN_PASSWORD = "change-me"

[rootfs.debconf.answers.postfix]
"postfix/main_mailer_type" = "Internet Site"
"postfix/destinations" = { type = "string", value = "node-1, localhost" }

[rootfs.debconf.answers.unattended-upgrades]
"unattended-upgrades/enable_auto_updates" = true

[rootfs.debconf.answers.locales]
"locales/locales_to_be_generated" = ["en_GB.UTF-8 UTF-8", "de_DE.UTF-8 UTF-8"]

[rootfs.debconf.answers.slapd]
"slapd/password1" = { type = "password", value = "${ADMIN_PASSWORD}" }
""",
    ),
    "Debconf": (
        """\
[rootfs.debconf]
preseed = ["files/answers.preseed"]

[rootfs.debconf.answers.tzdata]
"tzdata/Areas" = "Europe"
"tzdata/Zones/Europe" = "Berlin"
""",
    ),
    "Run": (
        """\
[[rootfs.run]]
name = "certificates of our own"
script = '''
install -D -m 0644 -t /usr/local/share/ca-certificates "$ASSEMBLE_FILES"/authorities/*.crt
update-ca-certificates
'''
files = ["files/authorities"]

[[rootfs.run]]
file = "files/prepare-database"
environment = { PGDATA = "/var/lib/postgresql/17/main" }
files = { "schema.sql" = "files/schema-3.sql" }
""",
    ),
    "Ids": (
        """\
[rootfs.ids]
users.messagebus = 990
groups.messagebus = 990
""",
    ),
    "File": (
        """\
[[rootfs.files]]
path = "/etc/motd"
content = "Welcome.\\n"

[[rootfs.files]]
path = "/etc/ssl/private/node.key"
source = "files/node.key"
mode = "0640"
owner = "root"
group = "ssl-cert"

[[rootfs.files]]
path = "/usr/local/bin/vi"
link = "/usr/bin/nano"

[[rootfs.files]]
path = "/etc/app.conf"
source = "files/app.conf"
template = true

[[rootfs.files]]
path = "/usr/local/bin/agent"
url = "https://downloads.example/agent-1.2"
sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
mode = "0755"
""",
    ),
    "Directory": (
        """\
[[rootfs.directories]]
path = "/srv/data"
mode = "2775"
owner = "root"
group = "staff"
""",
    ),
    "FileTree": (
        """\
[[rootfs.trees]]
source = "overlay"
path = "/"
exclude = ["*.swp", "etc/drafts/*"]
modes = { "etc/app/secret.conf" = "0640" }
owners = { "srv/www/*" = "www-data:www-data" }
""",
    ),
    "Group": (
        """\
[rootfs.groups.builders]
gid = 2000

[rootfs.groups.metrics]
system = true
""",
    ),
    "User": (
        """\
[args]
ADMIN_PASSWORD = "!"

[rootfs.users.admin]
uid = 1000
comment = "Whoever is on call"
groups = ["adm", "systemd-journal"]
shell = "/bin/bash"
password = "${ADMIN_PASSWORD}"
ssh_authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS admin"]
sudo = true

[rootfs.users.backup-agent]
system = true
group = "adm"
home = "/var/lib/backup-agent"
sudo = "ALL=(root) NOPASSWD: /usr/bin/rsync"
""",
    ),
    "Unit": (
        """\
[rootfs.units."report.service"]
enable = true
content = '''
[Service]
ExecStart=/usr/local/bin/report

[Install]
WantedBy=multi-user.target
'''

[rootfs.units."ssh.service"]
drop_ins."10-limits.conf" = "[Service]\\nMemoryMax=200M\\n"
""",
    ),
    "Artifacts": (
        """\
[artifacts]
formats = ["tar.zst", "qcow2"]
disk_size = "8G"
""",
    ),
    "Kubernetes": (
        """\
[kubernetes]
version = "1.36"
images = "kubeadm"
extra_images = ["quay.io/cilium/cilium:v1.18.0"]
manifests = ["cilium.yaml"]
kubelet = { version = "1.36.1" }
kubeadm = { version = "1.36.1" }
kubectl = { source = "debian" }
containerd = { version = "2.2.7" }
runc = { source = "debian" }
crictl = { source = "none" }
nerdctl = { source = "none" }
cni_plugins = { source = "debian" }
""",
    ),
    "KubernetesPart": (
        f"""\
[kubernetes.containerd]
source = "upstream"
version = "2.2.7"
url = "https://mirror.example/containerd-2.2.7-linux-amd64.tar.gz"
sha256 = "{_DIGEST}"
""",
    ),
    "Initrd": (
        """\
[initrd]
modules = ["bonding", "bnx2x"]
firmware = ["qed/*"]
from_image = ["/usr/sbin/ethtool", "/usr/share/terminfo/*"]
microcode = "none"
""",
    ),
    "InitrdFile": (
        """\
[[initrd.files]]
path = "/etc/modprobe.d/bonding.conf"
content = "options bonding max_bonds=0\\n"

[[initrd.files]]
path = "/usr/bin/look"
source = "files/look"
mode = "0755"

[[initrd.files]]
path = "/usr/bin/see"
link = "look"
""",
    ),
    "Livecd": (
        """\
[livecd]
label = "EDGE_NODE"
state = "LABEL=EDGE_STATE"
state_label = "EDGE_STATE"
compression = "zstd"
compression_level = 19
medium_size = "900M"
cmdline = ["mitigations=auto", "net.ifnames=0"]
timeout = 5
""",
    ),
    "CloudInit": (
        """\
[cloudinit]
user_data = "cloud-init/user-data"
meta_data = "cloud-init/meta-data"
network_config = "cloud-init/network-config"
ssh_authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS admin"]
""",
    ),
}
"""An example shows what a key goes with as well, so each piece is of a whole table."""
