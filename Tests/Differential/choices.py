"""Random choices that can be repeated and made simpler.

A query is made by asking a `Choices` again and again for a small number; the list of the numbers it gave says the query whole. A shorter list
is a simpler query, since what it does not say is 0, and every generator has its plainest alternative there. So one procedure makes the
queries of all dialects smaller, whatever they consist of.
"""
import random


class Choices:
    def __init__(self, seed=None, given=None):
        self.random = random.Random(seed)
        self.given = given
        self.taken = []

    def below(self, count):
        """A number from 0 up to `count`, which is not reached."""
        if self.given is None:
            number = self.random.randrange(count)
        else:
            position = len(self.taken)
            number = min(self.given[position] if position < len(self.given) else 0, count - 1)
        self.taken.append(number)
        return number

    def one(self, alternatives):
        return alternatives[self.below(len(alternatives))]

    def weighted(self, *alternatives):
        """One of (weight, value); the first is the plainest."""
        number = self.below(sum(weight for weight, _ in alternatives))
        for weight, value in alternatives:
            if number < weight:
                return value
            number -= weight
        raise AssertionError("weights add up")

    def chance(self, percent):
        """True that often; false is the plainer answer."""
        return self.below(100) >= 100 - percent

    def some(self, alternatives, most, percent=40):
        """A list of up to `most` of them."""
        chosen = []
        while len(chosen) < most and self.chance(percent):
            chosen.append(self.one(alternatives))
        return chosen


def shrink(taken, differs, budget=400):
    """The shortest and smallest list of choices, found by trying, for which `differs` still holds."""
    best = list(taken)
    tries = 0

    def attempt(candidate):
        nonlocal best, tries
        if candidate == best or tries >= budget:
            return False
        tries += 1
        if not differs(candidate):
            return False
        best = candidate
        return True

    while tries < budget:
        before = list(best)
        for size in (16, 8, 4, 2, 1):
            position = 0
            while position < len(best):
                if not attempt(best[:position] + best[position + size:]):
                    position += size
        for position in range(len(best)):
            if position < len(best) and best[position]:
                attempt(best[:position] + [0] + best[position + 1:])
        for position in range(len(best)):
            if position < len(best) and best[position] > 1:
                attempt(best[:position] + [best[position] // 2] + best[position + 1:])
        while best and best[-1] == 0:
            best = best[:-1]
        if best == before:
            break
    return best
