"""The commands that docs/trust.md gives for signing a report, as they stand there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mtalign.report.manifest import write_manifests, wrong_files

GUIDE = Path(__file__).parents[2] / "docs" / "trust.md"
pytestmark = [
    pytest.mark.skipif(not GUIDE.is_file(), reason="needs a checkout"),
    pytest.mark.skipif(not (shutil.which("ssh-keygen") and shutil.which("sha256sum")), reason="needs ssh-keygen"),
]


def run(script: str, folder: Path) -> int:
    return subprocess.run(
        ["sh", "-e", "-c", script], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True
    ).returncode


def test_the_documented_commands_sign_a_report_and_notice_what_was_changed(tmp_path):
    report, signer = tmp_path / "report", tmp_path / "signer"
    report.mkdir()
    signer.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(signer / "KEY")], check=True)
    (report / "index.html").write_text("what was found")
    write_manifests(report)
    text = GUIDE.read_text(encoding="utf-8").partition("## Whose report")[2]
    sign, check = (
        re.sub(r"\bKEY\b", str(signer / "KEY"), block).replace("signers", str(signer / "signers"))
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    )
    assert run(check, report) != 0  # not signed yet
    assert run(sign, report) == 0 and (report / "SHA256SUMS.sig").is_file()
    assert run(check, report) == 0 and wrong_files(report) == {}
    (report / "index.html").write_text("what was not found")
    assert run(check, report) != 0
    write_manifests(report)  # the forger makes the list again, and cannot sign it
    assert wrong_files(report) == {} and run(check, report) != 0
