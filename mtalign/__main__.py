"""`python -m mtalign` is the `mtalign` command; a signal is answered by one line before the command's modules are there too."""

import contextlib
import os
import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _stop(number: int, frame: object) -> None:
    with contextlib.suppress(OSError):  # a terminal that is gone
        os.write(2, b"mtalign: stopped; nothing was begun\n")
    os._exit(128 + number)


def main() -> None:
    """Imports and runs the command; when that has ended, only closing is left, and signals are not heard."""
    heard = [each for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]  # ignored: as by `nohup ... &`
    for each in heard:
        signal.signal(each, _stop)
    from mtalign.cli.main import main as run

    try:
        run()
    finally:
        for each in heard:
            signal.signal(each, signal.SIG_IGN)


if __name__ == "__main__":
    main()
