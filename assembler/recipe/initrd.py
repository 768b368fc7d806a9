"""What a recipe adds to the initrd, as types."""

from typing import Literal

from assembler.recipe.shapes import FileMode, FirmwareName, ImagePath, PathPattern
from assembler.recipe.strict import Strict
from assembler.recipe.system_shapes import ModuleName


class InitrdFile(Strict):
    """One file that the recipe puts into the initrd, where everything belongs to root."""

    path: ImagePath
    """Absolute path in the initrd."""
    content: str | None = None
    """Its text. Exactly one of `content`, `source` and `link` says what the file is."""
    source: str | None = None
    """A host file that holds its bytes, relative to the recipe file that says so. The libraries of a program come with
    it out of the image."""
    link: str | None = None
    """The target, for a symbolic link; it has no mode."""
    mode: FileMode = "0644"
    """Permission bits. Everybody who has the medium can read what is in the initrd, so all may read it."""


class Initrd(Strict):
    """What the initrd has besides what finds the medium and the state disk; the running system has nothing of it."""

    modules: list[ModuleName] = []
    """Modules of the kernel, which are loaded early and in this order, with all that they depend on and the firmware
    that they may ask for, as far as the image has it. Others are loaded where their hardware is."""
    firmware: list[FirmwareName] = []
    """Further firmware of the image, below `/usr/lib/firmware`; in patterns `*` matches `/` too."""
    from_image: list[PathPattern] = []
    """Files of the image's root file system, programs with their libraries; in patterns `*` matches `/` too."""
    files: list[InitrdFile] = []
    """Files to add: options for modules in `/etc/modprobe.d`, scripts for the rescue shell."""
    microcode: Literal["auto", "none"] = "auto"
    """Microcode for processors, in front of the initrd. `auto`: that of `intel-microcode` and `amd64-microcode`, for
    all processors, where `rootfs.packages` has these packages. `none`: without."""
