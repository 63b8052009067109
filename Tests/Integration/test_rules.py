"""The table of Jaeger's rules in docs/TESTING.md: no rule is missing, and the tests that it names are there and cite the rule."""
import re

from varve_process import ROOT

DOCUMENT = (ROOT / "docs/TESTING.md").read_text()
RULES = re.findall(r"^\| (J-\d+) \|", (ROOT / "docs/RULES.md").read_text(), re.MULTILINE)
TABLE = {rule: re.findall(r"(\w+): `([^`]+)`", tests)
         for rule, tests in re.findall(r"^\| (J-\d+) \| (.*) \|$", DOCUMENT, re.MULTILINE)}


def all_tests():
    """Every test of every file, with what is said of it."""
    found = {}
    for path in (ROOT / "Tests").rglob("*.swift"):
        for name in re.findall(r"func `([^`]+)`", path.read_text()):
            found[path.stem, name] = name
    for path in (ROOT / "Tests/Integration").glob("test_*.py"):
        text = path.read_text()
        for match in re.finditer(r'^def (test_\w+)\([^)]*\):\n(?:    """(.*?)""")?', text, re.MULTILINE | re.DOTALL):
            name, words = match.groups()
            found[path.stem, name] = f"{name.replace('J_', 'J-')} {words or ''}"
    return found


def cited(text):
    rules = set(re.findall(r"J-\d+", text))
    for first, last in re.findall(r"J-(\d+) to J-(\d+)", text):
        rules |= {f"J-{number}" for number in range(int(first), int(last) + 1)}
    return rules


def test_every_rule_has_tests():
    assert len(RULES) > 30
    assert list(TABLE) == RULES
    assert [rule for rule, named in TABLE.items() if not named] == []


def test_every_test_that_is_named_is_there_and_cites_its_rule():
    known = all_tests()
    for rule, named in TABLE.items():
        for test in named:
            assert test in known, f"{rule}: there is no {test}"
            assert rule in cited(known[test]), f"{rule}: {test} does not cite it"
