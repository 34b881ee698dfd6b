"""What preflight says: a sampling that had no time to end is no verdict on the model."""

import pytest

from mtalign.diagnosis.preflight import Preflight, Tried, in_words


@pytest.mark.parametrize(
    "hurried, said", [(True, "which style to use is not known"), (False, "no style makes it answer")]
)
def test_without_time_nothing_is_said_against_the_model(hurried, said):
    tried = (Tried("think", "p", 9, 0.0, 0.0, 0.0, "The"),)
    text = in_words(Preflight("gsm8k", tried, 8, 1, hurried, {}, True, 2, (2,)))
    assert said in text and ("NO:" in text) is not hurried and ("NOT KNOWN" in text) is hurried
