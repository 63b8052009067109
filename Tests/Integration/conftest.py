"""Fixtures that start servers."""
import pytest

from varve_process import Varve


@pytest.fixture
def fresh():
    """A server of the test's own, empty."""
    server = Varve()
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def server():
    """A server for all tests of a module, empty at first; some rows are of any time, past or to come."""
    server = Varve("--retention", "off", "--accept-future", "all")
    server.start()
    yield server
    server.close()
