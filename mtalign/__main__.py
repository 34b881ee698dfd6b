"""`python -m mtalign` is the `mtalign` command."""

from mtalign.cli.main import main

if __name__ == "__main__":
    main()
