"""`python -m mtalign` is the `mtalign` command; Ctrl-C is answered by one line before the command's modules are there too."""

import os
import signal


def _stop(number: int, frame: object) -> None:
    os.write(2, b"mtalign: stopped; nothing was begun\n")
    os._exit(128 + number)


def main() -> None:
    """Imports and runs the command."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored, as by `nohup ... &`
        signal.signal(signal.SIGINT, _stop)
    from mtalign.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
