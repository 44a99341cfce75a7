"""The lab, with volumes as QEMU shows them."""
import os
import pathlib
import stat

import machines.lab
from machines.lab import Hardware  # noqa: F401

# Labs of other names may run beside this one on a host; one of this name at a time.
machines.lab.NAME = 'oslab'


class Lab(machines.lab.Lab):

    def plug(self, name, number, volume, gibibytes):
        """A volume as virtio shows it: `/dev/vdb`, and 20 characters of its identifier in `/dev/disk/by-id`."""
        device = os.stat(self.disk(volume, gibibytes)).st_rdev
        node, link = self._names(name, number, volume)
        if not node.exists():
            os.mknod(node, 0o660 | stat.S_IFBLK, device)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to('../../' + node.name)

    def unplug(self, name, number, volume):
        if self.runs(name):
            for path in self._names(name, number, volume):
                path.unlink(missing_ok=True)

    def _names(self, name, number, volume):
        root = pathlib.Path('/proc/%d/root/dev' % self.pid(name))
        # The first is the image's.
        return root / ('vd' + chr(ord('a') + number)), root / 'disk/by-id' / ('virtio-' + volume[:20])
