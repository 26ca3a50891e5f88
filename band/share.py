"""Finds the shipped policies, configs and protos, in a wheel or in a checkout.

In a wheel they lie under ``band/_share``; in a checkout (or an editable install) beside the
package. Files of these folders are data: nothing imports them as packages.
"""

from pathlib import Path
from typing import Literal

Kind = Literal["policies", "configs", "protos"]

_PACKAGE = Path(__file__).resolve().parent


def share_dir(kind: Kind) -> Path:
    """Return the folder of shipped files of one kind.

    Raises:
        FileNotFoundError: the installation is broken and has no such folder.
    """
    for folder in (_PACKAGE / "_share" / kind, _PACKAGE.parent / kind):
        if folder.is_dir():
            return folder
    msg = f"this installation of band has no folder {kind!r}; install it again"
    raise FileNotFoundError(msg)
