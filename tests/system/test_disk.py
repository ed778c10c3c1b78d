"""Disks from the host's side: aegisctl run --disk, with a stand-in for QEMU and with QEMU itself."""
import pytest

from test_aegisctl import ctl, one_line, run  # noqa: F401 (a fixture)


def image(path, size=1 << 20):
    path.write_bytes(bytes(size))
    return path


@pytest.mark.parametrize("disk, part", [
    ("", "name of a file is missing"), (",readonly", "name of a file is missing"), ("no,such", '"such" is no option'),
    ("x,block=513", '"block=513" is no option'), ("x,log=", '"log=" is no option')])
def test_mistakes_in_a_disk_are_named_and_exit_2(ctl, folder, disk, part):
    image(folder / "x")
    done = ctl("run", "--disk", disk and f"{folder}/{disk}" if not disk.startswith(",") else disk)
    assert done.returncode == 2
    one_line(done.stderr, part, "--help")


def test_an_image_that_cannot_be_a_disk_is_named_before_anything_starts(ctl, folder):
    small = image(folder / "small", 1000)
    for disk, part in ((folder / "none", "aegisctl disk init"), (small, "1000 bytes"), (folder, "directory"),
                       (f"{image(folder / 'odd', 4608)},block=4096", "4608 bytes"),
                       (f"{image(folder / 'good')},errors={folder}/none", "none: No such file"),
                       (f"{folder}/good,log={folder}/none/log", "none/log: No such file")):
        done = run(ctl, "--disk", disk)
        assert done.returncode == 1
        one_line(done.stderr, "--disk", part)
        assert not (folder / "aegis-v/default/serial.log").exists()


def test_disks_reach_qemu_in_their_order_with_their_options(ctl, folder):
    odd = image(folder / "a,readonly,b")
    config = image(folder / "config", 0)
    for name in ("c", "d"):
        image(folder / name)
    run(ctl, "--disk", f"{odd},block=4096,readonly", "--disk", f"{folder}/c,errors={config},log={folder}/log",
        "--disk", folder / "d")
    drives = [line for line in ctl.log().split() if line.startswith("driver=raw,")]
    devices = [line for line in ctl.log().split() if line.startswith("virtio-blk-device,")]
    assert len(drives) == len(devices) == 3
    assert drives[0].endswith(f"read-only=on,file.driver=file,file.filename={folder}/a,,readonly,,b")
    assert f"file.file.driver=blkdebug,file.file.config={config},file.file.image.driver=file" in drives[1]
    assert f"file.driver=blklogwrites,file.log.driver=file,file.log.filename={folder}/log" in drives[1]
    assert (folder / "log").exists() and "read-only=off" in drives[2]
    for number, (drive, device) in enumerate(zip(drives, devices)):
        assert f"node-name=d{number}," in drive and f"drive=d{number}," in device and "werror=report" in device
        assert f"logical_block_size={4096 if number == 0 else 512}," in device


def test_qemu_takes_every_kind_of_disk(aegisctl, folder):
    """QEMU itself, with all options, and what it says where two machines write one image."""
    config = folder / "config"
    config.write_text("")
    aegisctl.ok("run", "--detach", "--disk", f"{image(folder / 'a')},log={folder}/log,errors={config}",
                "--disk", f"{image(folder / 'b,c')},readonly,block=4096", "--disk", image(folder / "d"))
    done = aegisctl("run", "--detach", "--instance", "second", "--disk", folder / "d")
    assert done.returncode == 1
    one_line(done.stderr, "readonly", str(folder / "d"))
    aegisctl.ok("run", "--detach", "--instance", "third", "--disk", f"{folder}/b,c,readonly")
