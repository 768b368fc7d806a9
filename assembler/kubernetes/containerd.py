"""containerd's configuration for a Kubernetes node, in the version of its format that a containerd reads.

See docs/cri/config.md of containerd 1.7, 2.0 and 2.3. Files in ``/etc/containerd/conf.d`` are read after this one.
"""

import re

CONFIG = "/etc/containerd/config.toml"

_HEAD = """\
# How this node's containers run; files in /etc/containerd/conf.d change or extend it.
version = {version}
imports = ["/etc/containerd/conf.d/*.toml"]
"""

_V2 = """
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{sandbox}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = true
"""

_V3 = """
[plugins."io.containerd.cri.v1.images"]
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{sandbox}"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "/etc/containerd/certs.d"

[plugins."io.containerd.cri.v1.runtime"]
  [plugins."io.containerd.cri.v1.runtime".cni]
    {cni_key}
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
    SystemdCgroup = true
"""


def configuration(containerd: str, *, sandbox: str, cni: str) -> str:
    """The text of config.toml for version `containerd` (``2.3.4``, or a Debian version).

    `sandbox` is the image of pods' sandboxes, which is never collected as garbage; `cni` the directory of CNI plugins.
    """
    major, minor, *_ = (*map(int, re.findall(r"[0-9]{1,9}", containerd)), 0, 0)
    if major < 2:
        return _HEAD.format(version=2) + _V2.format(sandbox=sandbox, cni=cni)
    # bin_dirs is there from 2.1 on, and bin_dir is on its way out.
    key = f'bin_dirs = ["{cni}"]' if (major, minor) >= (2, 1) else f'bin_dir = "{cni}"'
    version = 4 if (major, minor) >= (2, 3) else 3
    return _HEAD.format(version=version) + _V3.format(sandbox=sandbox, cni_key=key)
