"""Wrong passwords, counted for each address in memory: after a few, the next has to wait."""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

#: Wrong tries that cost nothing: anyone mistypes.
FREE = 5
#: Seconds that the next try waits after one more, doubled with each, up to MOST.
FIRST, MOST = 1.0, 60.0
#: Seconds after the last wrong try when an address begins anew.
FORGOTTEN = 3600.0
#: Addresses that are remembered.
ADDRESSES = 10_000


class Tries:
    """How long an address has to wait. Others do not wait for it, nor does who is logged in."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many, the last when

    def wait(self, address: str) -> float:
        """Seconds until a password of this address is looked at; 0: now."""
        count, last = self._wrong.get(address, (0, 0.0))
        if count < FREE or self._clock() - last > FORGOTTEN:
            return 0.0
        return max(0.0, last + min(FIRST * 2.0 ** (count - FREE), MOST) - self._clock())

    def wrong(self, address: str) -> None:
        """One more; a try whose outcome is not known yet counts as one."""
        count, last = self._wrong.pop(address, (0, 0.0))
        if self._clock() - last > FORGOTTEN:
            count = 0
        self._wrong[address] = (min(count + 1, FREE + 10), self._clock())
        while len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        """The right password: what was wrong before is forgotten."""
        self._wrong.pop(address, None)


def whose(host: str) -> str:
    """What counts as one address: of IPv6 all 2^64 that one customer has."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address) or address.is_loopback:
        return host
    return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
