"""`SHA256SUMS` of a report: a digest of each of its files, for anybody who has `sha256sum -c` and not mtalign.

It says that files are as they were when the report was made, and nothing about who made them: that takes a signature, as of
`ssh-keygen -Y sign -n mtalign -f KEY SHA256SUMS` (`docs/trust.md` has the commands). Pages of runs, which a commit leaves
out, have a list of their own, `runs/SHA256SUMS`.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from mtalign.config.paths import write_whole

NAME = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
PASSING = {NAME, f"{NAME}.sig", "state.json"}  # not listed: the list, its signature, what `mtalign status` reads
WORK = {"progress", "checkpoints"}  # folders of runs that are not finished


def files(out: Path) -> list[str]:
    """The files of a report by their paths below `out`, in order; without hidden ones, links, and pages of runs."""
    found = []
    for path in out.rglob("*"):
        parts = path.relative_to(out).parts
        if path.is_file() and not any(part.startswith(".") for part in parts) and parts[0] not in {*WORK, "runs"}:
            found += ["/".join(parts)] if "/".join(parts) not in PASSING else []
    return sorted(found)


def write_manifests(out: Path) -> None:
    """Writes the list of the report's files, and that of the pages of runs where there are any."""
    for folder in (out, out / "runs"):
        if folder != out and not any(folder.glob("*.html")):  # pages of runs are not made, or no longer
            (folder / NAME).unlink(missing_ok=True)
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        else:
            lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in files(folder)]
            write_whole(folder / NAME, "".join(lines))


def wrong_files(folder: Path) -> dict[str, str]:
    """Files that are not as the folder's list says, are not in it, or are gone; nothing where there is no list."""
    if not (folder / NAME).is_file():
        return {}
    text = (folder / NAME).read_text(encoding="utf-8", errors="replace")
    matches = [LINE.fullmatch(line) for line in text.splitlines()]
    if None in matches:
        return {NAME: "is no list of digests"}
    listed = {match[2]: match[1] for match in matches}
    there = set(files(folder))
    wrong = {name: "is not in " + NAME for name in sorted(there - set(listed))}
    for name, digest in listed.items():
        if name not in there:
            wrong[name] = f"is in {NAME} and not there"
        elif hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            wrong[name] = f"is not what {NAME} says"
    return wrong
