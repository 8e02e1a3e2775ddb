"""An answer as code of a shell: assignments, and the tests that a shell makes at each prompt."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from wrapper.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wrapper.hook.answer import Answer

# Part of the path of every text, and its last line: a shell reads none of another form, and none
# that is torn.
FORM = "3"


def of(answer: Answer, shell: str, stamp: str, directory: str = "", until: str = "") -> str:
    """Return code of a shell (bash, zsh, fish) that says an answer for a directory.

    `stamp` is the file whose time the watched ones are compared with, '' when there is none; the
    time of `until` is when the session ends, for shells that have no clock. The shell file knows the variables and functions: `test` whether the answer still holds, `free`
    whether none of the names is in use, `list` which are to be taken away, `give` the values.
    """
    names = sorted(filter(_named, answer.values))
    values = [f"={answer.values[name]}" for name in names]
    gone = sorted(name for name in answer.unset if _named(name) and name not in names)
    prefixes = sorted(filter(_named, answer.prefixes))
    single = {
        "root": answer.root,
        "asked": answer.asked,
        "apart": answer.apart,
        "expires": str(answer.expires),
        "say": answer.say,
        "told": "".join(f"|{name}|={_escaped(answer.values[name])}|" for name in names),
    }
    tests = _tests(answer, shell, stamp, directory)
    lines = [*_single(shell, single), _many(shell, "names", names), _many(shell, "values", values)]
    if shell == "fish":
        lines += _fish(answer, tests, names, gone, prefixes, quoted(shell, until) if until else "")
    else:
        lines += _posix(answer, shell, tests, names, gone, prefixes)
    return "".join(f"{line}\n" for line in [*lines, *_single(shell, {"form": FORM})])


class _Tests(NamedTuple):
    """Paths in quotes: what must not be there, what must, and what must not be newer than `stamp`."""

    absent: list[str]
    there: list[str]
    watch: list[str]
    stamp: str


def _tests(answer: Answer, shell: str, stamp: str, directory: str) -> _Tests:
    """Return the fewest tests that say all: a long way to a file is what a test costs."""
    absent, watch = set(answer.absent), set(answer.watch)

    def shown(path: str) -> str:
        """Return a path in quotes; in the directory itself it needs no way to it."""
        inside = directory and os.path.dirname(path) == directory.rstrip("/")
        return quoted(shell, f"./{os.path.basename(path)}" if inside else path)

    # One that another shell has replaced with its answer is gone.
    stamps = [quoted(shell, stamp)] if stamp and watch else []
    return _Tests(
        # Nothing can be in what is not there.
        [shown(path) for path in answer.absent if not any(up in absent for up in _upwards(path))],
        # What goes away changes the time of its directory.
        stamps + [shown(path) for path in answer.watch if os.path.dirname(path) not in watch],
        [shown(path) for path in answer.watch],
        quoted(shell, stamp) if stamp else "",
    )


def _upwards(path: str) -> Iterator[str]:
    while (up := os.path.dirname(path)) != path:
        yield up
        path = up


def quoted(shell: str, value: str) -> str:
    """Return a value in quotes, whatever it is: `=x` and `~` mean something to some shells."""
    if shell == "fish":
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return "'" + value.replace("'", "'\\''") + "'"


def _named(name: str) -> bool:
    """Say whether a name is one of a variable; to a shell, any other could be code."""
    return name.isascii() and name.isidentifier()


def _escaped(value: str) -> str:
    for mark in "%|\\\n":
        value = value.replace(mark, f"%{ord(mark):02X}")
    return value


def _single(shell: str, values: Mapping[str, str]) -> list[str]:
    if shell == "fish":
        return [f"set -g _atmos_wrap_new_{name} {quoted(shell, values[name])}" for name in values]
    return [f"_atmos_wrap_new_{name}={quoted(shell, values[name])}" for name in values]


def _many(shell: str, name: str, values: Sequence[str]) -> str:
    words = " ".join(quoted(shell, value) for value in values)
    return (
        f"set -g _atmos_wrap_new_{name} {words}"
        if shell == "fish"
        else (f"_atmos_wrap_new_{name}=({words})")
    )


def _posix(
    answer: Answer,
    shell: str,
    tests: _Tests,
    names: list[str],
    gone: list[str],
    prefixes: list[str],
) -> Iterator[str]:
    def function(name: str, *words: str) -> str:
        return f"_atmos_wrap_{name}() {{ {' '.join(words)}; }}"

    words = [f"! -e {path}" for path in tests.absent] + [f"-e {path}" for path in tests.there]
    words += [f"! {path} -nt {tests.stamp}" for path in tests.watch]
    if tests.watch and not tests.stamp:  # nothing to compare with
        words = ["-z 1"]
    yield function("test", "[[", " && ".join(words) or "1", "]]")
    begin = "|".join(prefixes)
    used = "".join(f"${{{name}+=}}" for name in [*names, *gone])
    free = [f'-z "{used}"']
    if shell == "zsh":
        free += [f"-z ${{(k)parameters[(I)({begin})*]}}"] if prefixes else []
        taken = f"(${{(k)parameters[(I)({begin})*]}})"
        yield function("free", "[[", " && ".join(free), "]]")
    else:
        # To list the names that begin so takes bash longer than all else: once is enough.
        common = os.path.commonprefix(prefixes)  # noqa: RUF071 letter by letter is what is meant
        named = [common] if common else prefixes
        listed = " ".join(f"${{!{prefix}@}}" for prefix in named)
        listed = f'_atmos_wrap_n=" {listed} ";' if prefixes else ""
        free += [f"$_atmos_wrap_n != *' {prefix}'*" for prefix in prefixes]
        taken = "(" + " ".join(f'"${{!{prefix}@}}"' for prefix in prefixes) + ")"
        yield function("free", f"builtin local _atmos_wrap_n; {listed} [[", " && ".join(free), "]]")
    more = f"_atmos_wrap_new_gone+={taken}" if prefixes else ""
    yield function(
        "list", f"_atmos_wrap_new_gone=({' '.join(gone)})", *([f"; {more}"] if more else [])
    )
    # In quotes as a whole: bash under `set -k` takes away what looks like an assignment.
    given = " ".join(quoted(shell, f"{name}={answer.values[name]}") for name in names)
    yield function("give", f"builtin export {given}" if names else "builtin true")


def _fish(
    answer: Answer,
    tests: _Tests,
    names: list[str],
    gone: list[str],
    prefixes: list[str],
    until: str,
) -> Iterator[str]:
    def function(name: str, *lines: str) -> str:
        return "\n".join([f"function _atmos_wrap_{name}", *lines, "end"])

    def test(words: Sequence[str]) -> str:
        return "builtin test " + (" -a ".join(words) or "1")

    there = [f"! -e {path}" for path in tests.absent] + [f"-e {path}" for path in tests.there]
    if tests.watch and not tests.stamp:  # nothing to compare with
        yield function("test", "return 1")
    else:
        # One `path` for many costs less than `test`, which fish before 3.6 has no times for.
        steps = [f"not builtin path filter -q {' '.join(tests.absent)}"] if tests.absent else []
        steps += [f"not builtin path filter -qv {' '.join(tests.there)}"] if tests.there else []
        newer = [f"! {path} -nt {tests.stamp}" for path in tests.watch]
        old = [test(there)]
        if tests.watch:
            old.append(f"_atmos_wrap_older {tests.stamp} {' '.join(tests.watch)}")
        if until:  # what was written to the terminal last has set its time: that is the clock
            newer.append(f"! /dev/fd/0 -nt {until}")
            old.append(f"_atmos_wrap_older {until} /dev/fd/0")
        yield "if set -q _atmos_wrap_old_test"
        yield function("test", "; and ".join(old))
        yield "else"
        yield function("test", "; and ".join([*steps, test(newer)]))
        yield "end"
    both = [*names, *gone]
    begun = f"'^({'|'.join(prefixes)})'"
    lines = [f"set -q {' '.join(both)}", f"builtin test $status -eq {len(both)}; or return 1"]
    lines += [f"not set -nx | builtin string match -q -r {begun}"] if prefixes else []
    yield function("free", *(lines if both else ["return 0"]))
    words = " ".join(gone)
    more = f" (set -nx | builtin string match -r {begun}'.*')" if prefixes else ""
    yield function("list", f"set -g _atmos_wrap_new_gone {words}{more}")
    yield function("give", *(f"set -gx {n} {quoted('fish', answer.values[n])}" for n in names))
    # Give all back at once, where all still hold and none was there before.
    same = test([f'"x${name}" = {quoted("fish", "x" + answer.values[name])}' for name in names])
    yield function("undo", *([same, f"and set -eg {' '.join(names)}"] if names else ["return 0"]))
