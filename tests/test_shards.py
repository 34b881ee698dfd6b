"""Parts of the suite: together they are all of it, and none runs twice."""

import pytest
from conftest import part

NAMES = [f"tests/test_{letter}.py::test_{number}" for letter in "abc" for number in range(7)]


@pytest.mark.parametrize("number", [1, 2, 4, 30])
def test_parts_are_all_tests_once(number):
    parts = [part(NAMES, f"{index}/{number}") for index in range(1, number + 1)]
    assert set().union(*parts) == set(NAMES) and sum(map(len, parts)) == len(NAMES)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("shard", ["0/4", "5/4", "2", "a/b", "1/0"])
def test_a_wrong_part_is_said(shard):
    with pytest.raises(pytest.UsageError, match="--shard"):
        part(NAMES, shard)
