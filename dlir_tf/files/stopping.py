"""Being asked to stop, by Ctrl-C or by another program, and always hearing it.

A signal raises an exception wherever the process happens to be. Where that is inside
other people's code which runs ours in turn, as TensorFlow's converter and Python's own
clearing-up do, the exception can get lost. So it's noted down as well, and asked for
before anything takes its place.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_asked: list[type[KeyboardInterrupt]] = []


class Terminated(KeyboardInterrupt):
    """Another program asked this one to end (SIGTERM); all goes as after Ctrl-C."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Hears SIGINT and SIGTERM within the block, even if the exception gets lost.

    Raises:
        KeyboardInterrupt: After Ctrl-C, whatever else the block raises or does.
        Terminated: After SIGTERM.
    """
    _asked.clear()
    kinds = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in kinds:
            # What whoever started us ignores, such as a shell for its background jobs
            # or `nohup`, stays ignored.
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.getsignal(number)

    def hear(number: int, _: FrameType | None) -> None:
        kind = kinds[signal.Signals(number)]
        _asked.append(kind)
        raise kind

    try:
        for number in before:
            signal.signal(number, hear)
        yield
        check_not_stopped()
    except BaseException as error:
        if _asked and not isinstance(error, _asked[0]):
            raise _asked[0] from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked.clear()


def check_not_stopped() -> None:
    """Raises what a signal should have raised, if that got lost on its way.

    Raises:
        KeyboardInterrupt: If the process was asked to stop.
    """
    if _asked:
        raise _asked[0]
