"""Who is reading a version: one process at a time, and never one that has died."""

import os
import platform
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Row
from sqlalchemy.orm import Session

from armt_core.errors import LostClaim
from storage.store import now
from storage.tables import VersionRow

HEARTBEAT_LIMIT_SECONDS = 60.0
# psutil's boot time is rounded to a second and read at another moment than the start.
_SAME_START_SECONDS = 2.0


@dataclass(frozen=True)
class Claim:
    """A process that reads. `process_create_time` is in seconds since the machine started (on
    Windows since 1970), so that setting the clock does not change it; `boot` names that start
    of the machine where the system tells it."""

    host: str
    boot: str
    pid: int
    process_create_time: float
    token: str

    @classmethod
    def new(cls) -> "Claim":
        """A claim of this process; each call makes another one, for another reading."""
        pid = os.getpid()
        return cls(
            platform.node(), _boot(), pid, _create_time(psutil.Process(pid)), uuid.uuid4().hex
        )


def write_claim(version: VersionRow, claim: Claim) -> None:
    """Make the version belong to this claim from now on."""
    version.state = "reading"
    version.claim_token, version.claim_host, version.claim_boot = (
        claim.token,
        claim.host,
        claim.boot,
    )
    version.claim_pid, version.claim_started = claim.pid, claim.process_create_time
    version.heartbeat_at = now()


def drop_claim(version: VersionRow) -> None:
    """Make the version belong to nobody."""
    version.claim_token = version.claim_host = version.claim_boot = None
    version.claim_pid = version.claim_started = version.heartbeat_at = None


def is_stale(version: VersionRow | Row[Any]) -> bool:
    """Whether nobody reads the version any more.

    On this host the process decides, and time does not matter: it is gone, or its number
    belongs to a later process. Of another host only the heartbeat is known; one from the
    future is no sign of life, but of a clock that was set back.
    """
    if version.claim_token is None or version.claim_pid is None or version.claim_started is None:
        return True
    if version.claim_host != platform.node():
        return abs(now() - (version.heartbeat_at or 0.0)) > HEARTBEAT_LIMIT_SECONDS
    if version.claim_boot != _boot():
        return True
    try:
        process = psutil.Process(version.claim_pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return abs(_create_time(process) - version.claim_started) > _SAME_START_SECONDS
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False  # It lives, and belongs to somebody else.


def owned(session: Session, version_id: int, claim: Claim) -> VersionRow:
    """The version, if the claim still holds, with a fresh heartbeat; else raises LostClaim."""
    version = session.get(VersionRow, version_id)
    if version is None:
        raise LostClaim(
            f"Version {version_id} is no longer in the library: it was deleted, or a newer version "
            "of the document became ready. Stop reading it."
        )
    if version.claim_token != claim.token:
        owner = (
            f"process {version.claim_pid} on {version.claim_host} reads it now"
            if version.claim_token
            else f"its state is {version.state} and nobody reads it"
        )
        raise LostClaim(
            f'The reading of "{version.title}" (version {version_id}) no longer belongs to process '
            f"{claim.pid}: {owner}. Stop reading it."
        )
    version.heartbeat_at = now()
    return version


def _create_time(process: psutil.Process) -> float:
    # Windows records the time itself; elsewhere psutil adds the boot time, which moves with
    # the clock, and taking it away again gives what does not move.
    started = process.create_time()
    return started if psutil.WINDOWS else started - psutil.boot_time()


def _boot() -> str:
    place = Path("/proc/sys/kernel/random/boot_id")
    return place.read_text().strip() if place.exists() else ""
