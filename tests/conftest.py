"""`pytest -m slow --shard 2/4` runs the second of four parts, so that each ends in under half an hour on two cores."""

import pytest


def pytest_addoption(parser):
    parser.addoption("--shard", default="1/1", metavar="I/N", help="run the I-th of N parts of the selected tests")


def part(names: list[str], shard: str) -> set[str]:
    """Every N-th of the names in order: long files are spread over all parts. Which machine collects does not matter."""
    try:
        index, number = map(int, shard.split("/"))
        if not 1 <= index <= number:
            raise ValueError
    except ValueError:
        raise pytest.UsageError(f"--shard: expected I/N with I from 1 to N, got {shard!r}") from None
    return set(sorted(names)[index - 1 :: number])


@pytest.hookimpl(trylast=True)  # after -m and -k
def pytest_collection_modifyitems(config, items):
    chosen = part([item.nodeid for item in items], config.getoption("--shard"))
    left_out = [item for item in items if item.nodeid not in chosen]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.nodeid in chosen]
