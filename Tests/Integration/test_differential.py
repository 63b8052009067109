"""A server answers as another does that has the same rows, whatever state they are in: a small run of `tools/differential`.

What the two differ in is where rows are (memory, or parts that were flushed and merged), how many threads read them, and whether results
are kept.
VARVE_DIFFERENTIAL_QUERIES is the number of questions of each dialect, VARVE_DIFFERENTIAL_SEED repeats a run.
"""
import os
import pathlib
import sys

import pytest

from varve_process import binary

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "Differential"))

import compare  # noqa: E402
import differential  # noqa: E402
from choices import Choices, shrink  # noqa: E402

QUERIES = os.environ.get("VARVE_DIFFERENTIAL_QUERIES", "120")
SEED = os.environ.get("VARVE_DIFFERENTIAL_SEED", "11")


@pytest.mark.parametrize("settings", [
    pytest.param(["--states", "split"], id="memory and parts"),
    pytest.param(["--states", "fresh", "--new-single"], id="two threads and one"),
    pytest.param(["--states", "live", "--repeat", "--old-options", "--result-cache 0"], id="results kept while rows come"),
])
def test_answers_do_not_depend_on_how_they_come_about(settings, tmp_path):
    server = str(binary())
    options = differential.parsed([
        server, server, "--queries", QUERIES, "--seed", SEED, "--scale", "0.3", "--workers", "2", "--folder", str(tmp_path), *settings])
    assert differential.run(options) == 0


def matrix(*series):
    text = ",".join('{"metric":{"a":"%s"},"values":[[1,"%s"]]}' % pair for pair in series)
    return 200, ('{"status":"success","data":{"resultType":"matrix","result":[%s]}}' % text).encode()


@pytest.mark.parametrize("old, new, same", [
    (matrix(("x", "1")), matrix(("x", "1.0000000001")), True),
    (matrix(("x", "1")), matrix(("x", "1.0001")), False),
    (matrix(("x", "NaN")), matrix(("x", "NaN")), True),
    (matrix(("x", "NaN")), matrix(("x", "0")), False),
    (matrix(("x", "1"), ("y", "2")), matrix(("y", "2"), ("x", "1")), True),
    (matrix(("x", "1")), matrix(("y", "1")), False),
    (matrix(("x", "1")), matrix(("x", "1"), ("y", "1")), False),
    (matrix(("x", "1")), (422, b'{"errorType":"execution"}'), False),
    ((422, b'{"errorType":"execution","error":"a"}'), (422, b'{"errorType":"execution","error":"b"}'), True),
])
def test_the_comparison_sees_what_differs(old, new, same):
    assert (compare.difference("/api/v1/query_range", {}, old, new) is None) == same


def lines(*entries):
    text = ",".join('{"stream":{"a":"%s"},"values":[["%d","%s"]]}' % entry for entry in entries)
    return 200, ('{"status":"success","data":{"resultType":"streams","result":[%s],"stats":{}}}' % text).encode()


@pytest.mark.parametrize("old, new, same", [
    # The limit cut the entries of time 1 off somewhere.
    (lines(("x", 2, "l"), ("y", 1, "m")), lines(("x", 2, "l"), ("z", 1, "m")), True),
    (lines(("x", 2, "l"), ("y", 1, "m")), lines(("z", 2, "l"), ("y", 1, "m")), False),
    (lines(("x", 2, "l"), ("y", 1, "m")), lines(("x", 2, "l")), False),
    (lines(("x", 2, "l")), lines(("x", 2, "k")), False),
])
def test_only_what_a_limit_cuts_off_is_open(old, new, same):
    notes = {"limit": 2, "backward": True}
    assert (compare.difference("/loki/api/v1/query_range", notes, old, new) is None) == same


def test_a_difference_is_made_small():
    """Of a long list of choices only the two that matter are left, and the larger of them as small as it may be."""
    def differs(taken):
        choices = Choices(given=taken)
        numbers = [choices.below(100) for _ in range(choices.below(50))]
        return sum(number >= 10 for number in numbers) >= 1

    taken = [40] + [(7 * number) % 100 for number in range(40)]
    assert differs(taken)
    small = shrink(taken, differs)
    assert differs(small) and len(small) == 2 and small[0] == 1 and small[1] < 20
