"""Group disk: what a request to a raw extent costs, in instructions, counted by the guest itself."""

import tempfile

from . import aegis
from .kernel import add, run_rows
from .machine import ICOUNT_WAITING
from .results import AEGIS

LIMIT = 60  # seconds
BYTES = 64 << 20


def measure(context):
    """The disk answers in the host's time, so the machine's clock must not run ahead while it waits."""
    if not aegis.available(context):
        return
    context.say("disk: reads of 4 KiB, under icount")
    with tempfile.NamedTemporaryFile(prefix="aegis-bench-", suffix=".disk") as image:
        image.truncate(BYTES)
        disk = ["-blockdev", f"driver=raw,node-name=d0,file.driver=file,file.filename={image.name}",
                "-device", "virtio-blk-device,drive=d0"]
        add(context, AEGIS, run_rows(AEGIS, aegis.image(context, "bench-disk.cpio") + disk, aegis.ROWS_DONE, LIMIT,
                                     icount=ICOUNT_WAITING))
