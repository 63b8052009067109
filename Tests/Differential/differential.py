#!/usr/bin/env python3
"""Asks two servers the same random questions and compares what they answer.

    tools/differential OLD NEW [--queries N] [--seed S] [--dialects logql,promql,traces,conditions,rest] [--states settled,fresh] …

OLD makes a data directory of awkward rows, several parts of each table, and both open a copy of it: `settled`. For `fresh` both are sent the
last third of the rows, which stay in memory. For `split` they are flushed and merged in NEW alone. For `live` they come between the questions, and
NEW flushes them now and then. A question follows from the seed, its dialect and its number. One whose answers differ is made simpler as long as they do, and printed with what repeats it.
"""
import argparse
import collections
import functools
import multiprocessing
import os
import pathlib
import queue
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "Tests/Integration"), str(ROOT / "Tests/Differential")]

import logql_queries  # noqa: E402
import promql_queries  # noqa: E402
import rest_queries  # noqa: E402
import trace_conditions  # noqa: E402
import trace_queries  # noqa: E402
from awkward_rows import Rows  # noqa: E402
from choices import Choices, shrink  # noqa: E402
from compare import depends_on_parts, depends_on_time, difference, is_empty  # noqa: E402
from servers import Client, Server, copy_tree  # noqa: E402

DIALECTS = ("logql", "promql", "traces", "conditions", "rest")


def asker(dialect, trace_ids):
    return {"logql": logql_queries.question, "promql": promql_queries.question, "rest": rest_queries.question,
            "conditions": trace_conditions.question,
            "traces": functools.partial(trace_queries.question, trace_ids=trace_ids)}[dialect]


class Pair:
    """Two servers, as one worker asks them."""

    def __init__(self, old, new, same_parts=True, repeat=False):
        self.old, self.new = Client(old), Client(new)
        self.same_parts = same_parts
        # Once, about a range that is some steps away, to fill what a server keeps of its answers, once to be answered from it.
        self.repeat = repeat
        self.asked = 0

    def compare(self, question):
        path, parameters, tenant, notes = question
        old = self.old.ask(path, parameters, tenant)
        if self.repeat:
            self.asked += 1
            self.new.ask(path, moved(parameters, self.asked % 4), tenant)
        new = self.new.ask(path, parameters, tenant)
        if depends_on_time(parameters) and old[0] == new[0] or not self.same_parts and depends_on_parts(path, parameters):
            return old, None
        return old, difference(path, notes, old, new)


def moved(parameters, steps):
    """The parameters of a range query for a range that begins and ends so many steps earlier; others as they are."""
    given = dict(parameters)
    if not {"start", "end", "step"} <= given.keys():
        return parameters
    # What a start counts in follows from its size, and a step is seconds or has a unit.
    unit = 10**9 if int(given["start"]) > 10**17 else 1
    text = given["step"]
    step = int(text) if text.isdigit() else int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]
    return [(name, str(int(value) - steps * step * unit) if name in ("start", "end") else value) for name, value in parameters]


class Feed:
    """Rows that come to both servers between the questions."""

    def __init__(self, sides, requests, questions):
        self.sides = sides
        self.requests = requests
        self.every = max(1, questions // max(1, len(requests)))
        self.count = 0

    def proceed(self):
        self.count += 1
        if self.count % self.every:
            return
        several = max(1, len(self.requests) // 200)
        pieces, self.requests = self.requests[:several], self.requests[several:]
        if pieces:
            for side in self.sides:
                side.send(pieces)
        if self.count % (40 * self.every) == 0:
            self.sides[1].flush()


def work(dialect, state, numbers, options, addresses, trace_ids, reports, feed=None):
    """One worker's share of the questions."""
    pair = Pair(*addresses, same_parts=state not in ("split", "live"), repeat=options.repeat)
    make = asker(dialect, trace_ids)
    counts = collections.Counter()
    for number in numbers:
        if feed:
            feed.proceed()
        choices = Choices(f"{options.seed} {dialect} {number}")
        question = make(choices)
        old, found = pair.compare(question)
        counts["asked"] += 1
        counts["answered"] += old[0] == 200
        counts["found something"] += old[0] == 200 and not is_empty(old[1])
        if not found:
            continue
        counts["differ"] += 1
        if counts["differ"] <= options.most:
            small = shrink(choices.taken, lambda taken: pair.compare(make(Choices(given=taken)))[1] is not None, options.shrink)
            question = make(Choices(given=small))
            reports.put(("difference", number, question, pair.compare(question)[1] or "not again"))
        if old[0] == 0 or counts["differ"] > 20 * options.most:
            break
    reports.put(("done", counts))


def describe(question):
    path, parameters, tenant, _ = question
    return f"  {path}  (tenant {tenant})\n" + "".join(f"    {name} = {value}\n" for name, value in parameters)


def ask(dialect, state, options, addresses, trace_ids, feed=None):
    """All questions of a dialect in one state; returns the number of answers that differ."""
    count = 1 if feed else options.workers
    begun = time.monotonic()
    numbers = [options.number] if options.number is not None else range(options.queries)
    reports = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=work, args=(dialect, state, list(numbers)[first::count], options, addresses, trace_ids, reports, feed))
               for first in range(count)]
    for worker in workers:
        worker.start()
    counts, running, shown = collections.Counter(), len(workers), 0
    while running:
        try:
            kind, *report = reports.get(timeout=5)
        except queue.Empty:
            running = sum(worker.is_alive() for worker in workers)
            continue
        if kind == "done":
            counts += report[0]
            running -= 1
        elif shown < options.most:
            number, question, found = report
            shown += 1
            print(f"{dialect} {number}, {state}: answers differ at {found}\n{describe(question)}"
                  f"  repeat: --seed {options.seed} --dialects {dialect} --states {state} --number {number}\n", flush=True)
    for worker in workers:
        worker.join()
    print(f"{dialect}, {state}: {counts['asked']} asked, {counts['answered']} answered, {counts['found something']} found something, "
          f"{counts['differ']} differ, {time.monotonic() - begun:.0f} s", flush=True)
    return counts["differ"] + (counts["asked"] < len(list(numbers)))


def build(options, folder, rows):
    """A data directory with two thirds of the rows, in several parts, with their views."""
    requests = rows.requests
    settled = [request for number, request in enumerate(requests) if number % 3 != 2]
    server = Server(options.old, folder / "master", options.old_options)
    try:
        pieces = 4
        for piece in range(pieces):
            server.send(settled[piece::pieces])
            server.flush()
        server.settle()
    finally:
        server.stop()
    return [request for number, request in enumerate(requests) if number % 3 == 2]


def run(options):
    print(f"seed {options.seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="varve-differential-", dir=options.folder))
    servers = []
    differ = 0
    try:
        rows = Rows(options.seed if options.rows_seed is None else options.rows_seed, options.scale)
        fresh = build(options, folder, rows)
        for state in options.states.split(","):
            sides = []
            for side, binary, extra in (("old", options.old, options.old_options), ("new", options.new, options.new_options)):
                data = folder / f"{state}-{side}"
                copy_tree(folder / "master", data)
                processors = {min(os.sched_getaffinity(0))} if side == "new" and options.new_single else None
                sides.append(Server(binary, data, extra, processors))
                servers.append(sides[-1])
            if state in ("fresh", "split"):
                for side in sides:
                    side.send(fresh)
            if state == "split":
                sides[1].flush()
                sides[1].settle(quiet=8)
            dialects = options.dialects.split(",")
            for number, dialect in enumerate(dialects):
                feed = Feed(sides, fresh[number::len(dialects)], options.queries) if state == "live" else None
                differ += ask(dialect, state, options, (sides[0].http, sides[1].http), rows.trace_ids[:40] + rows.trace_ids[-3:], feed)
            for side in sides:
                if side.process.poll() is not None:
                    print(f"a server ended with status {side.process.returncode}: see {folder}", flush=True)
                    differ += 1
                side.stop()
    finally:
        for server in servers:
            server.stop()
        if differ and options.keep:
            print(f"data directories and logs are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return differ


def parsed(arguments):
    parser = argparse.ArgumentParser(prog="tools/differential", description=__doc__.split("\n")[0])
    parser.add_argument("old", help="the server whose answers count")
    parser.add_argument("new", help="the server that is compared with it")
    parser.add_argument("--queries", type=int, default=1000, help="of each dialect in each state (1000)")
    parser.add_argument("--seed", default="1", help="of the questions and the rows (1)")
    parser.add_argument("--rows-seed", default=None, help="of the rows alone")
    parser.add_argument("--dialects", default=",".join(DIALECTS))
    parser.add_argument("--states", default="settled,fresh", help="of settled, fresh, split and live")
    parser.add_argument("--number", type=int, default=None, help="one question alone")
    parser.add_argument("--workers", type=int, default=3, help="that ask at a time (3)")
    parser.add_argument("--most", type=int, default=5, help="differences that are shown of each dialect and state (5)")
    parser.add_argument("--shrink", type=int, default=300, help="questions to make one simpler (300)")
    parser.add_argument("--scale", type=float, default=1.0, help="how many rows there are (1)")
    parser.add_argument("--old-options", type=str.split, default=[], help="settings of OLD, as one argument")
    parser.add_argument("--new-options", type=str.split, default=[], help="settings of NEW, as one argument")
    parser.add_argument("--new-single", action="store_true", help="NEW has one processor")
    parser.add_argument("--repeat", action="store_true", help="NEW is asked twice, first about a range nearby, and its second answer counts")
    parser.add_argument("--folder", default=None, help="where data directories are made; that for temporary files")
    parser.add_argument("--keep", action="store_true", help="leave them there if answers differ")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(1 if run(parsed(sys.argv[1:])) else 0)
