"""Giving up what takes too long."""

import threading
import time

from assembler.store.watch import Watch


def test_only_what_is_waited_for_is_given_up() -> None:
    broken = threading.Event()
    with Watch(broken.set, 0.2) as watch:
        time.sleep(0.5)
        with watch.waiting():
            pass
        assert not watch.expired
        with watch.waiting():
            assert broken.wait(30)
        assert watch.expired
