"""A file that is there as a whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from django.utils.translation import gettext as _


def check_writable(path: Path) -> None:
    """Raise OSError when ``path`` clearly cannot be written, before long work is done for it."""
    if path.is_dir():
        raise IsADirectoryError(21, _("it is a folder"), str(path))
    folder = path.resolve().parent
    if not folder.is_dir():
        text = _("there is no folder %(folder)s") % {"folder": folder}
        raise FileNotFoundError(2, text, str(path))
    target = folder if _is_replaceable(path) else path
    if not os.access(target, os.W_OK):
        text = _("%(path)s is not writable") % {"path": target}
        raise PermissionError(13, text, str(path))


def write_aside(path: Path, data: bytes) -> None:
    """Write ``data`` to a new file in the same folder, then put that in the place of ``path``.

    An existing file keeps its mode, a symbolic link stays one, and a device or pipe
    (``/dev/null``) is written to instead of being replaced. Raises OSError; ``path`` is then as it
    was before.
    """
    if not _is_replaceable(path):
        path.write_bytes(data)
        return
    target = path.resolve()
    descriptor, aside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, _mode(target))
        os.replace(aside, target)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _is_replaceable(path: Path) -> bool:
    return not path.exists() or path.is_file()


def _mode(target: Path) -> int:
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        # The process's mask can only be read by setting it.
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
