"""`python -m mtalign.cli` is the `mtalign` command, as `python -m mtalign` is."""

from mtalign.cli.main import main

if __name__ == "__main__":
    main()
